"""Tracing columns through the lineage of 100,000 runs of 20 columns each, on both back ends.

``python -m benchmarks.lineage [--runs N] [--repeats N] [--only SHAPE] [--explain]`` fills a store
for each shape, on SQLite in a temporary file and on a real PostgreSQL by COPY, and prints the
median milliseconds of finding what is meant and of tracing it both ways, and of this process's
processor time in tracing, which on SQLite is all of it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import json
import random
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from sqlalchemy import text

from tokenkit.store.database import Database
from tokenkit.store.lineage import resolve, trace
from tokenkit.store.lineage.tracing import WAYS, prepare, walk
from tokenkit.store.upgrading import upgrade
from tokenkit.testing.postgresql import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

_COLUMNS = 20
_CHAIN = 100
_START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


HEADINGS = (
    "", "shape", "asked about", "ways", "find ms", "trace ms", "slowest ms", "CPU ms",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What run ``n`` of ``runs`` reads and writes, and what to ask about."""

    title: str
    reads: Callable[[int, int], int]
    writes: Callable[[int, int], int]
    ask: Callable[[int], dict[str, int]]


SHAPES = (
    Shape(
        f"chains of {_CHAIN} datasets",
        lambda n, _: n // _CHAIN * (_CHAIN + 1) + n % _CHAIN,
        lambda n, _: n // _CHAIN * (_CHAIN + 1) + n % _CHAIN + 1,
        lambda _: {"first of a chain": 0, "last of a chain": _CHAIN},
    ),
    Shape(
        "one chain of all",
        lambda n, _: n,
        lambda n, _: n + 1,
        lambda runs: {"first": 0, "last": runs},
    ),
    Shape(
        "half of all into one, half out of it",
        lambda n, runs: n + 1 if n < runs // 2 else 0,
        lambda n, runs: 0 if n < runs // 2 else n + 1,
        lambda runs: {"the middle": 0, "a source": 1, "an output": runs},
    ),
    Shape("one rewritten by all", lambda *_: 0, lambda *_: 1, lambda _: {"rewritten": 1}),
    Shape("one rekeyed in place by all", lambda *_: 0, lambda *_: 0, lambda _: {"rekeyed": 0}),
)


def tables(shape: Shape, runs: int) -> dict[str, pl.DataFrame]:
    """Make the rows of each table."""
    numbers = random.Random(0)
    ids = [f"{numbers.getrandbits(128):032x}" for _ in range(runs)]
    fields = json.dumps([[f"c{column:02}", "String"] for column in range(_COLUMNS)])
    run = pl.DataFrame(
        {
            "run_id": ids,
            "input": [shape.reads(n, runs) + 1 for n in range(runs)],
            "output": [shape.writes(n, runs) + 1 for n in range(runs)],
        }
    ).with_columns(
        started=(_START + pl.int_range(runs) * dt.timedelta(minutes=1)).dt.strftime(
            "%Y-%m-%d %H:%M:%S.%6f"
        )
    )
    pairs = run.select("input", "output").unique(maintain_order=True)
    columns = pl.DataFrame({"name": [f"c{column:02}" for column in range(_COLUMNS)]})
    edges = pairs.join(columns, how="cross").with_row_index("id", offset=1)
    datasets = pl.concat([pairs["input"], pairs["output"]]).unique().sort()
    use: dict[str, Any] = {
        "fields": pl.lit(fields),
        "files": 1,
        "rows": 1_000_000,
        "bytes": 100_000_000,
    }
    return {
        "datasets": pl.DataFrame({"id": datasets}).select(
            "id",
            namespace=pl.lit("file"),
            name=pl.format("/data/{}/part.parquet", "id"),
            first_seen=pl.lit(str(_START.replace(tzinfo=None))),
        ),
        "runs": run.select(
            "started",
            id="run_id",
            job_run="run_id",
            operation=pl.lit("tokenize"),
            status=pl.lit("complete"),
            ended="started",
            actor=pl.lit("etl"),
            tokenkit_version=pl.lit("0.1.0"),
            rows_read=1_000_000,
            rows_written=1_000_000,
            rows_rejected=0,
            proofs=pl.lit("{}"),
        ),
        **{
            f"run_{side}s": run.select("run_id", "started", dataset_id=side, **use)
            for side in ("input", "output")
        },
        "column_edges": edges.select(
            "id",
            input_dataset_id="input",
            input_column="name",
            output_dataset_id="output",
            output_column="name",
            action=pl.lit("tokenize"),
        ),
        "column_runs": run.join(edges, on=["input", "output"], maintain_order="left").select(
            "run_id",
            "started",
            edge_id="id",
            scheme=pl.lit("text"),
            key=pl.lit("people"),
            key_version=1,
            key_id=12_345,
            domain=pl.lit("text"),
            done=999_000,
            nulls=1_000,
            empty=0,
            literal=0,
            sealed=0,
            invalid=pl.lit("{}"),
        ),
    }


