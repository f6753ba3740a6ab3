"""What every source of tables must do."""

import json
import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tokenkit.errors import InputNotFound, JobError
from tokenkit.jobs.connectors import find_connector
from tokenkit.testing.connectors.system import System
from tokenkit.testing.connectors.values import TYPES, numbered


class SourceConformance:
    """Inherit, and give the fixture ``system``."""

    @pytest.fixture
    def system(self) -> System:
        """Give the system under test."""
        raise NotImplementedError("a fixture named system gives the System under test")

    def test_every_type_is_read(self, system: System) -> None:
        """Values of every type come back, nulls and extremes among them."""
        rows = TYPES.drop(system.refused)
        system.fill("types", rows)
        source = system.source("types")
        found = source.scan().collect()
        assert found.schema == source.schema
        assert_frame_equal(found, stored(rows, system), check_row_order=False)

    def test_an_empty_table_keeps_its_columns(self, system: System) -> None:
        """No rows are no reason to lose names and types."""
        system.fill("empty", TYPES.drop(system.refused).clear())
        source = system.source("empty")
        assert source.scan().collect().schema == source.schema
        assert source.schema.names() == TYPES.drop(system.refused).columns

    def test_one_reading_serves_several_sinks(self, system: System) -> None:
        """Sinks of one query get the same rows, of one moment."""
        system.fill("rows", numbered(20_000))
        frame = system.source("rows").scan()
        parts = [frame.filter(pl.col("number") % 2 == rest) for rest in (0, 1)]
        even, odd = pl.collect_all(parts, engine="streaming")
        assert sorted([*even["number"], *odd["number"]]) == list(range(20_000))

    def test_columns_and_first_rows_can_be_chosen(self, system: System) -> None:
        """What the query leaves out needn't be read, and the rest is right."""
        system.fill("rows", numbered(5_000))
        source = system.source("rows")
        assert source.scan().select("text").head(3).collect().shape == (3, 1)
        assert source.scan().select(pl.len()).collect().item() == 5_000

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_rows(self, system: System) -> None:
        """Eight times the rows take as much memory, in a process of their own."""
        few, many = 250_000, 2_000_000
        peaks = []
        for count in (few, many):
            system.fill("large", numbered(count))
            found = json.loads(self._read(system, "large"))
            assert found["rows"] == count
            peaks.append(found["peak"])
        assert peaks[1] - peaks[0] < system.memory, peaks

    def _read(self, system: System, table: str) -> str:
        options = json.dumps(system.options(table))
        command = [sys.executable, "-m", "tokenkit.testing.connectors.reading", system.connector]
        done = subprocess.run([*command, options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @pytest.mark.parametrize("kind", ["table", "column"])
    def test_hostile_names_are_taken_as_they_are(self, system: System, kind: str) -> None:
        """Names that mean something in SQL, in patterns or in templates mean nothing here."""
        for name in system.hostile_names:
            table, column = (name, "value") if kind == "table" else ("names", name)
            system.fill(table, pl.DataFrame({column: ["x"], "other": [1]}))
            found = system.source(table).scan().collect()
            assert found.rows(named=True) == [{column: "x", "other": 1}]

    def test_a_missing_table_is_not_found(self, system: System) -> None:
        """It's an InputNotFound that names the table."""
        with pytest.raises(InputNotFound) as caught:
            _ = system.source("missing").schema
        assert caught.value.file == system.source("missing").shown

    def test_no_secret_shows(self, system: System) -> None:
        """Neither in names nor in errors, nor in what they are attached to."""
        sources = [find_connector(system.connector).open_source(system.unreachable())]
        sources.append(system.source("secrets"))
        for source in sources:
            shown = [repr(source), str(source), source.shown, str(source.dataset)]
            with pytest.raises(JobError) as caught:
                _ = source.schema
            shown += said(caught.value)
            try:
                shown.append(repr(source.fingerprint()))
            except JobError as error:
                # It's a version's, and asks the system.
                shown += said(error)
            assert not [secret for secret in system.secrets if secret in "\n".join(shown)]


def stored(rows: pl.DataFrame, system: System) -> pl.DataFrame:
    """Give rows as the system gives them back."""
    types = {name: kind for name, kind in system.stored_as.items() if name in rows.columns}
    return rows.with_columns(pl.col(name).cast(kind) for name, kind in types.items())


def said(error: BaseException) -> list[str]:
    """Give everything that an error and what is attached to it say."""
    attached = [each for each in (error.__cause__, error.__context__) if each is not None]
    return [str(error), repr(error), *(text for each in attached for text in said(each))]
