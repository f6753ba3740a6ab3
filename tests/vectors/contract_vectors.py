"""The file of the token contract's published vectors: test keys, schemes, cases, JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vectors import reference
from tests.vectors.reference import ALPHANUMERIC, DIGITS, Parameters

PATH = Path(__file__).parent / "contract" / "vectors.json"

#: Test keys, published: version bytes and id.
TEST_KEYS = {
    "counting": (bytes(range(32)), 1),
    "text": (b"tokenkit published test key 0001", 0x01020304),
    "hashed": (hashlib.sha256(b"tokenkit published test key 0002").digest(), 0xFFFFFFFF),
}

PURPOSES = {
    "aes-siv": reference.AES_SIV,
    "ff1": reference.FF1,
    "hmac": reference.HMAC,
    "aes-gcm": reference.AES_GCM,
    "prefix-preserving-ip": reference.PREFIX_PRESERVING_IP,
    "date-shift": reference.DATE_SHIFT,
    "metadata-mac": reference.METADATA_MAC,
    "key-check": reference.KEY_CHECK,
    "rekey-proof": reference.REKEY_PROOF,
    "rejects": reference.REJECTS,
}

#: What a scheme's name stands for; a case's own parameters come on top.
SCHEMES: dict[str, dict[str, Any]] = {
    "digits": {"alphabet": DIGITS},
    "alphanumeric": {"alphabet": ALPHANUMERIC},
    "custom": {},
    "credit-card": {
        "alphabet": DIGITS,
        "separators": " -",
        "min_length": 12,
        "max_length": 19,
        "check_digit": "invalid",
    },
    "us-ssn": {"alphabet": DIGITS, "separators": " -", "min_length": 9, "max_length": 9},
    "text": {},
}


class Draw:
    """Repeatable choices: SHA-256 over a counter, so that no library's generator matters."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def below(self, limit: int) -> int:
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % limit

    def text(self, alphabet: str, length: int) -> str:
        return "".join(alphabet[self.below(len(alphabet))] for _ in range(length))

    def card(self, length: int) -> str:
        """Return a number whose check digit holds."""
        digits = [int(digit) for digit in "4" + self.text(DIGITS, length - 2)] + [0]
        return "".join(map(str, reference.with_luhn_sum(digits, length - 1, 0)))


@dataclass
class Vectors:
    """The cases so far."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        scheme: str,
        value: str,
        *,
        key: str = "counting",
        domain: str | None = None,
        tweak: str | None = None,
        **shape: Any,
    ) -> None:
        """Add a case with the token that the reference gives."""
        case = case_of(scheme, key, domain, tweak, shape)
        token = reference.tokenize(value, parameters_of(case))
        assert token is not None
        self.cases.append({"id": len(self.cases) + 1, **case, "value": value, "token": token})

    def refuse(
        self,
        operation: str,
        scheme: str,
        text: str,
        why: str,
        *,
        key: str = "counting",
        domain: str | None = None,
        tweak: str | None = None,
        **shape: Any,
    ) -> None:
        """Add a value without a token, or a token without a value."""
        case = case_of(scheme, key, domain, tweak, shape)
        call = getattr(reference, operation)
        try:
            call(text, parameters_of(case))
        except reference.UnfitError:
            entry = {"id": len(self.refused) + 1, "operation": operation, **case}
            self.refused.append({**entry, "text": text, "why": why})
            return
        raise AssertionError(f"not refused: {why}")


def case_of(
    scheme: str, key: str, domain: str | None, tweak: str | None, shape: dict[str, Any]
) -> dict[str, Any]:
    """Return a case without its text: defaults written out, the test key's bytes and id."""
    parameters: dict[str, Any] = {}
    if scheme != "text":
        parameters = {
            "separators": "",
            "min_length": 6,
            "max_length": 4096,
            "keep_first": 0,
            "keep_last": 0,
            "check_digit": "none",
            "allow_small_domain": False,
            **SCHEMES[scheme],
            **shape,
        }
    version, key_id = TEST_KEYS[key]
    return {
        "scheme": scheme,
        "parameters": parameters,
        "domain": domain or scheme,
        "key": version.hex(),
        "key_id": key_id,
        "tweak_column": tweak,
    }


def parameters_of(case: dict[str, Any]) -> Parameters:
    """Return the reference's parameters for a case as the file has it."""
    tweak = case["tweak_column"]
    return Parameters(
        key=bytes.fromhex(case["key"]),
        key_id=case["key_id"],
        domain=case["domain"],
        tweak_column=None if tweak is None else tweak.encode(),
        **case["parameters"],
    )


def as_text(vectors: dict[str, Any]) -> str:
    """Return the file's text, with one case a line."""
    members = []
    for name, member in vectors.items():
        if isinstance(member, list):
            lines = ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in member)
            members.append(f"{json.dumps(name)}: [\n{lines}\n]")
        else:
            members.append(f"{json.dumps(name)}: {json.dumps(member)}")
    return "{\n" + ",\n".join(members) + "\n}\n"
