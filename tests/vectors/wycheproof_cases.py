"""Wycheproof's files, read; where they come from stands in wycheproof/README.md."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "wycheproof"


@dataclass(frozen=True)
class Ff1Case:
    """One case of an FF1 file; text where the group has an alphabet, else numerals."""

    number: int
    radix: int
    alphabet: str | None
    key: bytes
    tweak: bytes
    message: Any
    encrypted: Any
    valid: bool
    flags: frozenset[str]

    @property
    def small(self) -> bool:
        """Whether radix ** length is below the standard's 1,000,000."""
        return "SmallMessageSize" in self.flags


def groups(name: str) -> list[dict[str, Any]]:
    """Read the test groups of a file."""
    read: dict[str, Any] = json.loads(gzip.decompress((FOLDER / name).read_bytes()))
    return list(read["testGroups"])


def ff1_cases(kind: str) -> list[Ff1Case]:
    """Read every case of an FF1 file."""
    return [
        Ff1Case(
            number=case["tcId"],
            radix=group["radix"],
            alphabet=group.get("alphabet"),
            key=bytes.fromhex(case["key"]),
            tweak=bytes.fromhex(case["tweak"]),
            message=case["msg"],
            encrypted=case["ct"],
            valid=case["result"] == "valid",
            flags=frozenset(case["flags"]),
        )
        for group in groups(f"aes_ff1_{kind}_test.json.gz")
        for case in group["tests"]
    ]
