"""Writes the published vectors of the audit chain, from the reference implementation.

Run from the repository's root, after a change of the contract and only then:

    python -m tests.vectors.generate_audit_vectors
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.vectors import reference, reference_audit
from tests.vectors.contract_vectors import TEST_KEYS

PATH = Path(__file__).parent / "contract" / "audit.json"
_START = 1_798_761_600_000_000
_LONG = "ä" * 300


def records() -> list[list[dict[str, Any]]]:
    """Make up records: every field null, empty and full; times before 1970; odd texts."""
    plain = {"at": _START, "actor": "ada@host", "action": "tokenize", "outcome": "complete"}
    empty = dict.fromkeys(("actor", "action", "outcome", "object", "run", "key", "reason"), "")
    full = {
        "object": "file:///data/customers.parquet",
        "run": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "key": "payments",
        "key_id": 4_294_967_295,
        "count": 1_000_000,
        "reason": "TK301",
        "token_hash": bytes(range(32)).hex(),
        "detail": '{"digest":"00"}',
    }
    return [
        [plain],
        [{**plain, **full}, plain, {**empty, "at": -1, "token_hash": "", "detail": ""}],
        [
            {**plain, "at": 0, "count": 0, "key_id": 0},
            {**plain, "at": -(2**55), "count": -1},
            {**plain, "actor": "顧客\n\t", "object": _LONG, "detail": "\x7f"},
            {**plain, **full},
        ],
    ]


def vectors() -> dict[str, Any]:
    """Make the content of the file."""
    found: list[dict[str, Any]] = []
    for name, (version, _) in TEST_KEYS.items():
        # As the keyring of bare bytes names it.
        key_id = int.from_bytes(reference.check_value(version)[:4])
        previous = reference_audit.FIRST_LINK
        batches = []
        for number, batch in enumerate(records(), 1):
            identity = hashlib.sha256(f"{name} {number}".encode()).digest()[:16]
            decoded = [
                {**one, "token_hash": bytes.fromhex(one["token_hash"])}
                if "token_hash" in one
                else one
                for one in batch
            ]
            hashes = reference_audit.hashes(version, identity, decoded)
            times = [one["at"] for one in batch]
            facts: dict[str, Any] = {
                "number": number,
                "written": _START + number,
                "first_at": min(times),
                "last_at": max(times),
                "count": len(batch),
                "key": "audit",
                "key_id": key_id,
            }
            link = reference_audit.link(
                version, previous, identity=identity, last_hash=hashes[-1], **facts
            )
            batches.append(
                {
                    **facts,
                    "id": identity.hex(),
                    "previous": previous.hex(),
                    "records": batch,
                    "hashes": [one.hex() for one in hashes],
                    "link": link.hex(),
                }
            )
            previous = link
        tokens = [
            {
                "domain": domain,
                "token": token,
                "hash": reference_audit.token_hash(version, domain, token).hex(),
            }
            for domain in ("digits", "payments")
            for token in ("", "4111111111111111", "顧客")
        ]
        found.append(
            {
                "key": version.hex(),
                "check_value": reference.check_value(version).hex(),
                "chain_key": reference_audit.chain_key(version).hex(),
                "batches": batches,
                "token_hashes": tokens,
            }
        )
    return {
        "contract": "tokenkit/1",
        "warning": "The keys are published test keys. They protect nothing.",
        "logs": found,
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
