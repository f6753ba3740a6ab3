"""The run record: the facts of one run of a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from tokenkit.lineage.datasets import Dataset, DatasetUse

Action: TypeAlias = Literal["tokenize", "detokenize", "rekey", "keep", "seal"]
"""What became of a column; ``seal`` is the way of rejected rows, into their own file."""

Status: TypeAlias = Literal["running", "publishing", "complete", "failed"]
"""Begun; recorded, while its outputs get their names; ended; given up, with nothing written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCounts:
    """What became of the values of one column.

    Attributes
    ----------
    done
        How many were turned.
    null, empty, literal
        How many stayed what they were, and why.
    sealed
        How many of those that didn't fit became sealed tokens.
    invalid
        How many didn't fit, by reason code; the sealed ones are among them.
    """

    done: int
    null: int
    empty: int
    literal: int = 0
    sealed: int = 0
    invalid: Mapping[str, int] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Give the counts by name, as JSON has them.

        Examples
        --------
        >>> ColumnCounts(done=3, null=1, empty=0).to_mapping()["done"]
        3
        """
        return {
            "done": self.done,
            "null": self.null,
            "empty": self.empty,
            "literal": self.literal,
            "sealed": self.sealed,
            "invalid": dict(self.invalid),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEdge:
    """The way of one column's values: from an input column to an output column.

    Attributes
    ----------
    input, input_column
        Where they come from.
    output, output_column
        Where they went.
    action
        What became of them.
    scheme, key, domain
        How they were turned; None if they stay as they are.
    key_version, key_id
        The number and id of the key version of the tokens: the new one's, of a rekey.
    counts
        What became of them; None if they stay as they are.
    """

    input: Dataset
    input_column: str
    output: Dataset
    output_column: str
    action: Action
    scheme: str | None = None
    key: str | None = None
    key_version: int | None = None
    key_id: int | None = None
    domain: str | None = None
    counts: ColumnCounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The facts of one run; no value, token or key byte is among them.

    Attributes
    ----------
    id
        Of this run alone.
    job_run
        The id that the job's outputs name (32 hexadecimal digits): the same for the same job over
        unchanged inputs.
    operation
        ``tokenize``, ``detokenize`` or ``rekey``.
    status
        How far it is.
    started, ended
        In UTC; no end while it is under way.
    actor
        Who started it.
    tokenkit_version
        The version of this package.
    policy_digest, policy
        The policy's digest, and the policy itself as JSON text, so that the run can be explained
        later; None if there was none.
    inputs, outputs
        What it read and wrote.
    columns
        The way of each column.
    rows_read, rows_written, rows_rejected
        Read = written + rejected, once it has ended.
    rejects
        Where the rejected rows are, if there are any.
    error_code
        The code of the error that ended it, such as ``TK301``.
    proofs
        Of a rekey: the proof of each file's columns (``file`` to ``column`` to hexadecimal digits).
        Of a job that is proved: the keyed digest of what it read of each column that it tokenized;
        ``job`` stands for the file, since one digest is about all of them.
    """

    id: UUID
    job_run: str
    operation: str
    status: Status
    started: datetime
    ended: datetime | None = None
    actor: str
    tokenkit_version: str
    policy_digest: str | None = None
    policy: str | None = None
    inputs: tuple[DatasetUse, ...] = ()
    outputs: tuple[DatasetUse, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()
    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    rejects: str | None = None
    error_code: str | None = None
    proofs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
