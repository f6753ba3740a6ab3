"""The audit chain's native part: what it refuses, and what it leaves behind."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.vectors import reference_audit
from tokenkit import _native
from tokenkit.engines import audit_chain
from tokenkit.engines.audit_chain import FIRST_LINK, RECORD_TYPE, ChainVerifier
from tokenkit.errors import (
    KeyNotLoaded,
    KeyringClosed,
    NativeDefect,
    SpecificationError,
    UnsupportedType,
)
from tokenkit.keys import Keyring

RECORD = {"at": 5, "actor": "ada", "action": "rekey", "outcome": "complete"}


@pytest.fixture
def ring():
    with Keyring.from_secrets({"audit": bytes(range(32))}) as opened:
        yield opened


@pytest.fixture
def handle(ring):
    return ring["audit"].primary.handle


def records(*rows):
    return pa.array(rows or [RECORD], RECORD_TYPE)


@pytest.mark.parametrize(
    "given",
    [
        pa.array([1]),
        pa.array([{"at": 1}]),
        pa.array([None], RECORD_TYPE),
        pa.array([RECORD], pa.struct([*RECORD_TYPE][::-1])),
        pa.array([RECORD], pa.struct([pa.field("at", pa.int64()), *[*RECORD_TYPE][1:]])),
        pa.array(
            [RECORD | {"actor": None}], pa.struct([f.with_nullable(True) for f in RECORD_TYPE])
        ),
    ],
    ids=["numbers", "too few", "null", "another order", "another type", "no actor"],
)
def test_records_of_another_form_are_refused(handle, given):
    """Whatever the array says of itself."""
    with pytest.raises(UnsupportedType):
        _native.audit_chain(handle, bytes(32), given)
    with pytest.raises(UnsupportedType):
        _native.audit_copy(1, 1, given, pa.array([bytes(32)], pa.large_binary()))


def test_hashes_fit_their_records(handle):
    """As many, and none of them null."""
    for hashes in ([], [None], [b"", b""]):
        with pytest.raises(UnsupportedType):
            _native.audit_copy(1, 1, records(), pa.array(hashes, pa.large_binary()))
    with pytest.raises(UnsupportedType):
        _native.audit_copy(1, 1, records(), pa.array([bytes(32)], pa.binary()))


def test_parts_have_their_lengths(handle):
    """A head, an id, a link or a domain of another form is an error."""
    with pytest.raises(SpecificationError):
        _native.audit_chain(handle, bytes(31), records())
    for previous, identity, last in ((31, 16, 32), (32, 17, 32), (32, 16, 0)):
        with pytest.raises(SpecificationError):
            _native.audit_link(
                handle, "audit", bytes(previous), 1, bytes(identity), (0, 0, 0), 1, bytes(last)
            )
    with pytest.raises(SpecificationError):
        _native.audit_token_hash(handle, "", b"token")


def test_a_key_that_is_gone_authenticates_nothing(ring):
    """Neither after its keyring was closed nor once it was destroyed."""
    version = ring["audit"].primary
    ring.rotate("audit")
    destroyed = ring.destroy("audit", 1)
    with pytest.raises(KeyNotLoaded):
        audit_chain.chain(destroyed, FIRST_LINK, records())
    ring.close()
    with pytest.raises(KeyringClosed):
        audit_chain.chain(version, FIRST_LINK, records())


def test_a_slice_has_the_hashes_of_its_rows(ring):
    """Arrow arrays with an offset, and empty ones."""
    version = ring["audit"].primary
    rows = [RECORD | {"count": n, "detail": "x" * n} for n in range(10)]
    found = audit_chain.chain(version, bytes(16), records(*rows).slice(3, 4)).to_pylist()
    assert found == reference_audit.hashes(bytes(range(32)), bytes(16), rows[3:7])
    assert len(audit_chain.chain(version, bytes(16), records().slice(1))) == 0


@pytest.mark.parametrize("cut", range(3, 60, 7))
def test_a_broken_copy_is_an_error(cut):
    """Whatever is missing; neither a panic nor a verdict."""
    content = audit_chain.copy_rows(1, 1, records(), pa.array([bytes(32)], pa.large_binary()))
    verifier = ChainVerifier([])
    with pytest.raises(NativeDefect):
        verifier.records(content[:19] + content[19:-cut])
    with pytest.raises(NativeDefect):
        verifier.batches(content)


def test_rows_of_any_shape_are_faults_and_no_errors(ring):
    """Tuples of SQLite's may be short, long, or of any types."""
    for row in (
        (),
        (1,),
        (1, 1, *[None] * 13),
        ("1",) * 15,
        (1.5, b"", *[object()] * 13),
        (2**70,) * 15,
    ):
        verifier = ChainVerifier([ring["audit"].primary])
        assert not verifier.records([row])
        assert verifier.fault is not None
        assert verifier.fault.kind == "added"
        verifier = ChainVerifier([ring["audit"].primary])
        verifier.batches([row])
        assert not verifier.settle()
    assert not ChainVerifier([]).finish(None)
    assert not ChainVerifier([]).finish((0, b"short"))
