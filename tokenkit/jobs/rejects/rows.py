"""Rejected rows, to be counted without keys and opened with them."""

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tokenkit.engines.polars.rejects import open_rows
from tokenkit.errors import InputError, InputNotFound, translated
from tokenkit.jobs.aside import AsideFile
from tokenkit.jobs.connectors import TextOptions, format_of, suffix_of
from tokenkit.jobs.rejects.cells import from_cell
from tokenkit.jobs.rejects.description import REJECTS_KEY, RejectsDescription
from tokenkit.jobs.rejects.sealing import CELLS, COLUMN, FILE, REASON, ROW
from tokenkit.keys import Keyring, current_keyring


@dataclass(frozen=True, slots=True)
class Rejects:
    """Rejected rows, sealed.

    Attributes
    ----------
    rows
        ``row``, ``file``, ``column``, ``reason`` in clear, and ``cells``, sealed.
    description
        How they were sealed.
    """

    rows: pl.LazyFrame
    description: RejectsDescription

    def count(self) -> int:
        """Count the rows."""
        with translated():
            return int(self.rows.select(pl.len()).collect(engine="streaming").item())

    def counts(self) -> pl.DataFrame:
        """Count the rows by column and reason, the most frequent first."""
        with translated():
            return (
                self.rows.group_by(COLUMN, REASON)
                .agg(pl.len().alias("rows"))
                .sort("rows", COLUMN, REASON, descending=[True, False, False])
                .collect(engine="streaming")
            )

    def places(self, limit: int | None = None) -> pl.DataFrame:
        """Give where rows stood, and why they were rejected."""
        with translated():
            rows = self.rows.select(FILE, ROW, COLUMN, REASON)
            return (rows if limit is None else rows.head(limit)).collect(engine="streaming")

    def scan(self, keyring: Keyring | None = None) -> pl.LazyFrame:
        """Open the rows, lazily: the source's columns as they were.

        Raises
        ------
        KeyringError
            If the keyring lacks a key version.
        NotAuthentic
            When it runs, if a cell was altered or moved.
        """
        schema = self.description.schema
        cells = self.description.cells(keyring or current_keyring())
        place = {name: number for number, name in enumerate(schema)}
        failing = pl.col(COLUMN).replace_strict(
            list(place), list(place.values()), return_dtype=pl.UInt32, default=None
        )
        opened = self.rows.select(
            open_rows(
                cells,
                bytes.fromhex(self.description.run),
                row=pl.col(ROW),
                file=pl.col(FILE),
                failing=failing,
                reason=pl.col(REASON),
                values=[pl.col(CELLS).struct[number] for number in place.values()],
            ).alias(CELLS)
        )
        return opened.select(
            from_cell(pl.col(CELLS).struct[number], schema[name]).alias(name)
            for name, number in place.items()
        )

    def open(self, keyring: Keyring | None = None) -> pl.DataFrame:
        """Open the rows: the source's columns as they were, in clear.

        Raises
        ------
        KeyringError
            If the keyring lacks a key version.
        NotAuthentic
            If a cell was altered or moved.
        """
        with translated():
            return self.scan(keyring).collect(engine="streaming")

    def write(self, target: Path, *, keyring: Keyring | None = None, replace: bool = False) -> int:
        """Write the rows in clear, to a file that only its owner may read; gives their number.

        Raises
        ------
        OutputExists
            If the file is there and isn't to be replaced.
        KeyringError, NotAuthentic, JobError
            If the rows can't be opened or written.
        """
        sink = format_of(target).sink(suffix_of(target) or "", TextOptions())
        sink.check(self.description.schema)
        with AsideFile(target) as aside, translated():
            with aside.writer() as file:
                sink.write(self.scan(keyring), file, None).collect(engine="streaming")
                sink.finish(file)
            aside.flush()
            rows = sink.count(aside.path)
            aside.publish(replace=replace, private=True)
        return rows


def read_rejects(path: str | os.PathLike[str]) -> Rejects:
    """Read a file of rejected rows; nothing is opened yet.

    Raises
    ------
    InputNotFound
        If there is no such file.
    InputError, MetadataError
        If it's another kind of file, or damaged.
    """
    shown = os.fspath(path)
    if not Path(shown).is_file():
        raise InputNotFound("there is no such file", file=shown, hint="check the path")
    try:
        found: dict[str, str] | None = pl.read_parquet_metadata(shown)
    except (pl.exceptions.PolarsError, OSError, ValueError):
        found = None
    if found is None:
        raise InputError("the file can't be read as Parquet", file=shown)
    description = RejectsDescription.parse(found.get(REJECTS_KEY))
    return Rejects(pl.scan_parquet(shown, glob=False), description)


def open_rejects(path: str | os.PathLike[str], *, keyring: Keyring | None = None) -> pl.DataFrame:
    """Open a file of rejected rows: the source's columns as they were, in clear.

    Parameters
    ----------
    path
        ``OUTPUT.rejects.parquet``.
    keyring
        Where the keys are; default: the current keyring.

    Raises
    ------
    InputNotFound, InputError, MetadataError
        If it's no such file.
    KeyringError
        If the keyring lacks a key version.
    NotAuthentic
        If a cell was altered or moved.
    """
    return read_rejects(path).open(keyring)
