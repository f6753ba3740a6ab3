"""Jobs that are proved, and their outputs tampered with."""

import json
from pathlib import Path

import polars as pl
import pytest

from tokenkit.jobs import Job, run
from tokenkit.jobs.proving import check_output
from tokenkit.policy import Policy

COLUMNS = {
    "ssn": {"scheme": "us-ssn", "key": "people"},
    "card": {"scheme": "credit-card", "key": "payments", "keep": {"last": 4}},
    "note": {"scheme": "text", "key": "people"},
}


class Proved:
    """A job that was done, and its check."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.report = run(job)

    def check(self, **options):
        """Check the output against the report's digests."""
        return check_output(self.job, run=self.report.run, proofs=self.report.proofs, **options)

    def rewrite(self, change, path=None) -> None:
        """Replace a Parquet file's rows, and keep its metadata, as whoever can write it could."""
        place = Path(path or self.job.output_path)
        metadata = {
            name: text
            for name, text in pl.read_parquet_metadata(place).items()
            if name != "ARROW:schema"
        }
        change(pl.read_parquet(place, hive_partitioning=False)).write_parquet(
            place, metadata=metadata
        )


@pytest.fixture
def proved(ring, tmp_path):
    """Do a job that is to be proved, over files of the test's folder."""

    def doing(
        source, target="b.parquet", columns=None, *, unlisted="keep", rejects=None, **options
    ):
        policy = {"columns": columns or COLUMNS, "unlisted": unlisted}
        if rejects is not None:
            policy["rejects"] = rejects
        return Proved(
            Job(
                operation="tokenize",
                source=tmp_path / source,
                target=tmp_path / target,
                policy=Policy.from_mapping(policy),
                keyring=ring,
                prove=True,
                **options,
            )
        )

    return doing


def luhn(number: int) -> str:
    """Give a card number of 16 digits."""
    digits = f"{number:015d}"
    total = sum(
        sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits, 1)
    )
    return digits + str(-total % 10)


@pytest.fixture
def people():
    """Give rows that fit the columns' schemes."""
    count = 300
    return pl.DataFrame(
        {
            "ssn": [f"{number % 600 + 1:03d}-05-{number + 1:04d}" for number in range(count)],
            "card": [luhn(4539 * 10**11 + number * 7919) for number in range(count)],
            "note": [None if number % 5 == 0 else f"note {number % 50}" for number in range(count)],
            "id": range(count),
        }
    )


def shown(found) -> str:
    """Give everything that a check says."""
    return json.dumps(found.to_json()) + repr(found)
