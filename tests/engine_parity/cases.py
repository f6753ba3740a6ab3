"""Schemes to run every engine on, each with a way to draw values that fit."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

GREEK = "αβγδεζηθικλμνξοπρστυφχψω"


@dataclass(frozen=True)
class Case:
    """A scheme, its parameters, and values for it."""

    name: str
    scheme: str
    draw: Callable[[random.Random], str]
    parameters: dict[str, Any] = field(default_factory=dict)


def _text(alphabet: str, shortest: int, longest: int) -> Callable[[random.Random], str]:
    return lambda drawn: "".join(drawn.choices(alphabet, k=drawn.randint(shortest, longest)))


def luhn_card(drawn: random.Random) -> str:
    """Draw a card number whose check digit holds, some with separators."""
    digits = drawn.choices(range(10), k=drawn.randint(11, 18))
    doubled = [2 * digit for digit in digits[::-2]]
    total = sum(digit // 10 + digit % 10 for digit in doubled) + sum(digits[-2::-2])
    text = "".join(map(str, [*digits, -total % 10]))
    separator = drawn.choice(["", "", " ", "-"])
    return separator.join(text[start : start + 4] for start in range(0, len(text), 4))


def _ssn(drawn: random.Random) -> str:
    digits = "".join(drawn.choices(string.digits, k=9))
    return drawn.choice([digits, f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"])


CASES = [
    Case("sixteen-digits", "digits", _text(string.digits, 16, 16)),
    Case("digits", "digits", _text(string.digits, 6, 70)),
    Case("digits-keep", "digits", _text(string.digits, 11, 20), {"keep": {"first": 2, "last": 3}}),
    Case("alphanumeric", "alphanumeric", _text(string.ascii_letters + string.digits, 4, 60)),
    Case("greek", "custom", _text(GREEK, 5, 40), {"alphabet": GREEK}),
    Case("card", "credit-card", luhn_card),
    Case("card-valid", "credit-card", luhn_card, {"check_digit": "valid", "keep": {"last": 4}}),
    Case("ssn", "us-ssn", _ssn),
    Case("text", "text", _text(string.printable + GREEK + "😀", 1, 90)),
]
