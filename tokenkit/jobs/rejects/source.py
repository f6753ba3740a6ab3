"""A file of rejected rows as the source of a job, which tokenizes them again."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tokenkit.errors import InputError, MetadataMismatch
from tokenkit.jobs.rejects.rows import read_rejects
from tokenkit.keys import Keyring


class RejectsSource:
    """Opens rejected rows as they are read; their values never lie on the disk in clear.

    Raises
    ------
    MetadataMismatch
        If the rows were rejected on the way back, from tokens.
    """

    estimated_rows: int | None
    metadata: str | bytes | None = None
    types: Mapping[str, pl.DataType] = {}

    def __init__(self, path: Path, keyring: Keyring) -> None:
        self._rejects = read_rejects(path)
        self._keyring = keyring
        description = self._rejects.description
        if description.operation != "tokenize":
            raise MetadataMismatch(
                "these rows were rejected by detokenizing: they hold no values to tokenize",
                hint="tokenkit rejects open shows them",
            )
        self.schema = description.schema
        self.rows = self.estimated_rows = self._rejects.count()

    def check(self) -> None:
        """Every cell is checked when it's opened."""

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        return self._rejects.scan(self._keyring)

    def explain(self, text: str) -> InputError | None:
        """Tokenkit's own errors need no explanation."""
        del text
        return None
