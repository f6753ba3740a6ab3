"""Who may tokenize and detokenize what: every refusal has its reason, and is in the audit log."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pyotp
import pytest

from tests.services import are_alike
from tokenkit.access.bearer import new_bearer
from tokenkit.access.grants import Grant
from tokenkit.access.hashing import PasswordPool
from tokenkit.access.sealing import Sealer, access_key
from tokenkit.access.sign_in import SignIn
from tokenkit.access.tables.grants import add_grant
from tokenkit.access.tables.roles import assign_role, create_role
from tokenkit.access.tables.second_factor import begin_totp, confirm_totp
from tokenkit.access.tables.users import create_user, find_user

CARD = "4539578763621486"
COLUMN = {"policy": "orders", "column": "card"}
PASSWORD = "kettle paper otter moss"


def token_of(service):
    key = service.caller(("allow", "tokenize", "*"))
    return service.post("/v1/tokenize", {**COLUMN, "value": CARD}, key).json()["token"]


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        "policy:orders",
        "policy:ord*",
        "column:orders/card",
        "column:*/card",
        "key:payments",
        "domain:credit-card",
    ],
)
def test_a_grant_on_any_facet_is_enough(quick_service, resource):
    """A grant on the policy, the column, the key or the domain lets a column be tokenized."""
    key = quick_service.caller(("allow", "tokenize", resource))
    assert quick_service.post("/v1/tokenize", {**COLUMN, "value": CARD}, key).status_code == 200


@pytest.mark.parametrize(
    ("grants", "scopes", "operation", "reason"),
    [
        ((), ("*",), "tokenize", "not_granted"),
        ((("allow", "tokenize", "key:people"),), ("*",), "tokenize", "not_granted"),
        ((("allow", "*", "*"),), ("*", "detokenize"), "detokenize", "not_granted"),
        (
            (("allow", "tokenize", "*"), ("deny", "tokenize", "domain:credit-card")),
            ("*",),
            "tokenize",
            "denied",
        ),
        ((("allow", "tokenize", "*"),), ("tokenize@key:people",), "tokenize", "outside_scope"),
        ((("allow", "detokenize", "*"),), ("*",), "detokenize", "outside_scope"),
    ],
)
def test_refusals(service, grants, scopes, operation, reason):
    """What isn't granted is refused with its reason, and the refusal is in the log."""
    key = service.caller(*grants, scopes=scopes)
    answer = service.post(f"/v1/{operation}", {**COLUMN, "value": CARD}, key)
    assert (answer.status_code, answer.json()["reason"]) == (403, reason)
    (row,) = service.audited(operation)
    assert (row["outcome"], row["reason"], row["token_hash"]) == ("refused", reason, None)
    assert row["actor"].startswith("caller1 api-key:")


def test_who_has_no_right_learns_nothing_of_what_there_is(quick_service):
    """A policy, a column and a key that aren't there are refused like those that are."""
    key = quick_service.caller(("allow", "tokenize", "policy:else"))
    bodies = [
        COLUMN,
        {"policy": "nothing", "column": "card"},
        {"policy": "orders", "column": "nothing"},
        {"policy": "orders", "column": "tenant"},
        {"scheme": "us-ssn", "key": "people"},
        {"scheme": "us-ssn", "key": "nothing"},
        {"scheme": "nothing", "key": "people"},
    ]
    answers = [quick_service.post("/v1/tokenize", {**body, "value": CARD}, key) for body in bodies]
    assert {answer.status_code for answer in answers} == {403}
    assert are_alike(answers)


def test_who_has_the_right_learns_that_there_is_no_such_thing(quick_service):
    """With the right, what isn't there is 404; its name, which may be a value, isn't in the log."""
    key = quick_service.caller(("allow", "tokenize", "*"))
    for body in (
        {"policy": CARD, "column": "card"},
        {"policy": "orders", "column": CARD},
        {"scheme": "us-ssn", "key": "nothing-4539578763621486"},
    ):
        answer = quick_service.post("/v1/tokenize", {**body, "value": CARD}, key)
        assert answer.status_code == 404
        assert CARD not in answer.text
    rows = quick_service.audited("tokenize")
    assert len(rows) == 3
    assert CARD not in str(rows)


def test_a_masked_view_shows_the_last_four(service):
    """A masked grant gives the last four characters, and the log says that it was masked."""
    token = token_of(service)
    key = service.caller(("masked", "detokenize", "*"))
    answer = service.post("/v1/detokenize", {**COLUMN, "value": token}, key)
    assert answer.json() == {
        "value": "************1486",
        "key": "payments",
        "version": 1,
        "masked": True,
    }
    many = service.post("/v1/detokenize", {**COLUMN, "values": [token, None, ""]}, key)
    assert many.json()["values"] == ["************1486", None, ""]
    first = service.audited("detokenize")[0]
    assert json.loads(first["detail"]) == {"masked": True}
    assert first["token_hash"] == service.state.audit.token_hash("credit-card", token)


