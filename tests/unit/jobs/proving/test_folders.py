"""Outputs of many files are checked as one, and rows are named by file."""

import polars as pl
import pytest

from tokenkit.errors import InputNotFound
from tokenkit.jobs.proving import DifferingRow


def tampered(rows: pl.DataFrame) -> pl.DataFrame:
    """Put the first row's token into the third one's place."""
    tokens = rows["ssn"].to_list()
    tokens[2] = tokens[0]
    return rows.with_columns(pl.Series("ssn", tokens))


@pytest.fixture
def folder(write, people):
    """Give a folder of three files."""
    for number in range(3):
        write(f"in/{number}.parquet", people[number * 100 : number * 100 + 100])


def test_a_mirrored_folder_is_checked_file_by_file(proved, folder, tmp_path):
    """One digest is about all files; rows are named by their own."""
    job = proved("in", "out")
    assert job.check().holds
    job.rewrite(tampered, tmp_path / "out/1.parquet")
    found = job.check()
    assert not found.holds
    assert found.differing == (
        DifferingRow(column="ssn", file="1.parquet", row=2, source_file="1.parquet", source_row=2),
    )


def test_a_file_that_is_gone_shows(proved, folder, tmp_path):
    """Its rows are those that the output lacks."""
    job = proved("in", "out", output_format=".csv")
    assert job.check().holds
    (tmp_path / "out/2.csv").unlink()
    found = job.check(most_rows=1)
    assert (found.holds, found.rows) == (False, 200)
    assert found.columns["ssn"].differing == 100
    assert found.differing[0] == DifferingRow(column="ssn", source_file="2.parquet", source_row=0)


def test_files_that_moved_to_another_place_still_hold(proved, folder, tmp_path):
    """Every value is there once; which file it's in isn't proved."""
    job = proved("in", "out")
    for old, new in (("0", "x"), ("1", "0"), ("x", "1")):
        (tmp_path / f"out/{old}.parquet").rename(tmp_path / f"out/{new}.parquet")
    assert job.check().holds


def test_a_part_is_checked_by_itself(proved, write, people, tmp_path):
    """Others write to the same folder."""
    write("a.parquet", people.head(100))
    write("b.parquet", people.tail(100))
    first = proved("a.parquet", "out", mode="append", output_format=".parquet")
    second = proved("b.parquet", "out", mode="append", output_format=".parquet")
    part = tmp_path / "out" / f"part-{second.report.run}.parquet"
    second.rewrite(tampered, part)
    assert first.check().holds
    [row] = second.check().differing
    assert (row.file, row.row, row.source_file) == (part.name, 2, "b.parquet")
    part.unlink()
    with pytest.raises(InputNotFound):
        second.check()


def test_several_files_in_one_part_hold(proved, folder):
    """The digests of several inputs are one, and rows are named by the input's file."""
    job = proved("in", "out", mode="append", output_format=".parquet")
    [part] = job.job.target.iterdir()
    assert job.check().holds
    job.rewrite(lambda rows: pl.concat([rows[:150], tampered(rows[150:])]), part)
    [row] = job.check().differing
    assert (row.row, row.source_file, row.source_row) == (152, "1.parquet", 52)


def test_partitions_are_checked_in_any_order(proved, write, people, tmp_path):
    """Columns in the path too; a value that is lost is named in the source, its stand-in here."""
    rows = people.with_columns(team=pl.format("team{}", pl.col("id") % 3)).drop("note", "card")
    write("a.parquet", rows)
    columns = {
        "ssn": {"scheme": "us-ssn", "key": "people"},
        "team": {"scheme": "text", "key": "people"},
    }
    job = proved("a.parquet", "out", columns=columns, mode="partition", partition_by=("team",))
    assert job.check().holds
    part = next((tmp_path / "out").rglob("*.parquet"))
    clear = pl.read_parquet(part, hive_partitioning=False)["id"][2]

    def left_in_clear(found):
        tokens = found["ssn"].to_list()
        tokens[2] = people["ssn"][clear]
        return found.with_columns(pl.Series("ssn", tokens))

    job.rewrite(left_in_clear, part)
    found = job.check()
    assert {name: column.holds for name, column in found.columns.items()} == {
        "ssn": False,
        "team": True,
    }
    there, here = found.differing
    assert (there.file, there.row) == (f"team=*/{part.name}", 2)
    assert (here.source_file, here.source_row) == ("a.parquet", clear)
    folder = part.parent
    folder.rename(folder.with_name("team=" + "A" * 30))
    assert job.check().columns["team"].not_tokens == 100


def test_tokens_in_paths_that_are_mirrored_hold(proved, write, people):
    """Each file's value counts for all of its rows."""
    for number in range(3):
        write(f"in/team=t{number}/x.parquet", people[number * 100 : number * 100 + 100])
    columns = {
        "ssn": {"scheme": "us-ssn", "key": "people"},
        "team": {"scheme": "text", "key": "people"},
    }
    job = proved("in", "out", columns=columns)
    found = job.check()
    assert (found.holds, found.rows, set(found.columns)) == (True, 300, {"ssn", "team"})
