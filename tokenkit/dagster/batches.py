"""The service's batches as runs: a job that does one, and what it needs.

The service launches a run for each batch that waits. The run takes its batch, or finds that there
is nothing to do: somebody else has it, or it is over. Of the batch Dagster sees the id and counts.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import dagster as dg

from tokenkit.batches.batch import Batch
from tokenkit.batches.executors.dagster import BATCH_JOB, BATCH_OP
from tokenkit.batches.running import Workshop, run_batch
from tokenkit.dagster.failures import Attempt, failing
from tokenkit.errors import BatchLost, InvalidRequest
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.workshops import service_workshop

BATCHES: Final = "batches"
"""The resource that the job takes its batches from."""


class BatchesResource(dg.ConfigurableResource[Any]):
    """The batches of the service: its store, their files, its policies and its keyring.

    What isn't given is what the environment says, by the same variables as the service's:
    ``TOKENKIT_DATABASE_URL``, ``TOKENKIT_SERVICE_BATCHES``, ``TOKENKIT_POLICIES``,
    ``TOKENKIT_KEYRING``, ``TOKENKIT_KEK``, ...

    Attributes
    ----------
    database_url
        An SQLAlchemy URL. Dagster shows what stands there: give ``dg.EnvVar("NAME")``, of which it
        shows the name alone.
    place
        Where files of batches lie: a folder, or a prefix such as ``s3://bucket/batches/``.
    policies
        The folder of policies.

    Examples
    --------
    >>> BatchesResource(place="s3://bucket/batches/").place
    's3://bucket/batches/'
    """

    database_url: str | None = None
    place: str | None = None
    policies: str | None = None

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Workshop]:
        """Open what the work on a batch needs.

        Raises
        ------
        StoreError, KeyringError, JobError, InvalidRequest
            If one of them can't be opened, or a setting not be read.
        """
        settings = ServiceSettings.from_environment(
            database_url=self.database_url,
            batches=self.place,
            policies=None if self.policies is None else Path(self.policies),
        )
        with service_workshop(settings) as opened:
            yield opened


class BatchConfig(dg.Config):
    """Which batch is done.

    Attributes
    ----------
    batch
        Its id.
    """

    batch: str


def batch_definitions(*, pool: str | None = None) -> dg.Definitions:
    """Make the job that does one batch, and the resource that it needs.

    Parameters
    ----------
    pool
        The pool whose limit holds for batches that are done at once; None for the run queue's
        limits alone.

    Examples
    --------
    >>> batch_definitions().resolve_job_def("tokenkit_batch").name
    'tokenkit_batch'
    """
    return dg.Definitions(jobs=[batch_job(pool=pool)], resources={BATCHES: BatchesResource()})


def batch_job(*, pool: str | None = None) -> dg.JobDefinition:
    """Make the job that does one batch; see :func:`batch_definitions`.

    Its run does it itself: a process of its own for the one step would have to load everything
    again, and a batch that is cancelled interrupts the process that works on it.
    """

    @dg.op(name=BATCH_OP, required_resource_keys={BATCHES}, pool=pool, out=dg.Out(dg.Nothing))
    def worked(context: dg.OpExecutionContext, config: BatchConfig) -> Iterator[dg.Output[None]]:
        metadata = {}
        with failing(Attempt()):
            metadata = _work(context, _id(config.batch))
        yield dg.Output(None, metadata=metadata)

    @dg.job(
        name=BATCH_JOB,
        executor_def=dg.in_process_executor,
        description="Does one batch of the service, which launches it.",
    )
    def batch() -> None:
        worked()

    return batch


def _work(context: dg.OpExecutionContext, wanted: UUID) -> dict[str, Any]:
    worker = f"dagster:{context.run_id}"
    with context.resources.batches.workshop() as workshop:
        workshop.batches.give_back()
        batch = workshop.batches.claim_one(wanted, worker)
        if batch is None:
            context.log.info("nothing to do: the batch is over, or somebody else has it")
            return {"outcome": "nothing to do"}
        try:
            with _interruptible():
                outcome = run_batch(workshop, batch)
        except BatchLost:
            outcome = "lost"
        except KeyboardInterrupt:
            # The run is terminated, and not the batch: another run does it.
            workshop.batches.give_back(worker, died=False)
            raise
        over = workshop.batches.find(wanted)
    if outcome == "failed" and over is not None:
        raise _failure(over)
    context.log.info("the batch is %s", outcome)
    counts = {} if over is None or over.report is None else _counts(over)
    return {"outcome": outcome, "attempt": batch.attempt, **counts}


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        pass
    raise InvalidRequest("that is no batch's id", hint="the service launches these runs")


def _counts(batch: Batch) -> dict[str, int]:
    counts = {
        "rows_read": batch.rows_read,
        "rows_written": batch.rows_written,
        "rows_rejected": batch.rows_rejected,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _failure(batch: Batch) -> dg.Failure:
    failure = batch.failure
    assert failure is not None  # noqa: S101 - what has failed says why
    said = {"code": failure.code, "reason": failure.reason, "hint": failure.hint}
    return dg.Failure(
        f"{failure.code}: {failure.text}",
        metadata={name: text for name, text in said.items() if text is not None},
        allow_retries=False,
    )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt end the work as in any other process: a batch is cancelled by one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