def test_a_masked_view_of_integers_is_text(quick_service):
    """The masked view of an integer is a string, since its digits are hidden."""
    body = {"policy": "orders", "column": "number"}
    maker = quick_service.caller(("allow", "tokenize", "*"))
    token = quick_service.post("/v1/tokenize", {**body, "value": 123456789}, maker).json()["token"]
    assert isinstance(token, int)
    key = quick_service.caller(("masked", "detokenize", "*"))
    answer = quick_service.post("/v1/detokenize", {**body, "value": token}, key)
    assert answer.json()["value"] == "*****6789"


def test_a_purpose_is_asked_for_where_a_grant_says_so(service):
    """Without the purpose it is refused, with another one too; with it, it is in the log."""
    token = token_of(service)
    key = service.caller(Grant.build("allow", "detokenize", "*", purposes=["fraud-review"]))
    asked = {**COLUMN, "value": token}
    reasons = [
        service.post("/v1/detokenize", body, key).json().get("reason")
        for body in (asked, {**asked, "purpose": "curiosity"}, {**asked, "purpose": "fraud-review"})
    ]
    assert reasons == ["purpose_required", "purpose_not_granted", None]
    last = service.audited("detokenize")[-1]
    assert json.loads(last["detail"]) == {"purpose": "fraud-review"}


def test_a_person_needs_a_fresh_second_factor_to_detokenize(service):
    """A session without a second factor tokenizes and doesn't detokenize; with one it does both."""
    sealer = Sealer(access_key(service.keyring))
    with PasswordPool() as pool:
        with service.work() as work:
            role = create_role(work, "analyst")
            for action in ("tokenize", "detokenize"):
                add_grant(work, role, Grant.build("allow", action, "*"))
            create_user(work, "ann", kind="person", password_hash=pool.hash(PASSWORD).result())
            ann = find_user(work.connection, "ann")
            assign_role(work, role, ann)
        signing = SignIn(service.database, pool, sealer, service.state.audit)
        session = signing("ann", PASSWORD, address="127.0.0.1").token
        service.state.rights.refresh()
        made = service.post("/v1/tokenize", {**COLUMN, "value": CARD}, session)
        assert made.status_code == 200, made.text
        body = {**COLUMN, "value": made.json()["token"]}
        refused = service.post("/v1/detokenize", body, session)
        assert (refused.status_code, refused.json()["reason"]) == (403, "step_up_required")
        with service.work() as work:
            app = pyotp.TOTP(begin_totp(work, ann, sealer))
            confirm_totp(work, ann, sealer, app.at(datetime.now(UTC).timestamp() - 30))
        stepped = signing(
            "ann", PASSWORD, address="127.0.0.1", code=app.at(datetime.now(UTC).timestamp())
        ).token
        service.state.rights.refresh()
        assert service.post("/v1/detokenize", body, stepped).json()["value"] == CARD


def test_a_revoked_key_is_refused_within_five_seconds(service):
    """A worker that held the key learns of its end by itself, and says so in the log."""
    key_id, key = service.issued(("allow", "tokenize", "*"))
    body = {**COLUMN, "value": CARD}
    assert service.post("/v1/tokenize", body, key).status_code == 200
    service.revoke(key_id)
    until = time.monotonic() + 5
    while service.post("/v1/tokenize", body, key).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert service.audited("authenticate")[-1]["reason"] == "api_key"


def test_a_key_that_nobody_was_given_is_in_the_log(quick_service):
    """A well-formed key that is nobody's is 401 and leaves a record without it."""
    shown = new_bearer("tkk_").text
    answer = quick_service.post("/v1/tokenize", {**COLUMN, "value": CARD}, shown)
    assert answer.status_code == 401
    (row,) = quick_service.audited("authenticate")
    assert (row["actor"], row["outcome"]) == ("unauthenticated", "refused")
    assert shown not in str(row)


def test_domains_of_tokenkit_itself_are_no_callers(quick_service):
    """What access seals can't be opened with the right to detokenize everything."""
    key = quick_service.caller(("allow", "tokenize", "*"), ("allow", "detokenize", "*"))
    for operation in ("tokenize", "detokenize"):
        body = {"scheme": "text", "key": "access", "domain": "tokenkit.access.totp", "value": "a"}
        answer = quick_service.post(f"/v1/{operation}", body, key)
        assert (answer.status_code, answer.json()["reason"]) == (422, "reserved")