def fill(engine: Engine, shape: Shape, runs: int) -> None:
    """Fill a store, and let the planner know."""
    with engine.begin() as connection:
        for name, rows in tables(shape, runs).items():
            _insert(connection, name, rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"))


def _insert(connection: Connection, name: str, rows: pl.DataFrame) -> None:
    driver: Any = connection.connection.driver_connection
    columns = ", ".join(rows.columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * rows.width)
        driver.executemany(
            f"INSERT INTO {name} ({columns}) VALUES ({marks})",
            rows.iter_rows(),
        )
        return
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {name} ({columns}) FROM STDIN (FORMAT csv)") as copy,
    ):
        for part in rows.iter_slices(100_000):
            copy.write(part.write_csv(include_header=False))


@contextmanager
def sqlite() -> Iterator[Engine]:
    """Give an empty store in a file."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Database.open(f"sqlite:///{Path(folder) / 'store.db'}") as database,
    ):
        yield database.engine


@contextmanager
def postgresql(server: PostgresServer) -> Iterator[Engine]:
    """Give an empty store in a database of its own."""
    server.execute("CREATE DATABASE bench")
    with Database.open(server.url("bench"), check=False) as database:
        upgrade(database)
        yield database.engine
    server.execute("DROP DATABASE bench WITH (FORCE)")


def measure(engine: Engine, shape: Shape, runs: int, repeats: int) -> Iterator[tuple[str, ...]]:
    """Ask for whole datasets and for a column, both ways at once."""
    # What filling left behind is looked through by the collector at every turn otherwise, which a
    # process that only asks is spared.
    gc.collect()
    gc.freeze()
    with engine.connect() as connection:
        for title, dataset in shape.ask(runs).items():
            for column in ("", ".c07"):
                name = f"/data/{dataset + 1}/part.parquet{column}"
                resolving, tracing, working, ways, more = [], [], [], 0, ""
                for number in range(repeats + 1):
                    start = time.perf_counter()
                    found = resolve(connection, name)
                    middle, work = time.perf_counter(), time.process_time()
                    traced = trace(connection, found)
                    working.append((time.process_time() - work) * 1e3)
                    end = time.perf_counter()
                    resolving.append((middle - start) * 1e3)
                    tracing.append((end - middle) * 1e3)
                    if number:
                        continue
                    # The first warms up, and tells how many there are.
                    ways = len(traced.upstream or ()) + len(traced.downstream or ())
                    more = "+" if traced.truncated else ""
                yield (
                    engine.dialect.name,
                    shape.title,
                    title + (" (a column)" if column else ""),
                    f"{ways:,}{more}",
                    f"{statistics.median(resolving[1:]):.1f}",
                    f"{statistics.median(tracing[1:]):.1f}",
                    f"{max(tracing[1:]):.1f}",
                    f"{statistics.median(working[1:]):.1f}",
                )


def explain(engine: Engine, shape: Shape, runs: int) -> None:
    """Print the plans of the walks."""
    prefix = (
        "EXPLAIN QUERY PLAN "
        if engine.dialect.name == "sqlite"
        else "EXPLAIN (ANALYZE, COSTS OFF) "
    )
    for title, dataset in shape.ask(runs).items():
        for upstream in (True, False):
            print(f"-- {engine.dialect.name}, {shape.title}, {title}, upstream={upstream}")
            with engine.connect() as connection:
                query: Any = walk(upstream=upstream, one_column=True, lateral=prepare(connection))
                query = query.params(dataset=dataset + 1, column="c07", rows=WAYS + 1)
                compiled = query.compile(engine, compile_kwargs={"literal_binds": True})
                for row in connection.exec_driver_sql(prefix + str(compiled)):
                    print(row[-1])


def results(
    runs: int, repeats: int, only: str = "", *, plans: bool = False
) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Fill, measure, and give headings and lines."""
    lines: list[tuple[str, ...]] = []
    with PostgresServer(durable=True) as server:
        for shape in (shape for shape in SHAPES if only in shape.title):
            for place in (sqlite(), postgresql(server)):
                with place as engine:
                    fill(engine, shape, runs)
                    lines += measure(engine, shape, runs, repeats)
                    if plans:
                        explain(engine, shape, runs)
    return HEADINGS, lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lineage", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", default="", help="shapes whose title contains this text")
    parser.add_argument("--explain", action="store_true", help="also print the plans")
    options = parser.parse_args()
    headings, lines = results(options.runs, options.repeats, options.only, plans=options.explain)
    for line in (headings, *lines):
        print(" | ".join(line))


if __name__ == "__main__":
    main()
