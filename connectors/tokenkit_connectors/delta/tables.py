"""Tables of Delta Lake: where they are, and what opening one may raise."""

import re
from typing import TYPE_CHECKING

from tokenkit.errors import ConnectorFailed, JobError
from tokenkit.lineage.naming import of_folder, of_object
from tokenkit_connectors.delta.options import PlaceOptions
from tokenkit_connectors.foreign import foreign_errors, needing

if TYPE_CHECKING:
    from deltalake import DeltaTable

_MEANINGS = {
    "CommitFailedError": ("was changed by another job meanwhile", "run the job again"),
    "SchemaMismatchError": ("has columns that the rows don't fit", "write to another table"),
    "DeltaProtocolError": ("asks for features that aren't supported", "write to another table"),
}


_PLAIN = re.compile(r"[\w\-./:@=+,~()]+", re.ASCII)
"""Paths that delta-rs and Polars write alike: other signs only one of them turns into %XX."""


class Place:
    """Where a table is.

    Raises
    ------
    JobError
        If its name has signs that Delta's paths are not read with.
    """

    def __init__(self, options: PlaceOptions) -> None:
        if (options.path is None) == (options.url is None):
            raise JobError("a Delta table is at a path or a url", hint="path: lake/customers")
        if options.path is not None:
            self.uri = str(options.path.absolute())
            self.dataset = of_folder(options.path)
        else:
            self.uri = options.url or ""
            self.dataset = of_object(self.uri)
        self.shown = str(self.dataset)
        self._options = options.storage_options
        if not _PLAIN.fullmatch(self.uri):
            raise JobError(
                "a Delta table's path has signs that aren't read alike everywhere",
                file=self.shown,
                hint="use letters and digits of ASCII, and - . _ = + , ~ ( )",
            )

    @property
    def storage_options(self) -> dict[str, str] | None:
        """What the object store needs, secrets among it."""
        options = {name: secret.get_secret_value() for name, secret in self._options.items()}
        return options or None

    def open(self, version: int | None = None) -> "DeltaTable | None":
        """Open the table; None if there is none.

        Raises
        ------
        ConnectorFailed
            If that can't be told.
        """
        with needing("delta"):
            from deltalake import DeltaTable
        with failures(self.shown):
            if not DeltaTable.is_deltatable(self.uri, self.storage_options):
                return None
            return DeltaTable(self.uri, version=version, storage_options=self.storage_options)


def failures(shown: str) -> foreign_errors:
    """Say in our own words what delta-rs raises, and without its text."""

    def explain(exc: Exception) -> JobError:
        return explained(exc, shown)

    return foreign_errors(explain)


def explained(exc: BaseException, shown: str) -> JobError:
    """Say what an error of delta-rs means, by its class."""
    name = type(exc).__name__
    said, hint = _MEANINGS.get(
        name, (f"failed in delta-rs ({name})", "check the place, rights and space")
    )
    return ConnectorFailed(f"the table {said}", file=shown, hint=hint)
