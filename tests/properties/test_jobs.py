"""Any frame under any policy comes back from a job's files as it was."""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenkit.errors import InvalidValues, TokenkitError
from tokenkit.jobs import Job, run
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

LETTERS = "abcdefghijklmnopqrstuvwxyzåéø"
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
KEEP = st.sampled_from([{}, {"last": 2}, {"first": 1}, {"first": 2, "last": 1}])


def luhn(digits: str) -> str:
    """Append the check digit."""
    total = sum(
        sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(digits[::-1])
    )
    return digits + str(-total % 10)


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    """Draw strings of digits."""
    return st.text("0123456789", min_size=least, max_size=most)


SCHEMES: dict[str, tuple[st.SearchStrategy[str], dict[str, Any]]] = {
    "digits": (digits(9, 40), {"min_length": 9}),
    "alphanumeric": (st.text("0123456789ABCXYZabcxyz", min_size=8, max_size=50), {"min_length": 8}),
    "custom": (
        st.text(LETTERS, min_size=9, max_size=40),
        {"alphabet": LETTERS, "min_length": 9},
    ),
    "credit-card": (digits(15, 18).map(luhn), {"min_length": 16}),
    "us-ssn": (digits(9, 9), {}),
    "text": (ANY_TEXT, {}),
}


@st.composite
def tokenized(draw):
    """Draw a column's rule and values that fit it."""
    scheme = draw(st.sampled_from(sorted(SCHEMES)))
    values, parameters = SCHEMES[scheme]
    rule = {"scheme": scheme, "key": draw(st.sampled_from(["one", "two"])), **parameters}
    if scheme != "text" and (keep := draw(KEEP)):
        rule["keep"] = keep
    if scheme == "credit-card":
        rule["check_digit"] = draw(st.sampled_from(["invalid", "valid", "ignore"]))
    return rule, st.one_of(st.none(), st.just(""), values)


@st.composite
def cases(draw):
    """Draw a frame and a policy for it."""
    names = draw(st.lists(ANY_TEXT.filter(bool), min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(0, 12))
    frame, columns = {}, {}
    for index, name in enumerate(names):
        if draw(st.booleans()) or index == 0:
            rule, values = draw(tokenized())
            columns[name] = {**rule, "domain": f"d{index}"}
        else:
            values = st.one_of(st.none(), ANY_TEXT)
        frame[name] = draw(st.lists(values, min_size=rows, max_size=rows))
    schema = dict.fromkeys(names, pl.String)
    return pl.DataFrame(frame, schema=schema), {"columns": columns, "unlisted": "keep"}


@pytest.fixture(scope="module")
def ring():
    """Give a keyring of two keys."""
    with Keyring.from_secrets({"one": bytes(range(32)), "two": bytes(range(7, 39))}) as opened:
        yield opened


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=cases(),
    suffixes=st.tuples(*[st.sampled_from(["csv", "parquet"])] * 3),
    with_policy=st.booleans(),
)
def test_every_file_comes_back(ring, case, suffixes, with_policy):
    """CSV and Parquet in any order, detokenized by metadata alone or with the policy too."""
    frame, fields = case
    policy = Policy.from_mapping(fields)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.{suffix}") for number, suffix in enumerate(suffixes)]
        write(frame, paths[0])
        there = run(
            Job(
                operation="tokenize",
                source=paths[0],
                target=paths[1],
                policy=policy,
                keyring=ring,
            )
        )
        back = run(
            Job(
                operation="detokenize",
                source=paths[1],
                target=paths[2],
                policy=policy if with_policy else None,
                keyring=ring,
            )
        )
        assert there.rows_written == back.rows_written == frame.height
        assert {name: (c.done, c.null, c.empty) for name, c in there.columns.items()} == {
            name: (c.done, c.null, c.empty) for name, c in back.columns.items()
        }
        assert read(paths[2]).equals(frame)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(st.one_of(st.none(), ANY_TEXT, digits(6, 20)), max_size=20))
def test_no_clear_value_comes_out(ring, values):
    """Whatever stands in a column, it comes out as a token, null or empty, or not at all."""
    frame = pl.DataFrame({"v": values}, schema={"v": pl.String})
    columns = {"v": {"scheme": "digits", "key": "one", "on_invalid": "null"}}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.csv"), Path(folder, "b.csv")
        write(frame, source)
        lenient = Job(
            operation="tokenize",
            source=source,
            target=target,
            policy=Policy.from_mapping({"columns": columns}),
            keyring=ring,
        )
        report = run(lenient)
        fit = [value for value in values if value and value.isascii() and value.isdecimal()]
        fit = [value for value in fit if len(value) >= 6]
        assert report.columns["v"].done == len(fit)
        tokens = read(target)["v"].to_list()
        assert all(
            not token or (len(token) == len(value) and token.isdecimal())
            for token, value in zip(tokens, values, strict=True)
        )
        del columns["v"]["on_invalid"]
        strict = Job(
            operation="tokenize",
            source=source,
            target=Path(folder, "c.csv"),
            policy=Policy.from_mapping({"columns": columns}),
            keyring=ring,
        )
        if report.invalid_count:
            with pytest.raises(InvalidValues) as caught:
                run(strict)
            assert caught.value.count == report.invalid_count
            assert not strict.output_path.exists()
        else:
            run(strict)


@settings(deadline=None, max_examples=150)
@given(content=st.one_of(st.binary(max_size=200), ANY_TEXT.map(str.encode)))
def test_any_bytes_are_a_file_or_a_typed_error(ring, content):
    """A fuzzed CSV or Parquet file never gives another error, nor leaves a file behind."""
    policy = Policy.from_mapping({"columns": {}, "unlisted": "keep"})
    for suffix in ("csv", "parquet"):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, f"a.{suffix}"), Path(folder, "b.csv")
            source.write_bytes(content)
            job = Job(
                operation="tokenize", source=source, target=target, policy=policy, keyring=ring
            )
            try:
                run(job)
            except TokenkitError as error:
                assert error.__context__ is None
                assert [path.name for path in Path(folder).iterdir()] == [source.name]


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame to a file."""
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)


def read(path: Path) -> pl.DataFrame:
    """Read a file as text."""
    if path.suffix == ".csv":
        # Polars leaves doubled quotes in a header as they are, so the header is read as a row.
        names = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False).row(0)
        return pl.read_csv(path, infer_schema=False, new_columns=list(names))
    return pl.read_parquet(path)
