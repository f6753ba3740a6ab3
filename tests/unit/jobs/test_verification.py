"""Files compared with what their tokens stand for, inspected, and scanned."""

import polars as pl
import pytest

import tokenkit as tk
from tokenkit.errors import KeyVersionUnknown, MetadataMismatch, MetadataMissing, MetadataTampered
from tokenkit.jobs.inspection import inspect
from tokenkit.jobs.reading import read_metadata, scan
from tokenkit.jobs.verification import verify

SSN = {"ssn": {"scheme": "us-ssn", "key": "people"}}
ROWS = pl.DataFrame({"ssn": ["078-05-1120", None, "219-09-9999"], "n": [1, 2, 3]})


@pytest.fixture
def tokens(job, write):
    """Tokenize a small file."""
    write("a.parquet", ROWS)
    return job("tokenize", "a.parquet", "b.parquet", SSN)


def test_what_comes_back_is_equal(tokens, job, tmp_path, ring):
    """Every column counts; text and typed files can be compared."""
    found = verify(tmp_path / "a.parquet", tmp_path / "b.parquet", keyring=ring)
    assert found.holds
    assert (found.rows, found.token_rows) == (3, 3)
    assert found.columns["ssn"].tokenized
    assert not found.columns["n"].tokenized
    job("tokenize", "a.parquet", "c.csv", SSN)
    assert verify(tmp_path / "a.parquet", tmp_path / "c.csv", keyring=ring).holds


@pytest.mark.parametrize("change", ["token", "kept", "lost", "doubled", "swapped", "clear"])
def test_every_change_shows(tokens, tmp_path, ring, change):
    """One row is enough."""
    path = tmp_path / "b.parquet"
    rows, metadata = pl.read_parquet(path), pl.read_parquet_metadata(path)
    document = {"tokenkit": metadata["tokenkit"]}
    match change:
        case "token":
            rows = rows.with_columns(ssn=pl.Series(["111-11-1111", *rows["ssn"][1:]]))
        case "kept":
            rows = rows.with_columns(n=pl.Series([1, 2, 4]))
        case "lost":
            rows = rows.head(2)
        case "doubled":
            rows = pl.concat([rows, rows.tail(1)])
        case "swapped":
            rows = rows.reverse()
        case "clear":
            rows = rows.with_columns(ssn=pl.Series(["in clear", *rows["ssn"][1:]]))
    rows.write_parquet(path, metadata=document)
    found = verify(tmp_path / "a.parquet", path, keyring=ring)
    assert not found.holds
    if change == "clear":
        assert found.columns["ssn"].invalid == 1


def test_folders_are_matched_by_name(job, write, tmp_path, ring):
    """Also where partitions stand in the path, whose tokens sort otherwise."""
    for number, value in enumerate(["078-05-1120", "219-09-9999", "457-55-5462"]):
        write(f"in/ssn={value}/a.parquet", pl.DataFrame({"n": [number]}))
    job("tokenize", "in", "out", SSN)
    found = verify(tmp_path / "in", tmp_path / "out", keyring=ring)
    assert found.holds
    assert found.rows == 3


def test_a_folder_with_two_key_versions(job, write, tmp_path, ring):
    """Each file is read under its own version."""
    write("a.parquet", ROWS)
    job("tokenize", "a.parquet", "out/", SSN, mode="append")
    ring.rotate("people")
    job("tokenize", "a.parquet", "out/", SSN, mode="append", force=True)
    assert sorted(one.columns["ssn"]["key"]["version"] for one in inspect(tmp_path / "out")) == [
        1,
        2,
    ]
    back = scan(tmp_path / "out", keyring=ring).collect()
    assert back.equals(pl.concat([ROWS, ROWS]))
    job("detokenize", "out", "back.parquet")
    assert pl.read_parquet(tmp_path / "back.parquet").equals(back)
    with pytest.raises(MetadataMismatch, match="key versions"):
        read_metadata(tmp_path / "out")
    with pytest.raises(KeyVersionUnknown):
        tk.detokenize(
            pl.read_parquet(tmp_path / "out"), {"columns": SSN, "unlisted": "keep"}, keyring=ring
        )


def test_metadata_turns_frames_back(tokens, tmp_path, ring):
    """A frame carries none, so it's given."""
    ring.rotate("people")
    metadata = tk.read_metadata(tmp_path / "b.parquet")
    frame = pl.read_parquet(tmp_path / "b.parquet")
    assert tk.detokenize(frame, columns=metadata, keyring=ring).equals(ROWS)


def test_inspection_says_what_holds(tokens, tmp_path, ring):
    """Authentic, not checked, altered, or without metadata."""
    path = tmp_path / "b.parquet"
    assert [one.authenticity for one in inspect(path, keyring=ring)] == ["authentic"]
    found = inspect(path)[0]
    assert (found.authenticity, found.rows, found.format) == ("not checked", 3, "parquet")
    assert found.columns["ssn"]["scheme"] == "us-ssn"
    assert found.run == tokens.run
    text = pl.read_parquet_metadata(path)["tokenkit"].replace("us-ssn", "us-xxx")
    pl.read_parquet(path).write_parquet(path, metadata={"tokenkit": text})
    assert inspect(path, keyring=ring)[0].authenticity == "refused"
    with pytest.raises(MetadataTampered):
        scan(path, keyring=ring)
    assert inspect(tmp_path / "a.parquet", keyring=ring)[0].authenticity == "no metadata"
    with pytest.raises(MetadataMissing):
        read_metadata(tmp_path / "a.parquet")


def test_files_that_differ_in_their_suffix_are_each_compared(job, write, tmp_path, ring):
    """No file stands for another."""
    write("in/a.parquet", ROWS)
    write("in/a.csv", "ssn,n\n078-05-1120,1\n")
    job("tokenize", "in", "out", SSN)
    found = verify(tmp_path / "in", tmp_path / "out", keyring=ring)
    assert (found.holds, found.rows) == (True, 4)
    write("in/a.csv", "ssn,n\n078-05-1121,1\n")
    assert not verify(tmp_path / "in", tmp_path / "out", keyring=ring).holds


def test_a_stray_sidecar_beside_parquet_says_nothing(tokens, tmp_path, ring):
    """The footer counts."""
    (tmp_path / "b.parquet.tokenkit.json").write_text("junk")
    assert read_metadata(tmp_path / "b.parquet").run == tokens.run
