"""Proofs that no value was lost or left in clear: their sums are taken by the native module."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from tokenkit import _native
from tokenkit.engines.column import ColumnCall, Side
from tokenkit.engines.polars.plugin import native_expression
from tokenkit.errors import translated
from tokenkit.keys import KeyVersion

KINDS: Final = ("null", "empty", "literal", "value", "sealed")
"""What a row can hold, in the order in which it's counted."""


class Proof:
    """The proof that a column's values are the same before and after a rekey, or a job.

    Expressions add the value of each row to it, on the old side or on the new. It holds if both
    sides have the same values: those of a rekey in the same rows, those of a digest in any order.

    Parameters
    ----------
    version
        The key version of the (new) tokens, from which the proof's key is derived.
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
        with translated():
            self.native = _native.RekeyProof(
                version.loaded(), domain, bytes.fromhex(run), file, column
            )

    def holds(self) -> bool:
        """Whether both sides have the same values."""
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


def values_digested(
    values: pl.Expr,
    call: ColumnCall,
    proof: Proof,
    *,
    fits: pl.Expr,
    rejected: pl.Expr | None = None,
    by_row: bool = False,
) -> pl.Expr:
    """Add what a job reads to the old side of a proof, as detokenizing is to give it back.

    Parameters
    ----------
    values
        The values, as they are handed to the call.
    call
        The call that tokenizes them.
    proof
        What they are added to, in any order.
    fits
        Whether each value fits its scheme, or is null; the policy says what the others became. One
        for each row: a function of constants alone is called but once.
    rejected
        Whether each row is set aside, and so not to be added.
    by_row
        Give the mark of each row's value, and add nothing.

    Returns
    -------
    polars.Expr
        Whether each row was added; or its mark, 64 bits of a keyed digest, null if it wouldn't be.
    """
    given = replace(call, proof=(proof.native, "old"), by_row=by_row)
    inputs = [values, fits] if rejected is None else [values, fits, rejected]
    return native_expression("digest", inputs, given.specification)


def tokens_digested(
    tokens: pl.Expr,
    call: ColumnCall,
    proof: Proof,
    *,
    row: pl.Expr,
    tweak: pl.Expr | None = None,
    by_row: bool = False,
) -> pl.Expr:
    """Add what tokens stand for to the new side of a proof.

    What is no token is not added, and neither an error.

    Parameters
    ----------
    tokens
        The tokens.
    call
        A call that detokenizes them.
    proof, by_row
        As for :func:`values_digested`, and so is what is given.
    row
        Any numbers, one for each row: a function of constants alone is called but once.
    tweak
        The tweak of each value, if the call has a tweak column.
    """
    given = replace(call, proof=(proof.native, "new"), by_row=by_row)
    inputs = [tokens, row] if tweak is None else [tokens, tweak, row]
    return native_expression("digest", inputs, given.specification)
