"""The service's host as the one that works on batches."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial

from tokenkit.batches.executors.pool import WorkerPool
from tokenkit.batches.opening import open_workshop
from tokenkit.batches.running import Workshop
from tokenkit.keys import current_keyring
from tokenkit.service.housekeeping import Housekeeping
from tokenkit.service.logs import logging_as
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.traces import tracing

TIDY_SECONDS = 60.0
"""How often files are removed whose time is over."""


@contextmanager
def working_on_batches(settings: ServiceSettings) -> Iterator[None]:
    """Have batches done on this host, and their files removed when their time is over.

    A keyring in memory can't be opened by another process; then another host has to do it.

    Parameters
    ----------
    settings
        What the service is told.
    """
    if not settings.batch_workers or current_keyring().path is None:
        yield
        return
    opened = partial(_opened, settings)
    with (
        opened() as workshop,
        closing(
            WorkerPool(
                opened,
                settings.batch_workers,
                workshop.batches.give_back,
                partial(logging_as, settings),
            )
        ),
        closing(Housekeeping([partial(tidy, workshop)], every=TIDY_SECONDS)),
    ):
        yield


@contextmanager
def _opened(settings: ServiceSettings) -> Iterator[Workshop]:
    with (
        tracing() as traces,
        open_workshop(
            settings.database_url,
            settings.batches_place,
            settings.policies,
            timedelta(hours=settings.result_hours),
            traces.batch,
        ) as workshop,
    ):
        yield workshop


def tidy(workshop: Workshop) -> None:
    """Remove the files of batches that are over, and uploads of batches that are done.

    Raises
    ------
    StoreError, JobError
        If the store can't be read, or a file not be removed.
    """
    batches, storage = workshop.batches, workshop.storage
    for batch in batches.purge():
        storage.remove(batch)
    for batch in batches.done_lately():
        # A worker that is killed between the two has said that it is done, and removed nothing.
        storage.remove_upload(batch)
    for batch in storage.leftovers(batches.known):
        storage.remove(batch)
