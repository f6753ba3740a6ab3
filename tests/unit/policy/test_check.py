"""The check of a policy: facts, joins and why not, and warnings."""

from __future__ import annotations

from typing import Any

import pytest

from tokenkit.policy import Policy
from tokenkit.policy.check import PolicyCheck, check_policy

DIGITS = {"scheme": "digits", "key": "people"}
CARD = {"scheme": "credit-card", "key": "payments"}


def policy(unlisted: str = "error", **columns: object) -> Policy:
    """Make a policy."""
    return Policy.from_mapping({"columns": columns, "unlisted": unlisted})


def check(**columns: object) -> PolicyCheck:
    """Check a policy of columns."""
    return check_policy(policy("error", **columns))


def joined(found: PolicyCheck) -> list[list[tuple[int, str]]]:
    """List the columns that join."""
    return [[(member.policy, member.column) for member in join.members] for join in found.joins]


def apart(found: PolicyCheck) -> list[tuple[str, str, tuple[str, ...]]]:
    """List the columns that don't, and why."""
    return [(*(member.column for member in pair.members), pair.reasons) for pair in found.apart]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("column", "size", "shortest"),
    [
        (CARD, 10**11, 12),
        ({**CARD, "check_digit": "ignore", "keep": {"last": 4}}, 10**8, 12),
        ({**DIGITS, "width": 9}, 10**9, 9),
        ({"scheme": "alphanumeric", "key": "k", "min_length": 40}, "62^40", 40),
        (
            {"scheme": "alphanumeric", "key": "k", "min_length": 60_000, "max_length": 60_000},
            "62^60000",
            60_000,
        ),
        ({"scheme": "text", "key": "k"}, None, None),
    ],
)
def test_facts_of_a_column(column, size, shortest):
    """The domain's size is exact as long as it's readable."""
    found = check(a=column).to_json()["columns"][0]
    assert (found["domain_size"], found["shortest"]) == (size, shortest)
    assert found["key"] == column["key"]


def test_columns_that_are_not_tokenized_are_told_too():
    """Every entry of the policy has its line."""
    found = check(a={"action": "keep"}, b={"action": "drop"}).to_json()["columns"]
    assert found == [{"column": "a", "action": "keep"}, {"column": "b", "action": "drop"}]


def test_what_normalizing_changes_does_not_come_back():
    """Reversible, but for what was normalized; and that is a warning."""
    found = check(a={**DIGITS, "normalize": ["trim"]})
    assert found.columns[0].reversible == "lossy"
    assert [warning.kind for warning in found.warnings] == ["normalize"]


def test_columns_of_one_policy():
    """Those that agree join, and one that differs is told with the reason."""
    phone = {**DIGITS, "domain": "phone"}
    found = check(home=phone, work={**phone, "width": 10}, fax=DIGITS, pan=CARD)
    assert joined(found) == [[(0, "home"), (0, "work")]]
    assert found.joins[0].provisos == ("at lengths that all of them accept",)
    assert apart(found) == [("home", "fax", ("the domain (phone and digits)",))]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ({}, {"key": "staff"}, "the key (people and staff)"),
        ({}, {"domain": "x"}, "the domain (digits and x)"),
        ({}, {"keep": {"last": 2}}, "keep"),
        ({}, {"tweak": "tenant"}, "a tweak"),
        ({}, {"version": 1}, "the key version"),
        ({}, {"literals": ["123456"]}, "the literals that the scheme would tokenize"),
        ({}, {"separators": "-"}, "separators"),
        ({"width": 8}, {"width": 10}, "the lengths that they accept"),
        ({}, {"scheme": "alphanumeric", "domain": "digits"}, "the scheme"),
    ],
)
def test_why_columns_of_two_policies_do_not_join(one, other, reason):
    """Columns of one name or scheme look joinable; what differs is named."""
    found = check_policy(policy("keep", a={**DIGITS, **one}), policy("keep", a={**DIGITS, **other}))
    assert found.joins == ()
    assert apart(found) == [("a", "a", (reason,))]


@pytest.mark.parametrize(
    ("other", "proviso"),
    [
        ({}, ()),
        ({"literals": ["N/A"], "on_invalid": "null"}, ()),
        ({"max_length": 9}, ("at lengths that all of them accept",)),
        (
            {"normalize": ["trim"]},
            ("normalized differently, so writings of one value may not join",),
        ),
    ],
)
def test_columns_of_two_policies_join(other, proviso):
    """What doesn't shape tokens doesn't keep columns apart; provisos are told."""
    found = check_policy(policy(a=DIGITS, c=DIGITS), policy(b={**DIGITS, **other}))
    assert joined(found) == [[(0, "a"), (0, "c"), (1, "b")]]
    assert found.joins[0].provisos == proviso
    assert check_policy(policy(a=DIGITS, c=DIGITS), policy(b=CARD)).joins == ()


def test_tweaks_join_beside_equal_tweaks():
    """Both have one, whatever the column is called."""
    tweaked: dict[str, Any] = {**DIGITS, "tweak": "tenant"}
    found = check_policy(policy("keep", a=tweaked), policy("keep", a={**DIGITS, "tweak": "unit"}))
    assert found.joins[0].provisos == ("beside equal tweaks only",)


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        (CARD, []),
        ({**CARD, "keep": {"last": 4}}, []),
        ({**DIGITS, "min_length": 3, "allow_small_domain": True}, ["small_domain"]),
        ({**DIGITS, "keep": {"first": 6, "last": 4}}, ["keep"]),
        ({**DIGITS, "normalize": ["lower"]}, ["normalize"]),
        (
            {"scheme": "custom", "key": "k", "alphabet": "ABC123", "normalize": ["lower"]},
            ["normalize", "normalize"],
        ),
    ],
)
def test_warnings(column, kinds):
    """Small domains, much that is kept, and lossy steps are warned of; sound columns aren't."""
    found = check(a=column).warnings
    assert [warning.kind for warning in found] == kinds
    assert all(warning.column == "a" and warning.message for warning in found)


def test_thousands_of_columns_are_no_matter():
    """The pairs that are told are bounded."""
    columns: dict[str, Any] = {f"c{n}": {**DIGITS, "domain": f"d{n}"} for n in range(3000)}
    found = check(**columns)
    assert len(found.apart) == 100
    assert len(check_policy(policy(**columns), policy(**columns)).joins) == 3000
