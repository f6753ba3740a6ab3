"""What every sink of tables must do."""

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tokenkit.errors import JobError, UnsupportedType
from tokenkit.jobs.connectors import (
    ReadableTable,
    TableMode,
    TableSink,
    TableWriting,
    find_connector,
)
from tokenkit.testing.connectors.sources import said, stored
from tokenkit.testing.connectors.system import System
from tokenkit.testing.connectors.values import TYPES, numbered
from tokenkit.testing.connectors.writing import BATCHES, STEPS

RUN = "0123456789abcdef0123456789abcdef"
OTHER_RUN = "fedcba9876543210fedcba9876543210"
_KILLS_IN_PUBLISH = 4
_LONGEST = 0.03


class SinkConformance:
    """Inherit, and give the fixture ``system``."""

    @pytest.fixture
    def system(self) -> System:
        """Give the system under test."""
        raise NotImplementedError("a fixture named system gives the System under test")

    def test_every_type_is_written(self, system: System) -> None:
        """Values of every type come back, nulls and extremes too; columns stay in order."""
        rows = TYPES.drop(system.refused)
        write(system, "types", rows)
        found = system.rows("types")
        assert found is not None
        assert_frame_equal(found, stored(rows, system), check_row_order=False)

    def test_types_without_a_place_are_refused(self, system: System) -> None:
        """Values of every type come back, nulls and extremes too, in the order of columns."""
        for name in (*sorted(system.refused), "object"):
            column = pl.Series("object", [object()], dtype=pl.Object)
            schema = (column.to_frame() if name == "object" else TYPES.select(name)).schema
            with pytest.raises(UnsupportedType) as caught:
                system.sink("refused").check(schema, "replace")
            assert caught.value.column == name
        assert not system.sink("refused").exists()

    def test_no_rows_make_an_empty_table(self, system: System) -> None:
        """The table is there, with its columns."""
        write(system, "empty", numbered(0))
        found = system.rows("empty")
        assert found is not None
        assert (found.height, found.columns) == (0, ["number", "text"])

    def test_replace_leaves_nothing_of_the_old_table(self, system: System) -> None:
        """Rows and columns are the new ones, as often as it runs."""
        write(system, "rows", numbered(3).with_columns(old=pl.lit(1)))
        for _ in range(2):
            write(system, "rows", numbered(4, 10))
            assert self._numbers(system, "rows") == [10, 11, 12, 13]

    def test_append_leaves_what_is_there(self, system: System) -> None:
        """Rows of other runs stay; the columns may come in another order."""
        write(system, "rows", numbered(2), "append", OTHER_RUN)
        turned = numbered(2, 10).select("text", "number")
        write(system, "rows", turned, "append")
        assert self._numbers(system, "rows") == [0, 1, 10, 11]
        found = system.rows("rows")
        assert found is not None
        assert set(found["tokenkit_run"]) == {RUN, OTHER_RUN}

    def test_append_to_a_table_that_knows_no_runs(self, system: System) -> None:
        """Its rows stay, and belong to no run."""
        write(system, "rows", numbered(2))
        write(system, "rows", numbered(2, 10), "append")
        assert self._numbers(system, "rows") == [0, 1, 10, 11]

    def test_a_second_run_replaces_and_never_doubles(self, system: System) -> None:
        """What the same run has added before goes in the same step."""
        write(system, "rows", numbered(2), "append", OTHER_RUN)
        for start in (10, 20):
            write(system, "rows", numbered(3, start), "append")
            assert self._numbers(system, "rows") == [0, 1, *range(start, start + 3)]

    def test_what_a_run_has_written_is_read_again(self, system: System) -> None:
        """Its own rows, of a table that was added to; so that they can be checked."""
        write(system, "rows", numbered(2))
        assert self._written(system, "replace", RUN) == [0, 1]
        write(system, "rows", numbered(2, 10), "append", OTHER_RUN)
        write(system, "rows", numbered(3, 20), "append")
        assert self._written(system, "append", OTHER_RUN) == [10, 11]
        assert self._written(system, "append", RUN) == [20, 21, 22]

    def test_append_refuses_other_columns(self, system: System) -> None:
        """A column that lacks, or one too many, is an error before anything is written."""
        write(system, "rows", numbered(2))
        for rows in (numbered(1).drop("text"), numbered(1).with_columns(more=pl.lit(1))):
            with pytest.raises(JobError):
                system.sink("rows").check(rows.schema, "append")
        taken = numbered(1).with_columns(tokenkit_run=pl.lit("x"))
        with pytest.raises(JobError):
            system.sink("rows").check(taken.schema, "append")

    @pytest.mark.parametrize("mode", ["replace", "append"])
    def test_nothing_shows_before_it_is_published(self, system: System, mode: TableMode) -> None:
        """The old rows are read until then; the count is that of the rows taken."""
        write(system, "rows", numbered(3), "append", OTHER_RUN)
        with begun(system, "rows", mode) as writing:
            for number in range(3):
                writing.write(numbered(5, 100 + 5 * number))
            assert writing.count() == 15
            assert not writing.is_published()
            assert self._numbers(system, "rows") == [0, 1, 2]
            writing.publish()
            assert writing.is_published()
        old = [0, 1, 2] if mode == "append" else []
        assert self._numbers(system, "rows") == [*old, *range(100, 115)]

    @pytest.mark.parametrize("mode", ["replace", "append"])
    def test_what_fails_leaves_the_old_state(self, system: System, mode: TableMode) -> None:
        """An error between two batches, or before publishing, changes nothing."""
        for there in (False, True):
            if there:
                write(system, "rows", numbered(3), "append", OTHER_RUN)
            with contextlib.suppress(_BrokenOffError), begun(system, "rows", mode) as writing:
                writing.write(numbered(70_000, 100))
                raise _BrokenOffError
            assert system.sink("rows").exists() == there
            assert self._numbers(system, "rows") == ([0, 1, 2] if there else None)

    @pytest.mark.slow
    @pytest.mark.parametrize("mode", ["replace", "append"])
    def test_killed_leaves_the_old_state_or_the_new(self, system: System, mode: TableMode) -> None:
        """A process that is killed with -9 at any step; the next run completes."""
        rows = 20_000
        before = [0, 1, 2]
        old = before if mode == "append" else []
        new = [*old, *range(100, 100 + BATCHES * rows)]
        moments = [(step, 0.0) for step in range(len(STEPS))]
        publishing = STEPS.index("publish")
        source = random.Random(0)
        moments += [(publishing + 1, source.uniform(0, _LONGEST)) for _ in range(_KILLS_IN_PUBLISH)]
        for step, pause in moments:
            write(system, "rows", numbered(3), run=OTHER_RUN)
            with self._process(system, mode, rows) as process:
                advance(process, step, pause)
            found = self._numbers(system, "rows")
            allowed = [before, new] if step > publishing else [before]
            assert found in allowed, (STEPS[step - 1 : step], pause, (found or [])[:5])
        with self._process(system, mode, rows) as process:
            advance(process, len(STEPS), None)
        assert self._numbers(system, "rows") == new

    @contextlib.contextmanager
    def _process(self, system: System, mode: str, rows: int) -> "Iterator[subprocess.Popen[str]]":
        options = json.dumps(system.options("rows"))
        command = [sys.executable, "-m", "tokenkit.testing.connectors.writing", system.connector]
        with subprocess.Popen(
            [*command, options, mode, RUN, "100", str(rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            yield process

    @pytest.mark.slow
    def test_readers_see_the_old_table_or_the_new(self, system: System) -> None:
        """Whoever reads meanwhile never sees a part, and never no table."""
        write(system, "rows", numbered(1_000))
        failures: list[object] = []
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                found = self._numbers(system, "rows") or []
                whole = found and found == list(range(found[0], found[0] + 1_000))
                if not whole:
                    failures.append(found[:1] and (found[0], len(found)))

        readers = [threading.Thread(target=look) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for number in range(8):
                write(system, "rows", numbered(1_000, 1_000 * number))
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert failures == []

    @pytest.mark.parametrize("kind", ["table", "column"])
    def test_hostile_names_are_taken_as_they_are(self, system: System, kind: str) -> None:
        """Names that mean something in SQL, in patterns or in templates mean nothing here."""
        for name in system.hostile_names:
            table, column = (name, "value") if kind == "table" else ("names", name)
            for mode in ("replace", "append"):
                write(system, table, pl.DataFrame({column: ["x"], "other": [1]}), mode)
            found = system.rows(table)
            assert found is not None
            rows = found.drop("tokenkit_run").rows(named=True)
            assert rows == [{column: "x", "other": 1}] * 2

    def test_no_secret_and_no_value_shows(self, system: System) -> None:
        """Neither in names nor in errors, nor in what they are attached to."""
        sink = find_connector(system.connector).open_sink(system.unreachable())
        shown = [repr(sink), str(sink), sink.shown, str(sink.dataset)]
        shown += [repr(system.sink("rows")), system.sink("rows").shown]
        with pytest.raises(JobError) as caught:
            _write_all(sink, numbered(1))
        shown += said(caught.value)
        write(system, "rows", numbered(1))
        wrong = pl.DataFrame({"number": ["4111-1111-secret"], "text": ["x"]})
        with pytest.raises(JobError) as caught:
            _write_all(system.sink("rows"), wrong)
        shown += said(caught.value)
        assert not [word for word in (*system.secrets, "4111") if word in "\n".join(shown)]
        assert self._numbers(system, "rows") == [0]

    def _written(self, system: System, mode: TableMode, run: str) -> list[int]:
        sink: object = system.sink("rows")
        assert isinstance(sink, ReadableTable)
        table = sink.written(mode, run)
        assert table.dataset == system.sink("rows").dataset
        found = table.scan().collect()
        assert (found.columns, table.schema) == (["number", "text"], found.schema)
        return sorted(found["number"])

    def _numbers(self, system: System, table: str) -> list[int] | None:
        found = system.rows(table)
        return None if found is None else found["number"].sort().to_list()


def _write_all(sink: TableSink, rows: pl.DataFrame) -> None:
    sink.check(rows.schema, "append")
    with sink.writing(rows.schema, "append", RUN) as writing:
        writing.write(rows)
        writing.publish()


class _BrokenOffError(Exception):
    """What a test throws in between."""


@contextlib.contextmanager
def begun(
    system: System, table: str, mode: TableMode, rows: pl.DataFrame | None = None
) -> Iterator[TableWriting]:
    """Begin to write a table."""
    schema = (numbered(0) if rows is None else rows).schema
    sink = system.sink(table)
    sink.check(schema, mode)
    with sink.writing(schema, mode, RUN) as writing:
        yield writing


def write(
    system: System, table: str, rows: pl.DataFrame, mode: TableMode = "replace", run: str = RUN
) -> None:
    """Write a table in two batches."""
    sink = system.sink(table)
    sink.check(rows.schema, mode)
    with sink.writing(rows.schema, mode, run) as writing:
        for part in (rows.head(rows.height // 2), rows.tail(rows.height - rows.height // 2)):
            writing.write(part)
        assert writing.count() == rows.height
        writing.publish()
        assert writing.is_published()


def advance(process: "subprocess.Popen[str]", steps: int, pause: float | None) -> None:
    """Let a writing process take steps, then kill it after a pause; None lets it end."""
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(min(steps + 1, len(STEPS))):
        said = process.stdout.readline().strip()
        if said != STEPS[number]:
            process.kill()
            raise AssertionError((STEPS[number], said, process.communicate()[1][-2000:]))
        if number < steps:
            process.stdin.write("\n")
            process.stdin.flush()
        if number + 1 == steps and pause:
            break
    if pause is None:
        process.communicate()
        assert process.returncode == 0
        return
    time.sleep(pause)
    process.kill()
    process.communicate()
