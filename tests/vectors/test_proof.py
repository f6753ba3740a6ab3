"""The proofs of a rekey and of a job, computed once more from the text of the token contract."""

import polars as pl
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.vectors import reference
from tokenkit import _native, expr
from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.proof import KINDS, Proof, tokens_digested, values_digested
from tokenkit.engines.polars.rekey import proved
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnRule

SECRET = bytes(range(32))
RUN = bytes(range(16)).hex()
VALUES: dict[str, list[str] | list[None]] = {
    "null": [None] * 3,
    "empty": [""] * 2,
    "literal": ["N/A"],
    "value": ["1234567", "0042719365", "4" * 16, "5" * 23, "6" * 24, "7" * 39, "8" * 60],
    "sealed": ["no digits", "é" * 200],
}


def proof_of(
    rows: list[tuple[str, str | None]], file: str, column: str, *, numbered: bool = True
) -> str:
    """Return the stored proof for rows of kind and value, numbered from 0 or not at all."""
    about = bytes.fromhex(RUN)
    for text in (file, column):
        about += len(text.encode()).to_bytes(4, "big") + text.encode()
    parent = reference.subkey(SECRET, reference.REKEY_PROOF, "digits", 32)
    key = HKDF(hashes.SHA256(), 64, salt=None, info=about).derive(parent)
    total = 0
    counts = dict.fromkeys(KINDS, 0)
    for row, (kind, value) in enumerate(rows):
        mac = CMAC(algorithms.AES(key[:32]))
        number = row if numbered else 0
        mac.update(number.to_bytes(8, "big") + bytes([KINDS.index(kind)]) + (value or "").encode())
        total = (total + int.from_bytes(mac.finalize(), "big")) % 2**128
        counts[kind] += 1
    stored = HMAC(key[32:], hashes.SHA256())
    stored.update(total.to_bytes(16, "big"))
    stored.update(b"".join(count.to_bytes(8, "big") for count in counts.values()))
    return stored.finalize().hex()


@pytest.mark.parametrize("kernel", ["auto", "portable"])
def test_a_proof_is_what_the_contract_says(kernel: str) -> None:
    """For values of all kinds and many lengths, on both kernels."""
    rule = ColumnRule.build("digits", key="people", literals=["N/A"], on_invalid="seal")
    rows = [(kind, value) for kind, values in VALUES.items() for value in values] * 50
    previous = _native.select_kernel(kernel)
    try:
        with Keyring.from_secrets({"people": SECRET}) as ring:
            version = ring["people"].primary
            back = ColumnCall(rule=rule, version=version, operation="detokenize")
            proof = Proof(version, "digits", RUN, "å.parquet", "id")
            frame = pl.DataFrame({"id": [value for _, value in rows]}, schema={"id": pl.String})
            tokens = frame.select(
                expr.tokenize(
                    "id", "digits", key="people", keyring=ring, on_invalid="seal", literals=["N/A"]
                )
            )
            number = pl.int_range(pl.len(), dtype=pl.UInt64)
            tokens.select(proved(pl.col("id"), back, proof, "new", number))
            assert proof.mac("new") == proof_of(rows, "å.parquet", "id")
            assert proof.counts("new") == {kind: 50 * len(VALUES[kind]) for kind in KINDS}
    finally:
        _native.select_kernel(previous)


@pytest.mark.parametrize("kernel", ["auto", "portable"])
def test_a_job_s_digest_is_what_the_contract_says(kernel: str) -> None:
    """Taken from the values, and from their tokens in another order, on both kernels."""
    rule = ColumnRule.build("digits", key="people", literals=["N/A"], on_invalid="seal")
    rows = [(kind, value) for kind, values in VALUES.items() for value in values] * 50
    previous = _native.select_kernel(kernel)
    try:
        with Keyring.from_secrets({"people": SECRET}) as ring:
            version = ring["people"].primary
            forth = ColumnCall(rule=rule, version=version, operation="tokenize")
            back = ColumnCall(rule=rule, version=version, operation="detokenize")
            proof = Proof(version, "digits", RUN, "job", "id")
            frame = pl.DataFrame({"id": [value for _, value in rows]}, schema={"id": pl.String})
            outcome = expr.try_tokenize(
                "id", "digits", key="people", keyring=ring, on_invalid="seal", literals=["N/A"]
            )
            fits = outcome.struct.field("reason").is_null()
            frame.select(values_digested(pl.col("id"), forth, proof, fits=fits))
            tokens = frame.select(outcome.struct.field("token").alias("id"))
            backwards = tokens.reverse().with_row_index("row")
            backwards.select(tokens_digested(pl.col("id"), back, proof, row=pl.col("row")))
            told = proof_of(rows, "job", "id", numbered=False)
            assert (proof.mac("old"), proof.mac("new")) == (told, told)
    finally:
        _native.select_kernel(previous)
