"""Token records, idempotency keys, limits and quotas over HTTP, on both back ends."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.services import running

CARD = "4539578763621486"
OTHER = "6011000990139424"
COLUMN = {"policy": "orders", "column": "card"}
RIGHTS = [
    ("allow", "tokenize", "*"),
    ("allow", "detokenize", "*"),
    ("allow", "tokens.*", "*"),
]


@pytest.fixture
def key(service):
    """Give an API key that may do everything with tokens and its records."""
    return service.caller(*RIGHTS)


def kept(service, key, value=CARD, **more):
    answer = service.post("/v1/tokenize", {**COLUMN, "value": value, **more}, key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def turned(service, key, **values):
    return service.post("/v1/detokenize", {**COLUMN, **values}, key)


def get(service, key, path):
    return service.client.get(path, headers={"authorization": f"Bearer {key}"})


def in_time(service, **by):
    """Move the clock of the records on."""
    service.state.records._clock = lambda: datetime.now(UTC) + timedelta(**by)


def test_a_record_is_kept_only_where_it_is_asked_for(service, key):
    """By store, metadata or expires_at; it has everything but the value."""
    assert "record" not in kept(service, key)
    assert get(service, key, "/v1/tokens").json() == {"items": [], "next": None}
    expires = datetime.now(UTC) + timedelta(hours=1)
    made = kept(service, key, metadata={"order": 17}, expires_at=expires.isoformat())
    record = get(service, key, f"/v1/tokens/{made['record']['id']}").json()
    assert record["token"] == made["token"]
    assert record["metadata"] == {"order": 17}
    assert datetime.fromisoformat(record["expires_at"]) == expires
    assert (record["state"], record["version"], record["scheme"]) == ("active", 1, "credit-card")
    assert CARD not in str(record)
    assert kept(service, key, store=True)["record"]["version"] == 2


def test_an_expired_token_is_not_turned_back_for_its_caller(service, key):
    """One value is a problem with the reason, a list has it in its place; others aren't touched."""
    other = service.caller(*RIGHTS)
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    token = kept(service, key, expires_at=soon)["token"]
    lasting = kept(service, key, OTHER)["token"]
    assert turned(service, key, value=token).json()["value"] == CARD
    in_time(service, minutes=2)
    gone = turned(service, key, value=token)
    assert (gone.status_code, gone.json()["reason"]) == (422, "expired")
    answer = turned(service, key, values=[lasting, token, None]).json()
    assert answer["values"] == [OTHER, None, None]
    assert answer["errors"] == [{"index": 1, "reason": "expired"}]
    assert turned(service, other, value=token).json()["value"] == CARD
    failed = [row for row in service.audited("detokenize") if row["outcome"] == "failed"]
    assert [row["reason"] for row in failed] == ["expired"]


def test_revoking_is_for_good_and_in_the_log(service, key):
    """Tokenizing again doesn't bring it back; who may not revoke gets 404."""
    made = kept(service, key, store=True)
    path = f"/v1/tokens/{made['record']['id']}"
    stranger = service.caller(("allow", "tokens.*", "key:payments"))
    reader = service.caller(("allow", "tokenize", "*"))
    for who in (stranger, reader):
        assert get(service, who, path).status_code == 404
        assert service.post(f"{path}/revoke", None, who).status_code == 404
    assert turned(service, key, value=made["token"]).status_code == 200
    assert service.post(f"{path}/revoke", None, key).json()["state"] == "revoked"
    assert turned(service, key, value=made["token"]).json()["reason"] == "revoked"
    assert kept(service, key, store=True)["record"]["state"] == "revoked"
    assert turned(service, key, value=made["token"]).json()["reason"] == "revoked"
    (row,) = [row for row in service.audited("token.revoke") if row["outcome"] == "complete"]
    assert row["object"] == f"token:{made['record']['id']}"


