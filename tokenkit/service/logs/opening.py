"""The logs of a process of the service, as its settings say."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from tokenkit.service.logs.forwarding import forwarded
from tokenkit.service.logs.streams import Logs
from tokenkit.service.settings import ServiceSettings


@contextmanager
def logging_as(settings: ServiceSettings) -> Generator[Logs, None, None]:
    """Open the streams, and bring into them what the process logs, for as long as this lasts.

    Parameters
    ----------
    settings
        What the service is told.

    Raises
    ------
    InvalidRequest
        If there is no such environment or level, or the folder can't be made.
    """
    logs = Logs(
        settings.log_folder,
        environment=settings.environment,
        level=settings.log_level,
        most_waiting=settings.log_queue,
    )
    with closing(logs), forwarded(logs):
        yield logs
