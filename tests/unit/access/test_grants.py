"""Grants, scopes and patterns of resources: how they are read, and what is refused."""

import re
import time

import pytest

from tokenkit.access.grants import Grant, Scope, parse_scopes
from tokenkit.access.names import (
    checked_label,
    checked_purpose,
    checked_role_name,
    checked_user_name,
)
from tokenkit.access.resources import NOTHING, Resource, ResourcePattern
from tokenkit.errors import InvalidAccess


@pytest.mark.parametrize(
    ("effect", "action", "resource", "purposes", "reason"),
    [
        ("permit", "tokenize", "*", None, "effect"),
        ("allow", "tokenise", "*", None, "action"),
        ("allow", "keys", "*", None, "action"),
        ("deny", "key.*", "*", None, "action"),
        ("masked", "tokenize", "*", None, "masked"),
        ("masked", "*", "*", None, "masked"),
        ("deny", "detokenize", "*", ["fraud"], "purpose"),
        ("allow", "detokenize", "*", ["Two Words"], "purpose"),
        ("allow", "detokenize", "payments", None, "kind"),
        ("allow", "detokenize", "keys:payments", None, "kind"),
        ("allow", "detokenize", "key:", None, "name"),
        ("allow", "detokenize", "key:" + "a" * 257, None, "name"),
        ("allow", "detokenize", "key:*a*a*a*a*", None, "name"),
        ("allow", "detokenize", "column:card", None, "column"),
        ("allow", "detokenize", "column:/card", None, "column"),
    ],
)
def test_a_grant_that_cannot_be_meant_is_refused(effect, action, resource, purposes, reason):
    """A misspelt denial would deny nothing, and nobody would notice."""
    with pytest.raises(InvalidAccess) as caught:
        Grant.build(effect, action, resource, purposes=purposes)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("*", NOTHING, True),
        ("key:*", NOTHING, False),
        ("key:*", Resource(key="payments"), True),
        ("key:pay*", Resource(key="payments"), True),
        ("key:pay*", Resource(key="repay"), False),
        ("key:*pay", Resource(key="repay"), True),
        ("key:pay", Resource(key="payments"), False),
        ("key:payments", Resource(domain="payments"), False),
        ("key:a.c", Resource(key="abc"), False),
        ("key:[ab]", Resource(key="a"), False),
        ("key:?", Resource(key="a"), False),
        ("column:orders/card", Resource("orders", "card"), True),
        ("column:orders/*", Resource("orders", "card"), True),
        ("column:orders/*", Resource("orders", "a/b"), True),
        ("column:or*/card", Resource("orders", "card"), True),
        ("column:*/card", Resource("orders", "card"), True),
        ("column:*/card", Resource("orders", "x/card"), False),
        ("column:orders/card", Resource("orders/card", None), False),
        ("policy:*", Resource("orders\nx"), True),
        ("user:ann", Resource(user="ann"), True),
        ("api-key:*", Resource(api_key="1"), True),
    ],
)
def test_patterns(pattern, resource, matches):
    """Only the star is special, and it doesn't reach from a policy's name into a column's."""
    if resource.policy is not None and "/" in resource.policy:
        with pytest.raises(InvalidAccess):
            ResourcePattern.parse(pattern).matches(resource)
    else:
        assert ResourcePattern.parse(pattern).matches(resource) is matches


def test_patterns_with_most_wildcards_stay_quick():
    """The number of wildcards is bounded, since each multiplies the time that a misfit takes."""
    expression = ResourcePattern.parse("key:*a*a*a*c").expression()
    started = time.perf_counter()
    assert re.fullmatch(expression, "a" * 200 + "b") is None
    assert time.perf_counter() - started < 5


def test_scopes_are_read_and_written():
    """What is stored is what is read again; a key without a scope isn't made."""
    for text in ("tokenize", "keys.*", "detokenize@column:orders/card"):
        assert str(Scope.parse(text)) == text
    for wrong in ([], ["tokenize@"], ["@key:a"], ["tokenize@key"], ["all"]):
        with pytest.raises(InvalidAccess):
            parse_scopes(wrong)


@pytest.mark.parametrize(
    "name", ["", "-ann", "ann miller", "änn", "аnn", "a" * 129, "ann\n", "a/b"]
)
def test_user_names_that_could_mislead_are_refused(name):
    """Letters of other alphabets look like Latin ones."""
    with pytest.raises(InvalidAccess):
        checked_user_name(name.replace("\n", "\nx"))


def test_names_have_one_form():
    """Users are found whatever the case; roles, purposes and labels are as they are."""
    assert checked_user_name(" Ann@Example.ORG ") == "ann@example.org"
    assert checked_role_name("key-officer") == checked_purpose("key-officer") == "key-officer"
    assert checked_label("Billing 2") == "Billing 2"
    for check in (checked_role_name, checked_purpose):
        with pytest.raises(InvalidAccess):
            check("Key Officer")
    with pytest.raises(InvalidAccess):
        checked_label("a\x1b[31m")