def test_rights_to_a_users_records_are_a_grant_of_their_own(service, key):
    """Named by the user; a denial of the key still refuses."""
    made = kept(service, key, store=True)
    path = f"/v1/tokens/{made['record']['id']}"
    owner = service.audited("tokenize")[0]["actor"].split()[0]
    officer = service.caller(("allow", "tokens.*", f"user:{owner}"))
    barred = service.caller(
        ("allow", "tokens.*", f"user:{owner}"), ("deny", "tokens.read", "key:payments")
    )
    assert get(service, officer, path).json()["state"] == "active"
    assert get(service, barred, path).status_code == 404
    assert service.post(f"{path}/revoke", None, officer).json()["state"] == "revoked"


def test_the_list_goes_on_where_it_ended(service, key):
    """By cursors that nothing which is added moves; a made-up one is refused."""
    for value in (CARD, OTHER, CARD):
        kept(service, key, value, store=True)
    first = get(service, key, "/v1/tokens?limit=1").json()
    second = get(service, key, f"/v1/tokens?limit=1&cursor={first['next']}").json()
    ids = [page["items"][0]["id"] for page in (first, second)]
    assert len(set(ids)) == 2
    assert get(service, key, "/v1/tokens?cursor=AAAA").status_code == 422


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"metadata": {"x": "y" * 5000}}, "metadata"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "timezone_aware"),
        ({"metadata": []}, "dict_type"),
    ],
    ids=str,
)
def test_what_can_not_be_kept_makes_no_token(quick_service, more, reason):
    """The request is refused, and that is in the log."""
    key = quick_service.caller(*RIGHTS)
    answer = quick_service.post("/v1/tokenize", {**COLUMN, "value": CARD, **more}, key)
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert "token" not in answer.json()


def test_detokenizing_keeps_nothing(quick_service):
    """A record is asked for when the token is made."""
    key = quick_service.caller(*RIGHTS)
    answer = turned(quick_service, key, value=CARD, store=True)
    assert (answer.status_code, answer.json()["reason"]) == (422, "tokenize_only")


def test_validating_says_what_can_be_said(service, key):
    """Well-formed, of this domain, known, expired, revoked; nothing is turned back."""
    card = kept(service, key, store=True)["token"]
    sealed = {"policy": "orders", "column": "note"}
    note = service.post("/v1/tokenize", {**sealed, "value": "hello"}, key).json()["token"]
    elsewhere = {"scheme": "text", "key": "people", "domain": "elsewhere"}
    foreign = service.post("/v1/tokenize", {**elsewhere, "value": "hello"}, key).json()["token"]

    def validated(who=key, **body):
        return service.post("/v1/tokens/validate", body, who)

    found = validated(**COLUMN, values=[card, OTHER, "12"]).json()["results"]
    assert [each["well_formed"] for each in found] == [True, False, False]
    assert [each["record"] for each in found] == ["active", "none", "none"]
    assert found[0]["domain"] == "confirmed"
    found = validated(**sealed, values=[note, foreign]).json()["results"]
    assert [each["domain"] for each in found] == ["confirmed", "other"]
    assert "hello" not in str(found)
    assert validated(service.caller(*RIGHTS[:2]), **COLUMN, value=card).status_code == 403
    assert service.audited("tokens.validate")[0]["count"] == 3


def test_a_request_with_an_idempotency_key_is_carried_out_once(service, key):
    """Sent again it has the same answer and changes nothing; another one under it is refused."""
    body = {**COLUMN, "value": CARD, "metadata": {"order": 1}}
    sent = {"idempotency-key": "a5a7"}
    first = service.post("/v1/tokenize", body, key, **sent)
    again = service.post("/v1/tokenize", body, key, **sent)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["record"]["version"] == 1
    other = service.post("/v1/tokenize", {**body, "value": OTHER}, key, **sent)
    assert (other.status_code, other.json()["reason"]) == (422, "other_request")
    bad = service.post("/v1/tokenize", body, key, **{"idempotency-key": "a b"})
    assert (bad.status_code, bad.json()["reason"]) == (422, "malformed")
    assert len([r for r in service.audited("tokenize") if r["outcome"] == "complete"]) == 2


