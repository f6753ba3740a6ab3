"""A job is all or nothing, and says what it did in numbers."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tokenkit.errors import (
    InputNotFound,
    InvalidValues,
    JobError,
    KeyVersionUnknown,
    MetadataMismatch,
    MetadataMissing,
    MetadataTampered,
    OutputExists,
    PolicyError,
    TokenkitError,
    UnknownKey,
    UnsupportedType,
)
from tokenkit.jobs import JobRefused, Report
from tokenkit.policy import METADATA_KEY

CARDS = ["4111111111111111", "", None, "5555-5555-5555-4444", "4012 8888 8888 1881"]
CARD: dict[str, Any] = {"card": {"scheme": "credit-card", "key": "payments", "keep": {"last": 4}}}
SSN = {"ssn": {"scheme": "us-ssn", "key": "people"}}
CANARY = "CANARY4111111111111112"


def names(folder: Path) -> list[str]:
    """List everything in a folder, temporary files included."""
    return sorted(path.name for path in folder.iterdir())


def test_parquet_there_and_back(job, write, tmp_path):
    """Tokens differ from the values, and come back exactly; other columns stay."""
    frame = pl.DataFrame({"card": CARDS, "n": [1, 2, 3, 4, 5], "x": [0.1, None, -0.0, 1e300, 2.5]})
    write("a.parquet", frame)
    report = job("tokenize", "a.parquet", "b.parquet", CARD)
    tokens = pl.read_parquet(tmp_path / "b.parquet")
    assert tokens.schema == frame.schema
    assert tokens.drop("card").equals(frame.drop("card"))
    assert tokens["card"][1] == ""
    assert tokens["card"][2] is None
    assert all(a != b for a, b in zip(tokens["card"], CARDS, strict=True) if b)
    column = report.columns["card"]
    assert (column.done, column.null, column.empty, column.invalid) == (3, 1, 1, {})
    assert (report.rows_read, report.rows_written, report.kept) == (5, 5, ("n", "x"))
    assert report.bytes_written == (tmp_path / "b.parquet").stat().st_size
    job("detokenize", "b.parquet", "c.parquet")
    assert pl.read_parquet(tmp_path / "c.parquet").equals(frame)
    assert METADATA_KEY not in pl.read_parquet_metadata(tmp_path / "c.parquet")
    job("detokenize", "b.parquet", "d.parquet", CARD)
    assert pl.read_parquet(tmp_path / "d.parquet").equals(frame)
    assert names(tmp_path) == ["a.parquet", "b.parquet", "c.parquet", "d.parquet"]


def test_csv_tells_null_from_empty_and_guesses_at_nothing(job, write, tmp_path):
    """Kept fields come out byte for byte; tokens come back through the sidecar."""
    text = (
        'id,card,"odd, name",z\n'
        '007,4111111111111111,"a ""quoted"", field",NA\n'
        '1234567890123456789,"","line\nbreak",\n'
        ',,"",null\n'
        '-0.10,4012888888881881," spaces ",1e5\n'
    )
    write("a.csv", text)
    report = job("tokenize", "a.csv", "b.csv", CARD)
    assert (report.columns["card"].done, report.columns["card"].null) == (2, 1)
    assert report.columns["card"].empty == 1
    assert names(tmp_path) == ["a.csv", "b.csv", "b.csv.tokenkit.json"]
    job("detokenize", "b.csv", "c.csv")
    assert (tmp_path / "c.csv").read_text() == text.replace('" spaces "', " spaces ")
    assert names(tmp_path) == ["a.csv", "b.csv", "b.csv.tokenkit.json", "c.csv"]


def test_a_single_csv_column_keeps_its_nulls(job, write, tmp_path):
    """A line that is empty is a null, and a quoted one an empty string, first and last too."""
    text = 'card\n\n4111111111111111\n""\n\n'
    write("a.csv", text)
    report = job("tokenize", "a.csv", "b.csv", CARD)
    assert report.rows_written == 4
    job("detokenize", "b.csv", "c.csv")
    assert (tmp_path / "c.csv").read_text() == text


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_no_rows_is_fine(job, write, tmp_path, suffix):
    """A file of a header only gives another."""
    frame = pl.DataFrame({"card": []}, schema={"card": pl.String})
    write(f"a.{suffix}", "card\n" if suffix == "csv" else frame)
    assert job("tokenize", f"a.{suffix}", f"b.{suffix}", CARD).rows_written == 0
    assert job("detokenize", f"b.{suffix}", "c.parquet").rows_written == 0
    assert pl.read_parquet(tmp_path / "c.parquet").equals(frame)


def test_categoricals_stay_and_do_not_leak(job, write, tmp_path):
    """A dictionary column stays one; the output's dictionary has no value of the input's."""
    values = [f"41111111{n:08d}" for n in range(500)] * 3
    frame = pl.DataFrame({"id": values, "n": range(1500)})
    frame = frame.with_columns(pl.col("id").cast(pl.Categorical))
    write("a.parquet", frame)
    job("tokenize", "a.parquet", "b.parquet", {"id": {"scheme": "digits", "key": "people"}})
    assert b"41111111" not in (tmp_path / "b.parquet").read_bytes()
    assert pl.read_parquet(tmp_path / "b.parquet").schema["id"] == pl.Categorical
    report = job("detokenize", "b.parquet", "c.parquet")
    assert report.columns["id"].done == 1500
    back = pl.read_parquet(tmp_path / "c.parquet")
    assert back.schema == frame.schema
    assert back.select(pl.all().cast(pl.String)).equals(frame.select(pl.all().cast(pl.String)))


def test_columns_can_be_dropped(job, write, tmp_path):
    """A dropped column is gone, and isn't missed on the way back."""
    columns = {**CARD, "note": {"action": "drop"}}
    write("a.csv", f"note,card\n{CANARY},4111111111111111\n")
    assert job("tokenize", "a.csv", "b.csv", columns).dropped == ("note",)
    assert CANARY not in (tmp_path / "b.csv").read_text()
    job("detokenize", "b.csv", "c.csv", columns)
    assert (tmp_path / "c.csv").read_text() == "card\n4111111111111111\n"
    with pytest.raises(PolicyError, match="every column is dropped"):
        job("tokenize", "a.csv", "d.csv", {}, unlisted="drop")


