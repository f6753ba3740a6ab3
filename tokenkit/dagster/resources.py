"""What jobs need of the process that does them: an open keyring, and where runs are recorded."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
from pydantic import PrivateAttr

from tokenkit.keys import Keyring, current_keyring, open_keyring
from tokenkit.keys.current import configured_access
from tokenkit.keys.key import Access, checked_access
from tokenkit.lineage import Recorder
from tokenkit.store.recording import default_recorder, recorder_at

KEYRING: Final = "keyring"
"""The resource that jobs take their keys from."""

RECORDER: Final = "recorder"
"""The resource that jobs are recorded by."""


class KeyringResource(dg.ConfigurableResource[Any]):
    """A keyring, opened once by each process that does steps, when a step first needs it.

    Without a path it is the one that ``TOKENKIT_KEYRING`` and ``TOKENKIT_KEK`` name, for what
    ``TOKENKIT_ACCESS`` says.

    Attributes
    ----------
    path
        The keyring file.
    kek
        Its key-encryption key, by provider: ``passphrase:env:NAME``. Dagster shows it: it names
        where a secret is, and is none itself.
    access
        ``tokenize`` opens it for tokenizing only; ``all``, or what the environment says.

    Examples
    --------
    >>> KeyringResource(path="keyring.json", kek="passphrase:env:PASSPHRASE").path
    'keyring.json'
    """

    path: str | None = None
    kek: str | None = None
    access: str | None = None
    _opened: Keyring | None = PrivateAttr(default=None)

    def keyring(self) -> Keyring:
        """Give the keyring, open.

        Raises
        ------
        KeyringError
            If it can't be opened.
        """
        if self.path is None:
            return current_keyring()
        if self._opened is None:
            self._opened = open_keyring(self.path, self.kek, access=self._access())
        return self._opened

    def _access(self) -> Access:
        if self.access is None:
            return configured_access()
        checked_access(self.access)
        return "tokenize" if self.access == "tokenize" else "all"

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["KeyringResource"]:
        """Close the keyring when the process has no more steps to do."""
        del context
        try:
            yield self
        finally:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


class RecorderResource(dg.ConfigurableResource[Any]):
    """The store that runs are recorded in.

    Without a URL it is the one that ``TOKENKIT_DATABASE_URL`` names, or the user's own.

    Attributes
    ----------
    database_url
        An SQLAlchemy URL. Dagster shows what stands there: give ``dg.EnvVar("NAME")``, of which it
        shows the name alone.
    """

    database_url: str | None = None

    def recorder(self) -> Recorder:
        """Give what jobs are recorded by.

        Raises
        ------
        StoreError
            If the store can't be opened.
        """
        return default_recorder() if self.database_url is None else recorder_at(self.database_url)
