"""What the work on batches needs, as the service's settings say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tokenkit.batches.opening import open_workshop
from tokenkit.batches.running import Workshop
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.traces import tracing


@contextmanager
def service_workshop(settings: ServiceSettings) -> Iterator[Workshop]:
    """Open the store, the files of batches and the keyring; each batch is traced if traces are on.

    Parameters
    ----------
    settings
        What the service is told.

    Raises
    ------
    StoreError, KeyringError, JobError
        If one of them can't be opened.
    """
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
