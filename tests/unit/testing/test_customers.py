"""The made-up customers are what their docstring says."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial

import polars as pl
import pytest

from tokenkit.testing import customers, write_customers

ROWS = 20_000
DIRTY_COLUMNS = ("card", "ssn", "account")


@pytest.fixture(scope="module")
def clean():
    return customers(ROWS, seed=3, dirty=0)


def luhn_holds(digits: str) -> bool:
    """Luhn's check, written apart from the generator's: one digit at a time, from the right."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def test_a_longer_frame_begins_with_the_shorter_one(clean):
    """Rows depend on the seed and their number, not on how many are made."""
    assert clean.head(100).equals(customers(100, seed=3, dirty=0))
    assert clean.slice(500, 50).equals(customers(50, seed=3, dirty=0, start=500))


def test_the_seed_decides(clean):
    """The same seed gives the same customers, another one others."""
    assert clean.equals(customers(ROWS, seed=3, dirty=0))
    other = customers(ROWS, seed=4, dirty=0)
    for column in ("email", "card", "ssn", "account", "phone"):
        assert clean[column].eq_missing(other[column]).mean() < 0.1


def test_clean_cards_have_valid_check_digits_and_known_lengths(clean):
    """Every clean card has a valid check digit and 15, 16 or 19 digits, in three writings."""
    cards = [card for card in clean["card"] if card]
    digits = [card.replace(" ", "").replace("-", "") for card in cards]
    assert all(luhn_holds(number) for number in digits)
    assert set(map(len, digits)) == {15, 16, 19}
    styles = Counter("space" if " " in c else "hyphen" if "-" in c else "plain" for c in cards)
    assert min(styles.values()) > ROWS / 10
    assert len(styles) == 3


def test_clean_ssns_are_well_formed(clean):
    """Every clean SSN has nine digits, in both writings, and no group that is never issued."""
    ssns = [ssn for ssn in clean["ssn"] if ssn]
    assert any("-" in ssn for ssn in ssns)
    assert any("-" not in ssn for ssn in ssns)
    for ssn in ssns:
        digits = ssn.replace("-", "")
        assert len(digits) == 9
        assert digits.isascii()
        assert digits.isdigit()
        assert digits[:3] not in {"000", "666"}
        assert digits[:3] < "900"
        assert digits[3:5] != "00"
        assert digits[5:] != "0000"


def test_accounts_are_ten_letters_and_digits(clean):
    """Every clean account is ten ASCII letters and digits."""
    accounts = [account for account in clean["account"] if account]
    assert all(len(a) == 10 and a.isascii() and a.isalnum() for a in accounts)


def test_nulls_and_empties_are_there(clean):
    """About two in a hundred are null, one in a hundred of the strings empty."""
    for column in ("email", "phone", "card", "ssn", "birth_date", "account", "note"):
        assert 0.01 < clean[column].null_count() / ROWS < 0.03
    for column in ("email", "phone", "card", "ssn", "account", "note"):
        assert 0.005 < (clean[column] == "").sum() / ROWS < 0.02
    assert (
        clean.select("customer_id", "first_name", "last_name", "amount")
        .null_count()
        .sum_horizontal()
        .item()
        == 0
    )


def test_dirt_is_only_where_it_was_asked_for(clean):
    """Three columns get the share of dirt asked for, and every other cell stays as it was."""
    dirty = customers(ROWS, seed=3, dirty=0.05)
    for column in clean.columns:
        changed = dirty[column].ne_missing(clean[column]).sum() / ROWS
        if column in DIRTY_COLUMNS:
            assert 0.035 < changed < 0.065
        else:
            assert changed == 0


def test_no_dirty_value_is_acceptable(clean):
    """No dirty card, SSN or account has the form of a clean one."""
    dirty = customers(ROWS, seed=3, dirty=1)
    for card in filter(None, dirty["card"]):
        digits = card.replace(" ", "").replace("-", "")
        well_formed = digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19
        assert not (well_formed and luhn_holds(digits))
    for ssn in filter(None, dirty["ssn"]):
        digits = ssn.replace("-", "")
        assert not (digits.isascii() and digits.isdigit() and len(digits) == 9)
    for account in filter(None, dirty["account"]):
        assert not (account.isascii() and account.isalnum() and len(account) >= 4)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_written_in_chunks_has_the_same_rows(tmp_path, suffix):
    """Chunks don't show in the file, and nothing is left beside it."""
    path = tmp_path / f"customers{suffix}"
    write_customers(path, 1_050, seed=3, chunk_rows=200)
    expected = customers(1_050, seed=3)
    read = pl.read_parquet if suffix == ".parquet" else partial(pl.read_csv, schema=expected.schema)
    found = read(path)
    assert found.equals(expected)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_of_no_rows_has_its_header(tmp_path, suffix):
    """No customers still make a readable file."""
    path = tmp_path / f"customers{suffix}"
    write_customers(path, 0)
    found = pl.read_csv(path) if suffix == ".csv" else pl.read_parquet(path)
    assert found.height == 0
    assert found.columns == customers(0).columns


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((-1,), {}), ((1,), {"dirty": 1.5}), ((1,), {"dirty": -0.1}), ((1,), {"start": -1})],
)
def test_bad_arguments_are_refused(arguments, options):
    """Counts below zero and shares outside 0 to 1 raise ValueError."""
    with pytest.raises(ValueError, match=r"rows|share"):
        customers(*arguments, **options)


def test_unknown_suffix_is_refused(tmp_path):
    """Only CSV and Parquet files are written."""
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        write_customers(tmp_path / "customers.xlsx", 1)


def test_the_module_runs_as_a_command(tmp_path):
    """`python -m tokenkit.testing.customers` writes the file it is asked for."""
    path = tmp_path / "customers.csv"
    command = [
        sys.executable,
        "-m",
        "tokenkit.testing.customers",
        "25",
        "-o",
        str(path),
        "--seed",
        "3",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "25 customers" in done.stdout
    assert pl.read_csv(path, schema=customers(0).schema).equals(customers(25, seed=3))
