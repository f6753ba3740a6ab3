"""Who may do what with what: every cell of the matrix is stated."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.unit.access.accounts import START
from tokenkit.access.actions import ACTIONS
from tokenkit.access.decisions import Rights, Scopes
from tokenkit.access.grants import Grant, parse_scopes
from tokenkit.access.presets import PRESETS
from tokenkit.access.principals import Principal, RoleFacts, Snapshot, UserFacts
from tokenkit.access.resources import NOTHING, Resource

# A: allowed. M: masked. P: a purpose is required. S: a fresh second factor is.
# F: a second factor is. H: by a person only. -: not granted.
BY_ROLE = """
                 administrator key-officer auditor tokenizer detokenizer support none
tokenize         -             -           -       A         -           -       -
detokenize       -             -           -       -         P           M       -
tokens.read      -             -           -       A         A           A       -
tokens.write     -             -           -       A         -           -       -
keys.read        -             A           A       -         -           -       -
keys.write       -             A           -       -         -           -       -
policies.read    A             A           A       A         A           -       -
policies.write   -             A           -       -         -           -       -
users.read       A             -           A       -         -           -       -
users.write      A             -           -       -         -           -       -
roles.read       A             -           A       -         -           -       -
roles.write      A             -           -       -         -           -       -
grants.read      A             -           A       -         -           -       -
grants.write     A             -           -       -         -           -       -
api-keys.read    A             -           A       -         -           -       -
api-keys.write   A             -           -       -         -           -       -
sessions.read    A             -           A       -         -           -       -
sessions.write   A             -           -       -         -           -       -
audit.read       -             -           A       -         -           -       -
"""

# The same for a session without a second factor, one that isn't fresh, and an API key.
BY_WAY = """
                 no-factor stale fresh api-key
tokenize         F         A     A     A
detokenize       F         S     A     A
tokens.read      F         A     A     A
tokens.write     F         A     A     A
keys.read        F         A     A     A
keys.write       F         S     A     H
policies.read    F         A     A     A
policies.write   F         S     A     H
users.read       F         A     A     A
users.write      F         S     A     H
roles.read       F         A     A     A
roles.write      F         S     A     H
grants.read      F         A     A     A
grants.write     F         S     A     H
api-keys.read    F         A     A     A
api-keys.write   F         S     A     H
sessions.read    F         A     A     A
sessions.write   F         S     A     H
audit.read       F         A     A     A
"""

GRANTS = [
    Grant.build("allow", "tokenize", "policy:orders"),
    Grant.build("allow", "detokenize", "column:orders/card"),
    Grant.build("masked", "detokenize", "column:*/iban"),
    Grant.build("allow", "detokenize", "key:pay*", purposes=["fraud-review", "refund"]),
    Grant.build("deny", "*", "column:orders/ssn"),
    Grant.build("deny", "detokenize", "domain:secret"),
    Grant.build("allow", "keys.*", "key:payments"),
]
RESOURCES = {
    "card": Resource("orders", "card", "cards", "credit-card"),
    "iban": Resource("orders", "iban", "accounts", "iban"),
    "other-iban": Resource("people", "iban", "accounts", "iban"),
    "ssn": Resource("orders", "ssn", "payments", "us-ssn"),
    "payments": Resource(key="payments", domain="credit-card"),
    "people": Resource(key="people", domain="us-ssn"),
    "secret": Resource("orders", "card", "payments", "secret"),
    "nothing": NOTHING,
}
# D: denied. W: another purpose is needed. r: as A, with the purpose "refund" alone.
BY_RESOURCE = """
                 card iban other-iban ssn payments people secret nothing
