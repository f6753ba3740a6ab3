"""What a rekey did, in numbers, and its proofs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

from tokenkit.engines.polars.proof import Proof
from tokenkit.keys import KeyVersion

FileStatus: TypeAlias = Literal["done", "skipped"]
"""Rekeyed, or passed over because it had been already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyedColumn:
    """What became of one column.

    Attributes
    ----------
    key
        The key's name.
    old, new
        The numbers of the versions.
    null, empty, literal, value, sealed
        How many rows hold what.
    proof
        The proof: an HMAC over the sum of the rows' MACs and these counts, in hexadecimal digits.
    """

    key: str
    old: int
    new: int
    null: int
    empty: int
    literal: int
    value: int
    sealed: int
    proof: str

    @classmethod
    def of(cls, old: KeyVersion, new: KeyVersion, proof: Proof) -> Self:
        """Describe a column whose proof holds."""
        return cls(
            key=new.name,
            old=old.number,
            new=new.number,
            proof=proof.mac("new"),
            **proof.counts("new"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyedFile:
    """What became of one file.

    Attributes
    ----------
    file
        The way to it from the target, with the values of partitions masked.
    status
        ``done``, or ``skipped`` when it was of the new version already.
    run
        The id of its run, to which proofs and metadata are bound.
    rows
        How many rows it has; 0 if it was skipped.
    columns
        What became of each column of tokens that was of another version.
    """

    file: str
    status: FileStatus
    run: str
    rows: int
    columns: Mapping[str, RekeyedColumn]


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyReport:
    """What a rekey did.

    Attributes
    ----------
    source, target
        What was read and written; no target if files were replaced.
    files
        What became of each.
    seconds
        From start to end.
    """

    source: str
    target: str | None
    files: tuple[RekeyedFile, ...]
    seconds: float

    @property
    def rows(self) -> int:
        """How many rows were rekeyed."""
        return sum(file.rows for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain values, for JSON: the record that ``--record`` reads."""
        return {"operation": "rekey", **asdict(self)}