def test_error_runs_to_its_end_and_deletes_the_output(job, write, tmp_path):
    """Counts by column and reason, over all rows; nothing is written, no value shows."""
    rows = "".join(f"{CANARY},1\n" for _ in range(3)) + "4111111111111112,2\n4111,078-05-1120\n"
    write("a.csv", "card,ssn\n" + rows)
    with pytest.raises(InvalidValues) as caught:
        job("tokenize", "a.csv", "b.csv", CARD | SSN)
    error = caught.value
    assert isinstance(error, JobRefused)
    assert isinstance(error.report, Report)
    assert error.report.columns["card"].invalid == {
        "too_short": 1,
        "character": 3,
        "check_digit": 1,
    }
    assert error.report.columns["ssn"].invalid == {"too_short": 4}
    assert (error.report.rows_read, error.report.rows_written) == (5, 0)
    assert (error.column, error.reason, error.count) == ("card", "character", 9)
    assert CANARY not in f"{error} {error!r} {error.report}"
    assert error.__context__ is None
    assert names(tmp_path) == ["a.csv"]


def test_null_makes_nulls_and_counts_them(job, write, tmp_path):
    """Only the column that says error refuses; the other's values become null."""
    lenient = {"card": {**CARD["card"], "on_invalid": "null"}}
    write("a.csv", f"card\n{CANARY}\n4111111111111111\n")
    report = job("tokenize", "a.csv", "b.parquet", lenient)
    assert report.columns["card"].invalid == {"character": 1}
    assert (report.columns["card"].done, report.invalid_count) == (1, 1)
    assert pl.read_parquet(tmp_path / "b.parquet")["card"][0] is None


