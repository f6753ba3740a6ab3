"""Who works on batches, and what becomes of their files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from tokenkit.batches.executors.dagster import DagsterExecutor
from tokenkit.batches.executors.pool import WorkerPool
from tokenkit.batches.executors.webserver import Webserver
from tokenkit.batches.running import Workshop
from tokenkit.keys import current_keyring
from tokenkit.service.housekeeping import Housekeeping
from tokenkit.service.logs import logging_as
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.workshops import service_workshop

TIDY_SECONDS = 60.0
"""How often files are removed whose time is over."""


@contextmanager
def working_on_batches(settings: ServiceSettings) -> Iterator[None]:
    """Have batches done, by Dagster or on this host, and files removed when their time is over.

    A keyring in memory can't be opened by another process; then another host has to do it.

    Parameters
    ----------
    settings
        What the service is told.

    Raises
    ------
    InvalidRequest
        If Dagster's address can't be used.
    """
    wanted = settings.dagster_url or settings.batch_workers
    if not wanted or current_keyring().path is None:
        yield
        return
    with (
        service_workshop(settings) as workshop,
        closing(_executor(settings, workshop)),
        closing(Housekeeping([partial(tidy, workshop)], every=TIDY_SECONDS)),
    ):
        yield


def _executor(settings: ServiceSettings, workshop: Workshop) -> DagsterExecutor | WorkerPool:
    """Start who works on batches: Dagster if its address is known, this host otherwise."""
    if settings.dagster_url:
        webserver = Webserver(
            settings.dagster_url, settings.dagster_location, token=settings.dagster_token
        )
        return DagsterExecutor(workshop.batches, webserver)
    return WorkerPool(
        partial(service_workshop, settings),
        settings.batch_workers,
        workshop.batches.give_back,
        partial(logging_as, settings),
    )


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
