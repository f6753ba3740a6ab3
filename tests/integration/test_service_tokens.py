"""Tokenize and detokenize over HTTP: tokens, errors per value, and what the audit log has of it."""

from __future__ import annotations

import polars as pl
import pytest

import tokenkit as tk

CARDS = ["4539578763621486", None, "", "6011000990139424"]
TOKENIZE = ("allow", "tokenize", "*")
DETOKENIZE = ("allow", "detokenize", "*")


@pytest.fixture
def key(service):
    """Give an API key that may do everything with tokens."""
    return service.caller(TOKENIZE, DETOKENIZE)


def test_a_value_goes_there_and_back(service, key):
    """One value of a policy's column becomes a token, and the token that value again."""
    made = service.post(
        "/v1/tokenize", {"policy": "orders", "column": "card", "value": CARDS[0]}, key
    )
    assert made.status_code == 200, made.text
    assert made.json()["token"].endswith("1486")
    assert made.json()["token"] != CARDS[0]
    body = {"policy": "orders", "column": "card", "value": made.json()["token"]}
    back = service.post("/v1/detokenize", body, key)
    assert back.json() == {"value": CARDS[0], "key": "payments", "version": 1}
    assert back.headers["cache-control"] == "no-store"


def test_a_list_keeps_its_order_and_says_what_does_not_fit(service, key):
    """Tokens stand in the order of the values; null in the place of one that doesn't fit."""
    values = [*CARDS, "4539578763621487", "12"]
    made = service.post(
        "/v1/tokenize", {"policy": "orders", "column": "card", "values": values}, key
    )
    answer = made.json()
    ring = service.keyring
    column = pl.Series(CARDS)
    expected = tk.tokenize(column, "credit-card", key="payments", keyring=ring, keep={"last": 4})
    assert answer["tokens"] == [*expected.to_list(), None, None]
    assert answer["errors"] == [
        {"index": 4, "reason": "check_digit"},
        {"index": 5, "reason": "too_short"},
    ]


def test_each_call_is_in_the_audit_log_before_its_answer(service, key):
    """A single value is named by the keyed hash of its token, a list by its length."""
    one = {"policy": "orders", "column": "card", "value": CARDS[0]}
    token = service.post("/v1/tokenize", one, key).json()["token"]
    service.post("/v1/tokenize", {"policy": "orders", "column": "card", "values": CARDS}, key)
    single, many = service.audited("tokenize")
    assert single["actor"].startswith("caller1 api-key:")
    assert single["object"] == ("policy:orders column:orders/card key:payments domain:credit-card")
    assert single["token_hash"] == service.state.audit.token_hash("credit-card", token)
    assert (many["count"], many["token_hash"], many["outcome"]) == (4, None, "complete")


def test_a_value_that_does_not_fit_is_a_problem(service, key):
    """A single value that doesn't fit is a problem with the reason, and is in the log as failed."""
    bad = {"policy": "orders", "column": "card", "value": "4539578763621487"}
    answer = service.post("/v1/tokenize", bad, key)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == "check_digit"
    assert "4539578763621487" not in answer.text
    assert [(row["outcome"], row["reason"]) for row in service.audited("tokenize")] == [
        ("failed", "check_digit")
    ]


def test_nobody_gets_in_without_a_key(service):
    """Without a key, and with one that is none, the answer is 401."""
    body = {"policy": "orders", "column": "card", "value": CARDS[0]}
    for headers in ({}, {"authorization": "Bearer tkk_x"}, {"authorization": "Basic eA=="}):
        answer = service.post("/v1/tokenize", body, **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_refusal_is_in_the_audit_log(service):
    """Who has no right gets 403, and the log says who was refused what."""
    key = service.caller(("allow", "tokenize", "key:people"))
    answer = service.post(
        "/v1/tokenize", {"policy": "orders", "column": "card", "value": CARDS[0]}, key
    )
    assert (answer.status_code, answer.json()["reason"]) == (403, "not_granted")
    (row,) = service.audited("tokenize")
    assert (row["outcome"], row["reason"]) == ("refused", "not_granted")
    assert row["object"] == "policy:orders column:orders/card"


def test_health(service):
    """The service says that it lives and can answer, to everybody."""
    assert service.client.get("/health/live").json() == {"status": "ok"}
    assert service.client.get("/health/ready").json() == {"status": "ok"}
