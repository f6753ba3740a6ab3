"""What the token contract says of literals, normalization, sealing and integers, in plain Python.

The second half of the reference: what happens to a value before and beside its scheme.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from dataclasses import dataclass

from tests.vectors import reference
from tests.vectors.reference import Parameters, UnfitError

#: Unicode's property White_Space.
WHITE_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)
SEPARATORS = WHITE_SPACE | set("-./_()") | set(map(chr, range(0x2010, 0x2016)))


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What a column's rule says beside its scheme."""

    literals: tuple[str, ...] = ()
    normalize: tuple[str, ...] = ()
    seal: bool = False
    width: int | None = None


def normalized(value: str, steps: tuple[str, ...], alphabet: str | None) -> str:
    """Return a value after the steps, in the contract's order."""
    if "trim" in steps:
        value = value.strip("".join(WHITE_SPACE))
    if "nfc" in steps:
        value = unicodedata.normalize("NFC", value)
    if "lower" in steps:
        value = value.lower()
    if "strip-separators" in steps:
        kept = alphabet or ""
        value = "".join(c for c in value if c not in SEPARATORS or c in kept)
    return unicodedata.normalize("NFC", value) if "nfc" in steps else value


def tokenize(value: str | int, parameters: Parameters, treatment: Treatment) -> str | int:
    """Return a value's token; raise `UnfitError` if it has none."""
    if isinstance(value, int):
        return _number(value, parameters, treatment, encrypt=True)
    if value in treatment.literals:
        return value
    text = normalized(value, treatment.normalize, parameters.alphabet)
    if not text or text in treatment.literals:
        return text
    try:
        token = _text(reference.tokenize(text, parameters))
    except UnfitError:
        if not treatment.seal:
            raise
        return _text(reference.tokenize(value, _sealing(parameters)))
    # Values and tokens are one set unless the check digit tells them apart.
    while token in treatment.literals:
        token = _text(reference.tokenize(token, parameters))
    return token


def detokenize(token: str | int, parameters: Parameters, treatment: Treatment) -> str | int:
    """Return a token's value; raise `UnfitError` if it has none."""
    if isinstance(token, int):
        return _number(token, parameters, treatment, encrypt=False)
    if not token or token in treatment.literals:
        return token
    if treatment.seal:
        try:
            return _text(reference.detokenize(token, _sealing(parameters)))
        except UnfitError:
            pass
    value = _text(reference.detokenize(token, parameters))
    while value in treatment.literals:
        if parameters.check_digit == "invalid":
            raise UnfitError("a literal has no token, and nothing else has this one")
        value = _text(reference.detokenize(value, parameters))
    return value


def _number(number: int, parameters: Parameters, treatment: Treatment, *, encrypt: bool) -> int:
    assert treatment.width is not None
    if 0 <= number < 10**treatment.width:
        call = tokenize if encrypt else detokenize
        return int(call(f"{number:0{treatment.width}}", parameters, treatment))
    if str(number) in treatment.literals:
        return number
    raise UnfitError("the number is out of range")


def _sealing(parameters: Parameters) -> Parameters:
    return dataclasses.replace(parameters, alphabet=None)


def _text(text: str | None) -> str:
    assert text is not None
    return text