def test_what_is_no_token_refuses_detokenizing(job, write, tmp_path):
    """A sealed token that was changed is found out, even if invalid values were to be null."""
    write("a.csv", "note\nhello\nworld\n")
    columns = {"note": {"scheme": "text", "key": "people", "on_invalid": "null"}}
    job("tokenize", "a.csv", "b.csv", columns)
    lines = (tmp_path / "b.csv").read_text().splitlines()
    lines[1] = lines[1][:-3] + ("AAA" if lines[1][-3:] != "AAA" else "BBB")
    (tmp_path / "b.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidValues, match="are no tokens of their key") as caught:
        job("detokenize", "b.csv", "c.csv")
    assert caught.value.count == 1
    assert job("detokenize", "b.csv", "c.csv", columns).columns["note"].invalid_count == 1


def test_paths_are_checked_first(job, write, tmp_path):
    """Missing input, the same file twice, an output that is there, unknown formats."""
    write("a.csv", "card\n4111111111111111\n")
    write("b.csv", "old\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    for source, target, kind in [
        ("none.csv", "c.csv", InputNotFound),
        ("folder.csv", "c.csv", InputNotFound),
        ("a.csv", "a.csv", JobError),
        ("a.csv", "link.csv", JobError),
        ("a.csv", "folder.csv", JobError),
        ("a.csv", "b.csv", OutputExists),
        ("a.csv", "c.xlsx", JobError),
        ("a.csv", "none/c.csv", JobError),
    ]:
        with pytest.raises(kind):
            job("tokenize", source, target, CARD)
    assert (tmp_path / "b.csv").read_text() == "old\n"
    with pytest.raises(JobError, match="same file"):
        job("tokenize", "a.csv", "link.csv", CARD, force=True)


def test_replacing_leaves_no_stale_sidecar(job, write, tmp_path):
    """An output that has no tokens isn't left beside the sidecar of one that had."""
    write("a.csv", "card\n4111111111111111\n")
    job("tokenize", "a.csv", "b.csv", CARD)
    (tmp_path / "b.csv").chmod(0o640)
    job("tokenize", "a.csv", "b.csv", {}, force=True)
    assert names(tmp_path) == ["a.csv", "b.csv"]
    job("tokenize", "a.csv", "b.csv", CARD, force=True)
    job("detokenize", "b.csv", "c.csv")
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_the_output_has_the_usual_permissions(job, write, tmp_path):
    """A new file gets what the umask leaves, a replaced one keeps its own."""
    write("a.csv", "card\n4111111111111111\n")
    old = os.umask(0o027)
    try:
        job("tokenize", "a.csv", "b.parquet", CARD)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "b.parquet").stat().st_mode) == 0o640
    (tmp_path / "b.parquet").chmod(0o600)
    job("tokenize", "a.csv", "b.parquet", CARD, force=True)
    assert stat.S_IMODE((tmp_path / "b.parquet").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "",
        f"card,card\n{CANARY},1\n",
        f"card,\n{CANARY},1\n",
        f"card\n{CANARY},1\n",
        f'card,x\n"{CANARY},1\n2,3\n',
        b"card\n\xff" + CANARY.encode() + b"\n",
    ],
)
def test_broken_csv_is_a_typed_error(job, write, tmp_path, content):
    """Duplicate and empty names, long rows, open quotes and bad UTF-8; no value shows."""
    write("a.csv", content)
    with pytest.raises(TokenkitError) as caught:
        job("tokenize", "a.csv", "b.csv", CARD)
    assert CANARY not in f"{caught.value} {caught.value!r}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert names(tmp_path) == ["a.csv"]


def test_broken_parquet_is_a_typed_error(job, write, tmp_path):
    """No Parquet, cut short, or with changed bytes in its data."""
    frame = pl.DataFrame({"card": [f"4111111{n:012d}" for n in range(50_000)]})
    whole = write("whole.parquet", frame).read_bytes()
    damaged = bytearray(whole)
    damaged[1000:1400] = bytes(400)
    for content in (b"", b"PAR1", whole[:5000], bytes(damaged)):
        write("a.parquet", content)
        with pytest.raises(TokenkitError) as caught:
            job(
                "tokenize",
                "a.parquet",
                "b.parquet",
                {"card": {"scheme": "digits", "key": "people"}},
            )
        assert caught.value.__context__ is None
    assert names(tmp_path) == ["a.parquet", "whole.parquet"]


@pytest.mark.parametrize("values", [[1, 2], [1.5], [True], [b"x"], [["x"]]])
def test_other_types_are_refused_before_anything_is_written(job, write, tmp_path, values):
    """The type is named, and the column."""
    write("a.parquet", pl.DataFrame({"card": values}))
    with pytest.raises(UnsupportedType) as caught:
        job("tokenize", "a.parquet", "b.parquet", CARD)
    assert caught.value.column == "card"
    assert names(tmp_path) == ["a.parquet"]


def test_csv_refuses_nested_types(job, write):
    """CSV has no form for lists."""
    write("a.parquet", pl.DataFrame({"card": CARDS[:1], "l": [[1]]}))
    with pytest.raises(UnsupportedType, match="to CSV"):
        job("tokenize", "a.parquet", "b.csv", CARD)


def test_without_metadata(job, write, tmp_path, ring):
    """Neither policy nor metadata; a policy and one version; a policy and two versions."""
    write("a.csv", "card\n4111111111111111\n")
    job("tokenize", "a.csv", "b.csv", CARD)
    (tmp_path / "b.csv.tokenkit.json").unlink()
    with pytest.raises(MetadataMissing):
        job("detokenize", "b.csv", "c.csv")
    job("detokenize", "b.csv", "c.csv", CARD)
    assert (tmp_path / "c.csv").read_text() == "card\n4111111111111111\n"
    ring.rotate("payments")
    with pytest.raises(KeyVersionUnknown):
        job("detokenize", "b.csv", "d.csv", CARD)


