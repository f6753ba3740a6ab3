"""Copies of files through the connectors alone."""

from pathlib import Path

import polars as pl
import pytest

from tokenkit.errors import InputError
from tokenkit.jobs.connectors import TextOptions, format_of, suffix_of


class Copying:
    """Copies files as a job does: rows and their number come out of one query."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        source: str,
        target: str,
        given: TextOptions | None = None,
        wanted: TextOptions | None = None,
        metadata: str | None = None,
    ) -> int:
        """Copy a file; gives the number of rows."""
        a, b = self.folder / source, self.folder / target
        opened = format_of(a).source(a, given or TextOptions())
        opened.check()
        sink = format_of(b).sink(suffix_of(b) or "", wanted or TextOptions())
        sink.check(opened.schema)
        aside = b.with_name("aside.tmp")
        failed, count = None, -1
        try:
            with aside.open("w+b") as file:
                rows = opened.scan()
                frames = [sink.write(rows, file, metadata), rows.select(pl.len().alias("rows"))]
                try:
                    count = int(pl.collect_all(frames, engine="streaming")[1]["rows"][0])
                except Exception as exc:  # noqa: BLE001 - whatever class Polars makes of it
                    failed = opened.explain(str(exc))
                    assert failed is not None
                else:
                    sink.finish(file)
            if failed is not None:
                raise failed
            assert sink.count(aside) == count
            assert opened.rows == count
            aside.rename(b)
            return count
        finally:
            aside.unlink(missing_ok=True)

    def refused(
        self, source: str, given: TextOptions | None = None, canary: str | None = None
    ) -> InputError:
        """Copy a file that can't be, and look that nothing of it stays or shows."""
        before = sorted(self.folder.iterdir())
        with pytest.raises(InputError) as caught:
            self(source, "refused.parquet", given)
        error = caught.value
        assert sorted(self.folder.iterdir()) == before
        assert error.file == str(self.folder / source)
        assert error.__cause__ is None
        assert error.__context__ is None
        if canary is not None:
            assert canary not in f"{error} {error!r} {error.__dict__}"
        return error


@pytest.fixture
def copy(tmp_path):
    """Copy files of the test's folder."""
    return Copying(tmp_path)
