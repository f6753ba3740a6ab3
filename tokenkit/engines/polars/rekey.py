"""Rekeying with a proof, as Polars expressions: both sums are taken by the native module."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from tokenkit import _native
from tokenkit.engines.column import ColumnCall, Side
from tokenkit.engines.polars.plugin import native_expression
from tokenkit.errors import KeyNotLoaded, translated
from tokenkit.keys import KeyVersion

KINDS: Final = ("null", "empty", "literal", "value", "sealed")
"""What a row can hold, in the order in which it's counted."""


class Proof:
    """The proof that a column's values are the same before and after a rekey.

    Expressions add the value of each row to it, bound to the row's number, on the old side or on
    the new. It holds if both sides have the same values in the same rows.

    Parameters
    ----------
    version
        The key version of the new tokens, from which the proof's key is derived.
    domain
        The column's domain.
    run
        The run's id, 32 hexadecimal digits.
    file, column
        What the proof is about.

    Raises
    ------
    KeyNotLoaded
        If the version's bytes are gone.

    Examples
    --------
    >>> from tokenkit.keys import Keyring
    >>> with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    ...     proof = Proof(ring["people"].primary, "us-ssn", "00" * 16, "a.parquet", "ssn")
    ...     proof.holds(), proof.counts("old")["value"]
    (True, 0)
    """

    def __init__(self, version: KeyVersion, domain: str, run: str, file: str, column: str) -> None:
        if version.handle is None:
            raise KeyNotLoaded(
                f'key "{version.name}" version {version.number} (id {version.id}) is not loaded',
                hint="open the keyring again",
            )
        with translated():
            self.native = _native.RekeyProof(
                version.handle, domain, bytes.fromhex(run), file, column
            )

    def holds(self) -> bool:
        """Whether both sides have the same values in the same rows."""
        with translated():
            return self.native.holds()

    def counts(self, side: Side) -> Mapping[str, int]:
        """Count the rows that were added to a side, by what they hold."""
        with translated():
            return dict(zip(KINDS, self.native.counts(side == "new"), strict=True))

    def mac(self, side: Side) -> str:
        """Give the HMAC over a side's sum and counts, in hexadecimal digits."""
        with translated():
            return self.native.mac(side == "new").hex()


def rekeyed(
    column: pl.Expr, call: ColumnCall, proof: Proof, row: pl.Expr, tweak: pl.Expr | None = None
) -> pl.Expr:
    """Make the new tokens of a column, and add its values to the old side of a proof.

    Parameters
    ----------
    column
        The old tokens.
    call
        A call that rekeys.
    proof
        What the values are added to.
    row
        The number of each row, as unsigned 64-bit integers.
    tweak
        The tweak of each value, if the call has a tweak column.
    """
    return _native_call("rekey", column, replace(call, proof=(proof.native, "old")), row, tweak)


def proved(
    column: pl.Expr,
    call: ColumnCall,
    proof: Proof,
    side: Side,
    row: pl.Expr,
    tweak: pl.Expr | None = None,
) -> pl.Expr:
    """Add a column's values to a side of a proof; gives true for each row.

    ``call`` is one that detokenizes; the other parameters are as for :func:`rekeyed`.
    """
    return _native_call("prove", column, replace(call, proof=(proof.native, side)), row, tweak)


def _native_call(
    function: str, column: pl.Expr, call: ColumnCall, row: pl.Expr, tweak: pl.Expr | None
) -> pl.Expr:
    inputs = [column, row] if tweak is None else [column, tweak, row]
    return native_expression(function, inputs, call.specification)
