"""What the work on batches needs, opened in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from tokenkit.batches.queue import Batches
from tokenkit.batches.running import Around, Workshop, untold
from tokenkit.batches.storage import BatchStorage
from tokenkit.keys import Keyring, current_keyring, open_keyring
from tokenkit.policy.folder import find_policy
from tokenkit.store.database import Database


@contextmanager
def open_workshop(
    database_url: str | None,
    place: str,
    policies: Path | None,
    kept: timedelta = timedelta(hours=24),
    around: Around = untold,
) -> Iterator[Workshop]:
    """Open the store, the files of batches, and the keyring that the environment names.

    Parameters
    ----------
    database_url
        The store's database; None for what the environment names.
    place
        Where files of batches lie, see :meth:`~tokenkit.batches.storage.BatchStorage.open`.
    policies
        The folder of policies.
    kept
        How long results are kept.
    around
        What is around the work on each batch.

    Raises
    ------
    StoreError, KeyringError, JobError
        If one of them can't be opened.
    """
    with Database.open(database_url) as database, _newest_keyring() as keyring:
        yield Workshop(
            database,
            Batches(database, kept=kept),
            BatchStorage.open(place),
            keyring,
            partial(find_policy, policies),
            around,
        )


@contextmanager
def _newest_keyring() -> Iterator[Keyring]:
    """Give the current keyring, or what its file holds now: that one is read once a process."""
    held = current_keyring()
    if held.path is None or held.is_current():
        yield held
        return
    with open_keyring(held.path, held.providers, access=held.access) as opened:
        yield opened
