"""The work on one batch, in whatever process it is done."""

import _thread
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

from sqlalchemy import Connection

from tokenkit.access.tables.changes import utc_now
from tokenkit.batches.batch import Batch, Failure
from tokenkit.batches.figures import Total, totals_of
from tokenkit.batches.queue import Batches
from tokenkit.batches.storage import BatchStorage, open_batch_key
from tokenkit.errors import BatchLost, PolicyReplaced, StoreError, TokenkitError
from tokenkit.errors.places import place_of
from tokenkit.jobs import Job, Report, TextOptions
from tokenkit.jobs import run as run_job
from tokenkit.keys import Keyring
from tokenkit.lineage import AuditRecord
from tokenkit.policy import Policy
from tokenkit.store.audit import AuditLog, audit_key
from tokenkit.store.database import Database

SIGN_SECONDS: Final = 0.5
"""How often a worker gives a sign of life, and looks whether it is to end."""
_UNFORESEEN: Final = "unforeseen"
_LOG = logging.getLogger("tokenkit.batches")


Outcome: TypeAlias = Literal["complete", "failed", "cancelled", "lost"]
Around: TypeAlias = Callable[[Batch], AbstractContextManager[Callable[[Outcome], object]]]
"""What is around the work on a batch: it gives what is told how it ended."""


@contextmanager
def untold(batch: Batch) -> Iterator[Callable[[Outcome], object]]:
    """Have nobody told how a batch ended."""
    del batch
    yield lambda _: None


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the work on batches needs.

    Attributes
    ----------
    database
        The store's database.
    batches
        The batches in it.
    storage
        Their files.
    keyring
        The keys.
    policy
        Reads a policy by its name, as it is now; None if there is none.
    around
        What is around the work on each batch, such as the span of a trace.
    """

    database: Database
    batches: Batches
    storage: BatchStorage
    keyring: Keyring
    policy: Callable[[str], Policy | None]
    around: Around = untold

    @property
    def is_current(self) -> bool:
        """Whether the keyring's file is as it was read."""
        return self.keyring.path is None or self.keyring.is_current()


def run_batch(workshop: Workshop, batch: Batch) -> Outcome:
    """Do a batch that was claimed, and say how it ended: in its state and in the audit log.

    Parameters
    ----------
    workshop
        What the work needs.
    batch
        The batch, as :meth:`~tokenkit.batches.queue.Batches.claim` gave it.

    Returns
    -------
    Outcome
        ``lost`` if another worker has taken it over meanwhile.

    Raises
    ------
    StoreError
        If the store can't be reached; the batch will be given back to the queue.
    BatchLost
        If it was taken over at its very end.
    """
    with workshop.around(batch) as tell:
        _LOG.info("a batch begins", extra={"batch_id": batch.id})
        outcome = _run(workshop, batch)
        _LOG.info("a batch is %s", outcome, extra={"batch_id": batch.id})
        tell(outcome)
    return outcome


def _run(workshop: Workshop, batch: Batch) -> Outcome:
    signs = _Signs(workshop.batches, batch)
    try:
        with signs:
            report, totals = _done(workshop, batch, signs)
    except KeyboardInterrupt:
        if signs.lost:
            return "lost"
        if not signs.cancelled:
            raise
        _end(workshop, batch, None)
        return "cancelled"
    except (BatchLost, StoreError):
        # It is somebody else's now, or given back when its lease is over.
        raise
    except TokenkitError as error:
        _end(workshop, batch, failure_of(error))
        return "failed"
    except Exception as exc:  # noqa: BLE001 - whatever it is, its text may quote values
        _LOG.error(
            "an unforeseen %s%s ended a batch",
            type(exc).__name__,
            place_of(exc),
            extra={"batch_id": batch.id},
        )
        _end(
            workshop,
            batch,
            Failure(
                code=TokenkitError.code,
                reason=_UNFORESEEN,
                text="an unforeseen error ended the batch",
                hint="see the service's log",
            ),
        )
        return "failed"
    _complete(workshop, batch, report, totals)
    return "complete"