def test_many_at_once_with_one_key_are_one(service, key):
    """The others wait for nobody: they get the same answer, or are told to come again."""
    body = {**COLUMN, "values": [CARD, OTHER], "store": True}
    sent = {"idempotency-key": "b6b8"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: service.post("/v1/tokenize", body, key, **sent), range(8))
        )
    assert {answer.status_code for answer in answers} <= {200, 409}
    good = [answer.json() for answer in answers if answer.status_code == 200]
    assert good
    assert all(record["version"] == 1 for answer in good for record in answer["records"])
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["retry-after"] == "1"


def test_a_request_that_failed_can_be_sent_again(service, key):
    """Under the same idempotency key, and also another request."""
    sent = {"idempotency-key": "c7c9"}
    refused = service.post(
        "/v1/tokenize", {**COLUMN, "value": CARD, "metadata": {"x": "y" * 5000}}, key, **sent
    )
    assert refused.status_code == 422
    assert service.post("/v1/tokenize", {**COLUMN, "value": CARD}, key, **sent).status_code == 200


def test_limits_and_quotas_answer_429(tmp_path):
    """With Retry-After and the RateLimit headers; each limit says which it is."""
    url = f"sqlite:///{tmp_path / 'store' / 'tokenkit.db'}"
    settings: dict[str, Any] = {
        "api_key_limit": "5/hour",
        "address_limit": "12/hour",
        "daily_values": 6,
    }
    with running(url, tmp_path, **settings) as service:
        key = service.caller(*RIGHTS)
        body = {**COLUMN, "values": [CARD] * 2}
        answers = [service.post("/v1/tokenize", body, key) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 429]
        reasons = [answer.json().get("reason") for answer in answers[3:]]
        assert reasons == ["quota", "quota", "api_key"]
        assert 0 < int(answers[3].headers["retry-after"]) <= 86_400
        assert answers[3].headers["ratelimit-policy"] == '"quota";q=6;w=86400'
        assert answers[5].headers["ratelimit"].startswith('"api_key";r=0;t=')
        for _ in range(6):
            service.post("/v1/tokenize", body)
        limited = service.post("/v1/tokenize", body)
        assert (limited.status_code, limited.json()["reason"]) == (429, "address")
        assert service.client.get("/health/live").status_code == 200


ARROW = "application/vnd.apache.arrow.stream"


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.int64(),
    ],
    ids=str,
)
def test_expired_tokens_in_bulk_bodies(quick_service, kind):
    """Null stands in their places with the reason, whatever type the column has."""
    key = quick_service.caller(*RIGHTS)
    target: dict[str, Any] = {"scheme": "digits", "key": "people"}
    values: list[Any] = ["4539578763", "6011000990", "3056930902"]
    if kind == pa.int64():
        values = [int(value) for value in values]
        target["parameters"] = {"width": 10}
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    asked: list[dict[str, Any]] = [{}, {"expires_at": soon}, {"store": True}]
    tokens = [
        quick_service.post("/v1/tokenize", {**target, "value": value, **more}, key).json()["token"]
        for value, more in zip(values, asked, strict=True)
    ]
    in_time(quick_service, minutes=2)
    table = pa.table({"v": pa.array([*tokens, None]).cast(kind)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    answer = quick_service.client.post(
        "/v1/detokenize",
        params={**target, "parameters": json.dumps(target.get("parameters", {}))},
        content=sink.getvalue(),
        headers={"authorization": f"Bearer {key}", "content-type": ARROW},
    )
    assert answer.status_code == 200, answer.text
    found = pa.ipc.open_stream(answer.content).read_all()
    assert found["value"].to_pylist() == [values[0], None, values[2], None]
    assert found["reason"].to_pylist() == [None, "expired", None, None]
