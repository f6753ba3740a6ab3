"""What is known of a batch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from tokenkit.jobs.job import Operation

State: TypeAlias = Literal[
    "uploading", "queued", "running", "complete", "failed", "cancelled", "expired"
]
"""``uploading`` becomes ``queued``, ``running``, and one of the others; ``complete`` expires."""

OPEN: Final[frozenset[State]] = frozenset({"uploading", "queued", "running"})
"""The states of batches that aren't over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What is asked for.

    Attributes
    ----------
    id
        The batch's id.
    owner_id, actor
        Whose it is: the user, and what audit records call whoever asked.
    operation, policy, policy_digest, purpose
        What is to be done, by which policy as it was then, and what for.
    input_suffix, output_suffix
        The formats.
    text_options
        How a text file is written, see :class:`~tokenkit.jobs.TextOptions`.
    sealed_key
        The key of its files, as the keyring has sealed it.
    """

    id: UUID
    owner_id: UUID
    actor: str
    operation: Operation
    policy: str
    policy_digest: str
    purpose: str | None
    input_suffix: str
    output_suffix: str
    text_options: dict[str, Any]
    sealed_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a batch has failed; it holds no value.

    Attributes
    ----------
    code, reason
        The error's code, and its reason if it has one.
    text, hint
        What it says, and what would help.
    """

    code: str
    reason: str | None
    text: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(NewBatch):
    """A batch as it stands.

    Attributes
    ----------
    state
        How far it is.
    size
        Bytes that were uploaded, once all are here.
    is_small
        Whether it may use what is kept for small ones.
    attempt
        How often it was begun.
    cancel_requested
        Whether it is to end before it is done.
    rows_done, rows_expected
        How far it is, and of about how many.
    rows_read, rows_written, rows_rejected, report
        What it did, once it is complete.
    failure
        Why it has failed.
    created, queued, started, ended, expires
        When.
    """

    state: State
    size: int | None
    is_small: bool
    attempt: int
    cancel_requested: bool
    rows_done: int
    rows_expected: int | None
    rows_read: int | None
    rows_written: int | None
    rows_rejected: int | None
    report: dict[str, Any] | None
    failure: Failure | None
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    expires: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it isn't over."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """How long the queue is, and how old.

    Attributes
    ----------
    waiting, small_waiting
        Batches that wait, and how many of them are small.
    running
        Batches that are worked on.
    oldest_seconds
        How long the one has waited that has waited longest.
    """

    waiting: int
    small_waiting: int
    running: int
    oldest_seconds: float