def failure_of(error: TokenkitError) -> Failure:
    """Say why a batch has failed."""
    return Failure(code=error.code, reason=error.reason, text=error.message, hint=error.hint)


def _done(workshop: Workshop, batch: Batch, signs: "_Signs") -> tuple[Report, dict[Total, int]]:
    policy = workshop.policy(batch.policy)
    if policy is None or policy.digest != batch.policy_digest:
        raise PolicyReplaced(
            "the policy has changed since the upload", hint="upload the file again"
        )
    assert batch.sealed_key is not None  # noqa: S101 - it goes when the batch is over
    key = open_batch_key(workshop.keyring, batch.id, batch.sealed_key)
    storage = workshop.storage
    job = Job(
        operation=batch.operation,
        source=storage.source(batch.id, key, batch.input_suffix),
        target=storage.target(batch.id, batch.attempt, key, batch.output_suffix),
        rejects=storage.rejects(batch.id, batch.attempt),
        policy=policy,
        keyring=workshop.keyring,
        text=TextOptions(**batch.text_options),
    )
    report = run_job(job, signs)
    return report, totals_of(report, policy)


def _complete(
    workshop: Workshop, batch: Batch, report: Report, totals: Mapping[Total, int]
) -> None:
    with workshop.database.begin() as connection:
        workshop.batches.complete(connection, batch.id, batch.attempt, report.to_json(), totals)
        _audit(workshop, connection, batch, "complete", count=report.rows_read)
    workshop.storage.remove_upload(batch.id)


def _end(workshop: Workshop, batch: Batch, failure: Failure | None) -> None:
    with workshop.database.begin() as connection:
        if failure is None:
            workshop.batches.cancelled(connection, batch.id, batch.attempt)
            _audit(workshop, connection, batch, "failed", reason="cancelled")
        else:
            workshop.batches.fail(connection, batch.id, batch.attempt, failure)
            _audit(workshop, connection, batch, "failed", reason=failure.reason or failure.code)
    workshop.storage.remove(batch.id)


def _audit(
    workshop: Workshop, connection: Connection, batch: Batch, outcome: str, **more: Any
) -> None:
    record = AuditRecord(
        at=utc_now(),
        actor=batch.actor,
        action=f"batch.{batch.operation}",
        outcome=outcome,
        object=f"batch:{batch.id}",
        **more,
    )
    AuditLog(workshop.database).append(connection, [record], audit_key(workshop.keyring))


class _Signs:
    """Gives signs of life while a batch is worked on, and ends the work when it is to end."""

    def __init__(self, batches: Batches, batch: Batch) -> None:
        self._batches = batches
        self._batch = batch
        self._done = 0
        self._expected: int | None = None
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._over = False
        self.cancelled = self.lost = False
        self._thread = threading.Thread(target=self._sign, name="tokenkit-signs", daemon=True)

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Hear how many rows there are."""
        del exact
        self._expected = rows

    def advance(self, rows: int) -> None:
        """Hear how many have gone through."""
        self._done = rows

    def finish(self) -> None:
        """Do nothing: the batch's state says it."""

    def _sign(self) -> None:
        while not self._ending.wait(SIGN_SECONDS):
            try:
                go_on = self._batches.note(
                    self._batch.id, self._batch.attempt, self._done, self._expected
                )
            except BatchLost:
                self.lost = True
                go_on = False
            except StoreError:
                # The lease runs on; if the store stays away, the batch is given back.
                continue
            if not go_on:
                self.cancelled = not self.lost
                with self._lock:
                    if not self._over:
                        _thread.interrupt_main()
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # From here on nobody is interrupted: what is done is done.
        with self._lock:
            self._over = True
        self._ending.set()
        self._thread.join()