def test_an_old_file_detokenizes_after_rotation(job, write, tmp_path, ring):
    """Each file's own metadata says which version made it."""
    write("a.csv", "card\n4111111111111111\n")
    job("tokenize", "a.csv", "one.parquet", CARD)
    job("tokenize", "a.csv", "one.csv", CARD)
    ring.rotate("payments")
    job("tokenize", "a.csv", "two.parquet", CARD)
    tokens = [
        pl.read_parquet(tmp_path / name)["card"][0] for name in ("one.parquet", "two.parquet")
    ]
    assert tokens[0] != tokens[1]
    for number, name in enumerate(("one.parquet", "one.csv", "two.parquet")):
        job("detokenize", name, f"back{number}.csv")
        assert (tmp_path / f"back{number}.csv").read_text() == "card\n4111111111111111\n"


def test_metadata_must_fit_file_and_policy(job, write, tmp_path):
    """A renamed column, another policy, a sidecar moved to another kind of file."""
    write("a.csv", "card,ssn\n4111111111111111,078-05-1120\n")
    job("tokenize", "a.csv", "b.csv", CARD | SSN)
    sidecar = (tmp_path / "b.csv.tokenkit.json").read_text()
    other = {"card": {**CARD["card"], "domain": "other"}, **SSN}
    for columns in (other, CARD, {**CARD, "ssn": {"action": "keep"}}):
        with pytest.raises(MetadataMismatch, match="disagree"):
            job("detokenize", "b.csv", "c.csv", columns)
    (tmp_path / "b.csv").write_text((tmp_path / "b.csv").read_text().replace("card", "pan"))
    with pytest.raises(MetadataMismatch):
        job("detokenize", "b.csv", "c.csv")
    frame = pl.DataFrame({"card": ["1"], "ssn": ["2"]})
    frame.write_parquet(tmp_path / "p.parquet", metadata={METADATA_KEY: sidecar.strip()})
    with pytest.raises(MetadataMismatch, match="another kind of file"):
        job("detokenize", "p.parquet", "c.csv")
    document = json.loads(sidecar)
    document["columns"]["card"]["domain"] = "other"
    (tmp_path / "b.csv").write_text("card,ssn\n1,2\n")
    (tmp_path / "b.csv.tokenkit.json").write_text(
        json.dumps(document, sort_keys=True, separators=(",", ":"))
    )
    with pytest.raises(MetadataTampered):
        job("detokenize", "b.csv", "c.csv")
    assert not (tmp_path / "c.csv").exists()


def test_tokens_are_not_tokenized_again(job, write):
    """It would lose which key version made those that are there."""
    write("a.csv", "card,ssn\n4111111111111111,078-05-1120\n")
    job("tokenize", "a.csv", "b.csv", CARD)
    with pytest.raises(MetadataMismatch, match="holds tokens already"):
        job("tokenize", "b.csv", "c.csv", SSN)


def test_foreign_metadata_is_not_copied(job, write, tmp_path):
    """What other tools left in the footer stays behind."""
    frame = pl.DataFrame({"card": CARDS})
    frame.write_parquet(tmp_path / "a.parquet", metadata={"pandas": CANARY})
    job("tokenize", "a.parquet", "b.parquet", CARD)
    assert CANARY.encode() not in (tmp_path / "b.parquet").read_bytes()


def test_any_name_will_do(job, write, tmp_path):
    """Names that the plan uses, and those that Polars takes for patterns."""
    others = ["*", "^.*$", "^card$", "column0", "column1", "passed", "rows", "0.null", " "]
    frame = pl.DataFrame({name: [name] for name in others} | {"card": CARDS[:1]})
    write("a.parquet", frame)
    job("tokenize", "a.parquet", "b.parquet", CARD)
    job("detokenize", "b.parquet", "c.parquet")
    assert pl.read_parquet(tmp_path / "c.parquet").equals(frame)


def test_keys_are_needed(job, write, ring):
    """A key that isn't there, and a policy that isn't."""
    write("a.csv", "card\n4111111111111111\n")
    with pytest.raises(UnknownKey):
        job("tokenize", "a.csv", "b.csv", {"card": {"scheme": "credit-card", "key": "none"}})
    with pytest.raises(PolicyError, match="needs a policy"):
        job("tokenize", "a.csv", "b.csv")
