"""The audit chain against its published vectors, and against an implementation in plain Python."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tests.vectors import reference_audit
from tests.vectors.generate_audit_vectors import PATH, vectors
from tokenkit.engines import audit_chain
from tokenkit.engines.audit_chain import RECORD_TYPE, ChainBatch
from tokenkit.keys import Keyring

PUBLISHED = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.fixture(params=PUBLISHED["logs"], ids=lambda log: log["key"][:8])
def log(request):
    return request.param


@pytest.fixture
def version(log):
    with Keyring.from_secrets({"audit": bytes.fromhex(log["key"])}) as ring:
        yield ring["audit"].primary


def moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def arrow(records):
    rows = [
        {**one, "token_hash": bytes.fromhex(one["token_hash"])} if "token_hash" in one else one
        for one in records
    ]
    return pa.array(rows, RECORD_TYPE)


def test_the_published_vectors_are_those_of_the_reference():
    """The file is what the generator makes of the reference implementation."""
    assert json.loads(json.dumps(vectors())) == PUBLISHED


def test_hashes_of_records_are_the_published_ones(log, version):
    """Every field, null, empty and full, in batches of several records."""
    for batch in log["batches"]:
        found = audit_chain.chain(version, bytes.fromhex(batch["id"]), arrow(batch["records"]))
        assert [one.hex() for one in found.to_pylist()] == batch["hashes"]


def test_links_are_the_published_ones(log, version):
    """Each is over the one before, and over all that the batch's row says."""
    previous = audit_chain.FIRST_LINK
    for batch in log["batches"]:
        assert (batch["previous"], batch["key_id"]) == (previous.hex(), version.id)
        chained = ChainBatch(
            number=batch["number"],
            id=bytes.fromhex(batch["id"]),
            written=moment(batch["written"]),
            first_at=moment(batch["first_at"]),
            last_at=moment(batch["last_at"]),
            count=batch["count"],
            last_hash=bytes.fromhex(batch["hashes"][-1]),
        )
        previous = audit_chain.link(version, previous, chained)
        assert previous.hex() == batch["link"]


def test_hashes_of_tokens_are_the_published_ones(log, version):
    """Under a key of their own, by domain."""
    for case in log["token_hashes"]:
        found = audit_chain.token_hash(version, case["domain"], case["token"])
        assert found.hex() == case["hash"]


def test_random_records_have_the_hashes_of_the_reference(version, log):
    """Thousands of records of all shapes, chained in pieces of any size."""
    draw = random.Random(log["key"])
    text = lambda: draw.choice([None, "", "x" * draw.randrange(200), "é\n\U0001f600", "\x01"])  # noqa: E731
    records = [
        {
            "at": draw.randrange(-(2**60), 2**60),
            **{name: text() or "" for name in ("actor", "action", "outcome")},
            **{name: text() for name in ("object", "run", "key", "reason", "detail")},
            **{
                name: draw.choice([None, draw.randrange(-(2**63), 2**63)])
                for name in ("key_id", "count")
            },
            "token_hash": draw.choice([None, draw.randbytes(draw.randrange(40))]),
        }
        for _ in range(3000)
    ]
    expected = reference_audit.hashes(bytes.fromhex(log["key"]), bytes(16), records)
    found: list[bytes] = []
    head = bytes(16)
    array = pa.array(records, RECORD_TYPE)
    while len(found) < len(records):
        piece = array.slice(len(found), draw.randrange(1, 700))
        found += audit_chain.chain(version, head, piece).to_pylist()
        head = found[-1]
    assert found == expected
