"""Tables in memory: the smallest connector, which shows what jobs ask of one."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from tokenkit.errors import ConnectorFailed, InputError
from tokenkit.jobs.connectors import Stream, TableMode
from tokenkit.lineage import Dataset

RUN = "tokenkit_run"


@dataclass
class Memory:
    """Holds tables by name."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    refuses_after: int | None = None

    def source(self, name: str) -> "MemorySource":
        """Give a table to read."""
        return MemorySource(self, name)

    def sink(self, name: str) -> "MemorySink":
        """Give a table to write."""
        return MemorySink(self, name)


@dataclass
class _Table:
    memory: Memory = field(repr=False)
    name: str
    is_versioned: bool = False
    estimated_rows: int | None = None

    @property
    def shown(self) -> str:
        return f"memory:{self.name}"

    @property
    def dataset(self) -> Dataset:
        return Dataset("memory", self.name)


@dataclass
class MemorySource(_Table):
    """A table to read, or what one run has added to it."""

    run: str | None = None

    @property
    def _rows(self) -> pl.DataFrame:
        rows = self.memory.tables[self.name]
        return rows if self.run is None else rows.filter(pl.col(RUN) == self.run)

    @property
    def schema(self) -> pl.Schema:
        return self._rows.drop(RUN, strict=False).schema

    def fingerprint(self) -> list[object]:
        return [self.name]

    def scan(self) -> pl.LazyFrame:
        rows = self._rows.drop(RUN, strict=False)
        return Stream(lambda: rows.iter_slices(100), self.schema).scan()

    def explain(self, text: str) -> InputError | None:
        del text
        return None


class MemorySink(_Table):
    """A table to write."""

    def exists(self) -> bool:
        return self.name in self.memory.tables

    def written(self, mode: TableMode, run: str) -> MemorySource:
        return MemorySource(self.memory, self.name, run=run if mode == "append" else None)

    def check(self, schema: pl.Schema, mode: TableMode) -> None:
        """Hold anything."""

    @contextlib.contextmanager
    def writing(self, schema: pl.Schema, mode: TableMode, run: str) -> Iterator["MemoryWriting"]:
        yield MemoryWriting(self.memory, self.name, pl.DataFrame(schema=schema), mode, run)


@dataclass
class MemoryWriting:
    memory: Memory
    name: str
    rows: pl.DataFrame
    mode: TableMode
    run: str
    published: bool = False

    def write(self, rows: pl.DataFrame) -> None:
        limit = self.memory.refuses_after
        if limit is not None and len(self.rows) + len(rows) > limit:
            raise ConnectorFailed("the memory is full", file=self.name)
        self.rows = self.rows.vstack(rows)

    def count(self) -> int:
        return len(self.rows)

    def publish(self) -> None:
        rows = self.rows.with_columns(pl.lit(self.run).alias(RUN))
        before = self.memory.tables.get(self.name)
        if self.mode == "append" and before is not None:
            rows = before.filter(pl.col(RUN) != self.run).vstack(rows)
        self.memory.tables[self.name] = rows
        self.published = True

    def is_published(self) -> bool:
        return self.published
