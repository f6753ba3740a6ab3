"""DuckDB, on real files."""

import time

import duckdb
import polars as pl
import pytest

from tokenkit.testing.connectors import SinkConformance, SourceConformance, System


class DuckDBFile(System):
    """A DuckDB file in a folder."""

    connector = "duckdb"

    def __init__(self, folder):
        self.stored_as = {"category": pl.String()}
        self.path = folder / "tables.duckdb"

    def options(self, table):
        name = table.replace('"', '""')
        return {"path": str(self.path), "table": f'"{name}"'}

    def unreachable(self):
        return {"path": str(self.path.parent), "table": "a"}

    def fill(self, table, rows):
        with duckdb.connect(str(self.path)) as connection:
            connection.register("rows_to_fill", rows)
            name = table.replace('"', '""')
            connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS FROM rows_to_fill').fetchall()

    def _opened(self):
        while True:
            try:
                return duckdb.connect(str(self.path))
            except duckdb.ResourceInUseException:
                # Another thread is just opening or closing it.
                time.sleep(0.001)

    def rows(self, table):
        name = table.replace('"', '""')
        if not self.path.exists():
            return None
        with self._opened() as connection:
            connection.execute("SET TimeZone = 'UTC'").fetchall()
            try:
                found = connection.sql(f'FROM "{name}"')
            except duckdb.CatalogException:
                return None
            return pl.DataFrame(found.to_arrow_reader().read_all())


@pytest.fixture
def system(tmp_path):
    """Give an empty file."""
    return DuckDBFile(tmp_path)


class TestSource(SourceConformance):
    """The kit's tests of sources."""

    @pytest.fixture
    def system(self, tmp_path):
        return DuckDBFile(tmp_path)


class TestSink(SinkConformance):
    """The kit's tests of sinks."""

    @pytest.fixture
    def system(self, tmp_path):
        return DuckDBFile(tmp_path)
