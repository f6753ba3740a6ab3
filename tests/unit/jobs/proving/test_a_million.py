"""One clear value among a million tokens."""

import polars as pl
import pytest

from tests.unit.jobs.proving.conftest import shown
from tokenkit.jobs.proving import DifferingRow

COUNT, PLACE = 1_000_000, 654_321


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_one_clear_value_among_a_million_tokens_fails_the_check(proved, tmp_path, suffix):
    """It says row and column, not the value; which is some other row's token, or might be."""
    number = pl.int_range(COUNT, eager=True)
    frame = pl.DataFrame(
        {
            "id": number.cast(pl.String).str.zfill(9),
            "ssn": pl.select(
                pl.format(
                    "{}-05-{}",
                    (number % 600 + 1).cast(pl.String).str.zfill(3),
                    (number % 9999 + 1).cast(pl.String).str.zfill(4),
                )
            ).to_series(),
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    columns = {
        "id": {"scheme": "digits", "key": "people"},
        "ssn": {"scheme": "us-ssn", "key": "people"},
    }
    job = proved("a.parquet", f"b.{suffix}", columns=columns)
    assert job.check().holds
    clear = frame["id"][PLACE]
    if suffix == "parquet":
        job.rewrite(
            lambda rows: rows.with_columns(
                id=pl.when(pl.int_range(pl.len()) == PLACE).then(pl.lit(clear)).otherwise("id")
            )
        )
    else:
        lines = (tmp_path / "b.csv").read_text().splitlines()
        lines[PLACE + 1] = f"{clear},{lines[PLACE + 1].split(',')[1]}"
        (tmp_path / "b.csv").write_text("\n".join([*lines, ""]))
    found = job.check()
    assert {name: column.holds for name, column in found.columns.items()} == {
        "id": False,
        "ssn": True,
    }
    assert found.columns["id"].differing == 1
    assert found.differing == (
        DifferingRow(
            column="id",
            file=f"b.{suffix}",
            row=PLACE,
            source_file="a.parquet",
            source_row=PLACE,
        ),
    )
    assert clear not in shown(found)
