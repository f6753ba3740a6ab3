"""Delta Lake, in folders."""

import deltalake
import polars as pl
import pytest

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import find_connector
from tokenkit.testing.connectors import SinkConformance, SourceConformance, System
from tokenkit.testing.connectors.sinks import RUN, write
from tokenkit.testing.connectors.values import numbered


class DeltaFolder(System):
    """A folder of Delta tables."""

    connector = "delta"
    secrets = ("s3cret-of-the-store",)
    refused = frozenset({"uint64", "time"})

    def __init__(self, folder):
        self.folder = folder
        self.stored_as = {
            "uint8": pl.Int16(),
            "uint16": pl.Int32(),
            "uint32": pl.Int64(),
            "category": pl.String(),
        }

    def place(self, table):
        """A folder's name is plain, whatever stands for the table."""
        return str(self.folder / table.encode().hex())

    def options(self, table):
        return {"path": self.place(table)}

    def unreachable(self):
        return {
            "url": "s3://bucket/table",
            "storage_options": {
                "AWS_ACCESS_KEY_ID": self.secrets[0],
                "AWS_SECRET_ACCESS_KEY": self.secrets[0],
                "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "eu-north-1",
                "max_retries": "0",
                "retry_timeout": "1s",
            },
        }

    def fill(self, table, rows):
        stored = {name: self.stored_as[name] for name in rows.columns if name in self.stored_as}
        deltalake.write_deltalake(
            self.place(table), rows.cast(stored), mode="overwrite", schema_mode="overwrite"
        )

    def rows(self, table):
        place = self.place(table)
        if not deltalake.DeltaTable.is_deltatable(place):
            return None
        return pl.DataFrame(deltalake.DeltaTable(place).to_pyarrow_table())


@pytest.mark.parametrize("name", ["a b", "\u00e6", "a%b", "*", 'a"b'])
def test_paths_that_are_not_read_alike_are_refused(tmp_path, name):
    """A place that can be written and not read is none."""
    with pytest.raises(JobError):
        find_connector("delta").open_sink({"path": str(tmp_path / name)})


class TestSource(SourceConformance):
    """The kit's tests of sources."""

    @pytest.fixture
    def system(self, tmp_path):
        return DeltaFolder(tmp_path)


class TestSink(SinkConformance):
    """The kit's tests of sinks."""

    @pytest.fixture
    def system(self, tmp_path):
        return DeltaFolder(tmp_path)


def test_each_job_is_one_version(tmp_path):
    """A table's history has one commit a job, of replacing and of a run that is done again."""
    system = DeltaFolder(tmp_path)
    for mode in ("replace", "append", "append", "replace"):
        write(system, "t", numbered(10), mode)
    assert deltalake.DeltaTable(system.place("t")).version() == 3


def test_a_source_stays_at_its_version(tmp_path):
    """What is committed later isn't read, and the fingerprint is that of what is read."""
    system = DeltaFolder(tmp_path)
    write(system, "t", numbered(10))
    source = system.source("t")
    before = source.fingerprint()
    write(system, "t", numbered(3).with_columns(more=pl.lit(1)), run=RUN)
    assert source.scan().collect().shape == (10, 2)
    assert source.estimated_rows == 10
    assert (source.fingerprint(), system.source("t").fingerprint() != before) == (before, True)
    old = find_connector("delta").open_source({**system.options("t"), "version": 0})
    assert old.scan().collect().height == 10
