"""Dagster as the one that works on batches: a run for each that waits, looked after from here.

Its run queue is the queue, and its workers are the workers. The launch of a batch is taken in the
store before Dagster is asked, so that of several services one asks; and before a run is launched,
those are looked for that an answer that was lost has left behind. A run that is there twice all the
same finds that its batch is no longer waiting, and ends.
"""

import logging
import threading
from datetime import timedelta
from typing import Final

from tokenkit.batches.batch import Batch
from tokenkit.batches.executors.webserver import Webserver
from tokenkit.batches.turns import Turns
from tokenkit.errors import ExecutorUnavailable, TokenkitError
from tokenkit.errors.places import place_of

BATCH_JOB: Final = "tokenkit_batch"
"""The name of Dagster's job that does one batch."""
BATCH_OP: Final = "work_on_batch"
"""The name of its one op."""
BATCH_TAG: Final = "tokenkit/batch"
"""The tag that has a batch's id."""
ATTEMPT_TAG: Final = "tokenkit/attempt"
"""The tag that says how often the batch had been begun before."""
SIZE_TAG: Final = "tokenkit/batch_size"
"""The tag that is ``small`` or ``large``, for limits in Dagster's settings."""
LOOK_SECONDS: Final = 0.5
"""How often the queue is looked at."""
TAKEN: Final = timedelta(seconds=20)
"""How long a launch is one service's; longer than asking Dagster twice takes."""
WATCHED: Final = timedelta(seconds=30)
"""After how long a batch is looked at again that still waits for its run."""
_AFTER_FAILURE: Final = timedelta(seconds=5)
_MOST_DOUBLINGS: Final = 5
_LOG = logging.getLogger("tokenkit.batches")


class DagsterExecutor:
    """Launches a run for each batch that waits, from a thread of its own; :meth:`close` ends it.

    Parameters
    ----------
    batches
        The batches.
    webserver
        Where runs are launched.
    look_seconds
        How often the queue is looked at.
    """

    def __init__(
        self, batches: Turns, webserver: Webserver, *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._batches = batches
        self._webserver = webserver
        self._look_seconds = look_seconds
        self._ending = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._watch, name="tokenkit-launches", daemon=True)
        self._thread.start()

    def close(self, patience: float = 30.0) -> None:
        """End the thread; runs that are launched go on."""
        self._ending.set()
        self._thread.join(patience)

    def _watch(self) -> None:
        while not self._ending.wait(self._look_seconds):
            try:
                # What runs that were killed had been doing comes first.
                self._batches.give_back()
                while not self._ending.is_set() and launch_next(self._batches, self._webserver):
                    self._said(None)
            except TokenkitError as error:
                self._said(error)
                self._ending.wait(_AFTER_FAILURE.total_seconds())
            except Exception as exc:  # noqa: BLE001 - whatever it is, later batches are launched
                _LOG.error("an unforeseen %s%s: no launch", type(exc).__name__, place_of(exc))
                self._ending.wait(_AFTER_FAILURE.total_seconds())

    def _said(self, error: TokenkitError | None) -> None:
        """Say once that Dagster or the store is away, and once that it is back."""
        if error is not None and not self._is_away:
            _LOG.warning("batches wait, and can't be launched: %s", error)
        if error is None and self._is_away:
            _LOG.warning("batches are launched again")
        self._is_away = error is not None


def launch_next(batches: Turns, webserver: Webserver) -> bool:
    """Launch a run for the batch that has waited longest without one; gives whether one did.

    Parameters
    ----------
    batches
        The batches.
    webserver
        Where runs are launched.

    Raises
    ------
    ExecutorUnavailable
        If Dagster can't be reached, or takes no run; the batch waits on.
    StoreError
        If the store can't be reached.
    """
    batch = batches.claim_launch(TAKEN)
    if batch is None:
        return False
    # Each attempt has runs of its own: one that is dead may count as running for a while.
    same = {BATCH_TAG: str(batch.id), ATTEMPT_TAG: str(batch.attempt)}
    try:
        runs = webserver.runs(BATCH_JOB, same)
        if "open" not in runs:
            run = webserver.launch(BATCH_JOB, _config(batch), same | _more_tags(batch))
            _LOG.info("a batch is launched as run %s", run, extra={"batch_id": batch.id})
    except ExecutorUnavailable:
        batches.launched(batch.id, batch.attempt, _AFTER_FAILURE)
        raise
    # Runs that end before they begin, as without a keyring, come further and further apart.
    doublings = 0 if "open" in runs else min(len(runs), _MOST_DOUBLINGS)
    batches.launched(batch.id, batch.attempt, WATCHED * 2**doublings)
    return True


def _config(batch: Batch) -> dict[str, object]:
    return {"ops": {BATCH_OP: {"config": {"batch": str(batch.id)}}}}


def _more_tags(batch: Batch) -> dict[str, str]:
    return {
        SIZE_TAG: "small" if batch.is_small else "large",
        "dagster/priority": "1" if batch.is_small else "0",
        # A batch whose run dies is given back to the queue, and launched from there.
        "dagster/max_retries": "0",
    }