tokenize         A    A    -          D   -        -      A      -
detokenize       A    M    M          D   P        -      D      -
detokenize+refund A   M    M          D   A        -      D      -
detokenize+else  A    M    M          D   W        -      D      -
tokens.read      -    -    -          D   -        -      -      -
tokens.write     -    -    -          D   -        -      -      -
keys.read        -    -    -          D   A        -      A      -
keys.write       -    -    -          D   A        -      A      -
policies.read    -    -    -          D   -        -      -      -
policies.write   -    -    -          D   -        -      -      -
users.read       -    -    -          D   -        -      -      -
users.write      -    -    -          D   -        -      -      -
roles.read       -    -    -          D   -        -      -      -
roles.write      -    -    -          D   -        -      -      -
grants.read      -    -    -          D   -        -      -      -
grants.write     -    -    -          D   -        -      -      -
api-keys.read    -    -    -          D   -        -      -      -
api-keys.write   -    -    -          D   -        -      -      -
sessions.read    -    -    -          D   -        -      -      -
sessions.write   -    -    -          D   -        -      -      -
audit.read       -    -    -          D   -        -      -      -
"""
LETTERS = {
    ("allow", "granted"): "A",
    ("masked", "granted"): "M",
    ("deny", "purpose_required"): "P",
    ("deny", "purpose_not_granted"): "W",
    ("deny", "step_up_required"): "S",
    ("deny", "second_factor_required"): "F",
    ("deny", "person_required"): "H",
    ("deny", "not_granted"): "-",
    ("deny", "denied"): "D",
}


def cells(table):
    """Read a table: a row's name, a column's, and the letter."""
    head, *rows = (line.split() for line in table.strip("\n").splitlines())
    return [
        (row[0], column, letter)
        for row in rows
        for column, letter in zip(head, row[1:], strict=True)
    ]


def letter_of(decision):
    return LETTERS[decision.outcome, decision.reason]


USER = UUID(int=1)


def session(stepped_up=START):
    return Principal(user_id=USER, name="ann", via="session", id=UUID(int=2), stepped_up=stepped_up)


def snapshot(roles, **facts):
    held = UserFacts(name="ann", roles=frozenset(roles), **facts)
    return Snapshot(1, {USER: held}, dict(roles))


@pytest.mark.parametrize("table", [BY_ROLE, BY_WAY, BY_RESOURCE])
def test_the_tables_state_every_action(table):
    """No action is left out."""
    assert {row.partition("+")[0] for row, _, _ in cells(table)} == set(ACTIONS)


@pytest.mark.parametrize(("action", "role", "letter"), cells(BY_ROLE))
def test_roles_to_start_with(action, role, letter):
    """What each role may do, in a session with a fresh second factor."""
    preset = next((each for each in PRESETS if each.name == role), None)
    roles = {1: RoleFacts(preset.requires_mfa, preset.grants)} if preset else {}
    for resource in RESOURCES.values():
        decision = snapshot(roles).decide(session(), action, resource, now=START)
        assert letter_of(decision) == letter
    if letter == "P":
        stated = snapshot(roles).decide(session(), action, NOTHING, "any", now=START)
        assert stated.outcome == "allow"


@pytest.mark.parametrize(("action", "way", "letter"), cells(BY_WAY))
def test_ways_in(action, way, letter):
    """What a role with every right may do, depending on how somebody came in."""
    every = tuple(Grant.build("allow", each, "*") for each in ("*", "detokenize"))
    held = snapshot({1: RoleFacts(True, every)})
    by = {
        "no-factor": session(None),
        "stale": session(START - timedelta(minutes=10, seconds=1)),
        "fresh": session(START - timedelta(minutes=10)),
        "api-key": Principal(
            user_id=USER,
            name="ann",
            via="api-key",
            id=UUID(int=3),
            scopes=Scopes(parse_scopes(["*", "detokenize"])),
        ),
    }
    decision = held.decide(by[way], action, RESOURCES["card"], now=START)
    assert letter_of(decision) == letter


@pytest.mark.parametrize(("action", "resource", "letter"), cells(BY_RESOURCE))
def test_grants_on_resources(action, resource, letter):
    """Allowed, masked, denied: by policy, column, key and domain, with wildcards and purposes."""
    action, _, purpose = action.partition("+")
    rights = Rights(GRANTS)
    for _ in range(2):  # The second answer is a remembered one.
        decision = rights.decide(action, RESOURCES[resource], purpose or None)
        assert letter_of(decision) == letter


def test_detokenizing_is_a_right_of_its_own():
    """No wildcard gives it, in a grant or in a scope; a wildcard that denies takes it."""
    plain = Grant.build("allow", "detokenize", "*")
    assert Rights([Grant.build("allow", "*", "*")]).decide("detokenize", NOTHING).reason == (
        "not_granted"
    )
    assert Rights([plain]).decide("detokenize", NOTHING).outcome == "allow"
    assert Rights([plain, Grant.build("deny", "*", "*")]).decide("detokenize", NOTHING).reason == (
        "denied"
    )
    assert not Scopes(parse_scopes(["*"])).cover("detokenize", NOTHING)


def test_an_unknown_action_is_refused():
    """Whatever is granted."""
    everything = Rights([Grant.build("allow", "*", "*"), Grant.build("allow", "detokenize", "*")])
    assert everything.decide("drop", NOTHING).reason == "not_granted"


def test_a_scope_bounds_an_api_key():
    """It never gives more than the owner's rights, and takes what it doesn't name."""
    role = RoleFacts(False, (Grant.build("allow", "tokenize", "policy:*"),))
    held = snapshot({1: role})

    def decide(scopes, action, resource):
        key = Principal(
            user_id=USER,
            name="ann",
            via="api-key",
            id=UUID(int=3),
            scopes=Scopes(parse_scopes(scopes)),
        )
        return held.decide(key, action, resource, now=START).reason

    orders, people = Resource(policy="orders"), Resource(policy="people")
    assert decide(["tokenize@policy:orders"], "tokenize", orders) == "granted"
    assert decide(["tokenize@policy:orders"], "tokenize", people) == "outside_scope"
    assert decide(["detokenize"], "detokenize", orders) == "not_granted"
    assert decide(["*"], "tokenize", people) == "granted"


def test_who_is_not_there_may_do_nothing():
    """A disabled user isn't in the snapshot."""
    held = Snapshot(1, {}, {})
    assert held.decide(session(), "tokenize", NOTHING, now=START).reason == "unknown_user"
    assert held.decide_own(session(), now=START).reason == "unknown_user"


def test_a_password_of_somebody_else_must_be_changed_first():
    """Nothing else is allowed in a session; an API key isn't concerned."""
    role = {1: RoleFacts(False, (Grant.build("allow", "tokenize", "*"),))}
    held = snapshot(role, must_change_password=True)
    decision = held.decide(session(), "tokenize", NOTHING, now=START)
    assert decision.reason == "password_change_required"
    assert held.decide_own(session(), now=START).allowed


def test_own_affairs():
    """With a second factor it must be fresh; without one it can be set up; never by API key."""
    late = START + timedelta(minutes=11)
    assert snapshot({}).decide_own(session(None), now=START).allowed
    assert snapshot({}, has_second_factor=True).decide_own(session(), now=START).allowed
    assert (
        snapshot({}, has_second_factor=True).decide_own(session(), now=late).reason
        == "step_up_required"
    )
    key = Principal(user_id=USER, name="ann", via="api-key", id=UUID(int=3))
    assert snapshot({}).decide_own(key, now=START).reason == "person_required"


def test_remembered_answers_are_bounded():
    """However many names are asked for."""
    rights = Rights(GRANTS)
    for number in range(10_000):
        rights.decide("tokenize", Resource(policy=f"p{number}"))
    assert len(rights._remembered) <= 4096
