"""Rekeying files: every format, folders, in place, and what is refused before anything is read."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import tokenkit as tk
from tokenkit.errors import (
    InvalidValues,
    JobError,
    KeyringError,
    KeyVersionUnknown,
    MetadataMissing,
    OutputExists,
    SchemeError,
)
from tokenkit.jobs.aside import flush_folder
from tokenkit.jobs.rekeying import RekeyRequest, journal, rekey_files, verify_rekey
from tokenkit.policy import ColumnRule, Metadata, Policy

COLUMNS = {
    "card": {"scheme": "credit-card", "key": "payments", "literals": ["none"]},
    "id": {"scheme": "digits", "key": "people", "tweak": "tenant"},
    "note": {"scheme": "text", "key": "people"},
    "code": {"scheme": "digits", "key": "people", "domain": "codes", "on_invalid": "seal"},
}
ROWS = pl.DataFrame(
    {
        "tenant": ["north", "south", "north", "south"] * 500,
        "card": ["4111 1111 1111 1111", "none", None, ""] * 500,
        "id": [f"{number:010}" for number in range(2_000)],
        "note": ["words", "Zoë", None, ""] * 500,
        "code": ["123456789", "not digits", None, "987654321"] * 500,
    }
)
SUFFIXES = (".parquet", ".csv", ".csv.gz", ".ndjson", ".arrow")


@pytest.fixture
def rekey(ring, tmp_path):
    """Rekey files of the test's folder."""

    def running(source, target=None, **options):
        return rekey_files(
            RekeyRequest(
                source=tmp_path / source,
                target=None if target is None else tmp_path / target,
                keyring=ring,
                **options,
            )
        )

    return running


@pytest.fixture
def tokens(job, write, ring, tmp_path):
    """Write tokens of a format, and rotate both keys."""

    def writing(name: str) -> Path:
        write("rows.parquet", ROWS)
        job("tokenize", "rows.parquet", name, COLUMNS)
        for key in ("payments", "people"):
            ring.rotate(key)
        return Path(tmp_path, name)

    return writing


def versions(path, ring) -> dict[str, int]:
    """Read which key versions a file's metadata names; its MACs must hold."""
    found = tk.read_metadata(path).verify(ring)
    return {name: version.number for name, (_, version) in found.items()}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_of_any_format_moves_to_the_new_version(
    suffix, in_place, tokens, rekey, ring, tmp_path
):
    """All columns get the new version's tokens, metadata says so, and every value comes back."""
    source = tokens(f"tokens{suffix}")
    before = source.read_bytes()
    target = None if in_place else f"new{suffix}"
    report = rekey(source.name, target)
    new = source if in_place else tmp_path / f"new{suffix}"
    assert versions(new, ring) == dict.fromkeys(COLUMNS, 2)
    back = tk.scan(new, keyring=ring).collect().select(ROWS.columns)
    assert back.equals(ROWS)
    found = report.files[0].columns
    kinds = {kind: getattr(found["card"], kind) for kind in ("value", "literal", "null", "empty")}
    assert kinds == dict.fromkeys(kinds, 500)
    assert (found["code"].sealed, found["code"].value) == (500, 1000)
    assert (source.read_bytes() == before) == (not in_place)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert rekey(source.name).files[0].status == ("skipped" if in_place else "done")


def test_the_proof_can_be_checked_later(tokens, rekey, ring, tmp_path):
    """Old and new agree, the report proves the new file alone, and another record doesn't."""
    source = tokens("tokens.parquet")
    report = rekey(source.name, "new.parquet")
    record = tmp_path / "record.json"
    record.write_text(json.dumps(report.to_json()))
    new = tmp_path / "new.parquet"
    assert verify_rekey(new, old=source, keyring=ring).holds
    assert verify_rekey(new, record=record, keyring=ring).holds
    both = verify_rekey(new, old=source, record=record, keyring=ring)
    assert {column.proof for column in both.columns} == {
        column.proof for column in report.files[0].columns.values()
    }
    record.write_text(record.read_text().replace('"proof": "', '"proof": "0'))
    assert not verify_rekey(new, record=record, keyring=ring).holds
    record.write_text("[]")
    with pytest.raises(JobError, match="no report"):
        verify_rekey(new, record=record, keyring=ring)


def test_folders_are_done_file_by_file_and_resumed(job, write, rekey, ring, tmp_path):
    """What is done is passed over; a file that came later is done; other files are in the way."""
    policy = {"id": {"scheme": "digits", "key": "people"}}
    for name in ("a", "deep/b"):
        write(f"in/{name}.parquet", ROWS.select("id"))
    job("tokenize", "in", "old", policy)
    ring.rotate("people")
    first = rekey("old", "new")
    assert [file.status for file in first.files] == ["done", "done"]
    (tmp_path / "new/deep/b.parquet").unlink()
    again = rekey("old", "new")
    assert [file.status for file in again.files] == ["skipped", "done"]
    assert again.files[1].columns == first.files[1].columns
    assert verify_rekey(tmp_path / "new", old=tmp_path / "old", keyring=ring).holds
    shutil.copy(tmp_path / "in/a.parquet", tmp_path / "new/a.parquet")
    with pytest.raises(OutputExists):
        rekey("old", "new")
    assert [file.status for file in rekey("old", "new", force=True).files] == ["done", "done"]
    assert [file.status for file in rekey("new").files] == ["skipped", "skipped"]
    assert [file.status for file in rekey("new", to=1).files] == ["done", "done"]


def test_columns_of_the_new_version_already_stay(tokens, rekey, ring):
    """Where only one of two keys was rotated since, the other key's tokens are what they were."""
    source = tokens("tokens.parquet")
    rekey(source.name)
    before = pl.read_parquet(source)
    ring.rotate("payments")
    report = rekey(source.name)
    assert list(report.files[0].columns) == ["card"]
    after = pl.read_parquet(source)
    assert after.drop("card").equals(before.drop("card"))
    assert versions(source, ring) == {"card": 3, "id": 2, "note": 2, "code": 2}


def test_files_without_metadata_need_a_policy_and_a_version(tokens, rekey, ring, tmp_path):
    """Neither is guessed; given, the file is rekeyed like any other and has metadata then."""
    source = tokens("tokens.csv")
    (tmp_path / "tokens.csv.tokenkit.json").unlink()
    with pytest.raises(MetadataMissing):
        rekey(source.name)
    policy = Policy.from_mapping({"columns": COLUMNS, "unlisted": "keep"})
    with pytest.raises(KeyVersionUnknown):
        rekey(source.name, policy=policy)
    rekey(source.name, policy=policy, versions=1)
    assert tk.scan(source, keyring=ring).collect().equals(ROWS)


def test_damaged_tokens_stop_a_rekey_and_nothing_changes(tokens, rekey, ring, tmp_path):
    """A sealed token with another character is no token, so the file stays as it is."""
    source = tokens("tokens.ndjson")
    lines = source.read_text().splitlines(keepends=True)
    note = json.loads(lines[0])["note"]
    lines[0] = lines[0].replace(note, note[:-2] + ("AA" if note[-2:] != "AA" else "BA"))
    source.write_text("".join(lines))
    with pytest.raises(InvalidValues) as caught:
        rekey(source.name)
    assert note not in str(caught.value)
    assert source.read_text() == "".join(lines)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_was_written_is_read_again(tokens, rekey, monkeypatch):
    """If the disk gives other rows than were written, the proof fails and nothing changes."""
    source = tokens("tokens.parquet")
    before = source.read_bytes()
    execution = rekey_files.__globals__
    write_new = execution["write_new"]

    def damaged(item, proofs, outlet, progress):
        write_new(item, proofs, outlet, progress)
        path = next(item.target.parent.glob(".tokens.parquet.*.tmp")) / item.target.name
        frame = pl.read_parquet(path)
        ids = frame["id"].to_list()
        ids[7], ids[9] = ids[9], ids[7]
        frame.with_columns(id=pl.Series(ids)).write_parquet(path)

    monkeypatch.setitem(execution, "write_new", damaged)
    with pytest.raises(JobError, match="don't stand for the values"):
        rekey(source.name)
    assert source.read_bytes() == before


def test_one_way_columns_are_refused_before_reading(tokens, rekey, monkeypatch):
    """A scheme without a way back stops the rekey of its file before a row is read."""
    source = tokens("tokens.parquet")
    rule = ColumnRule.build("text", key="people")
    monkeypatch.setattr(type(rule.scheme), "reversible", False, raising=False)
    monkeypatch.setitem(rekey_files.__globals__, "write_new", None)
    with pytest.raises(SchemeError, match="can't be turned back"):
        rekey(source.name)


def test_options_that_contradict_each_other_are_refused(tokens, rekey, tmp_path):
    """Outputs over or inside the input, other formats, and versions that aren't there."""
    source = tokens("folder.parquet")
    (tmp_path / "in").mkdir()
    source.rename(tmp_path / "in/tokens.parquet")
    for name, target in (
        ("in/tokens.parquet", "in/tokens.parquet"),
        ("in/tokens.parquet", "other.csv"),
        ("in", "in/new"),
        ("in", "in"),
    ):
        with pytest.raises(JobError):
            rekey(name, target)
    with pytest.raises(KeyringError):
        rekey("in/tokens.parquet", to=9)


def test_a_commit_cut_short_anywhere_is_finished_by_the_next(tokens, rekey, ring, monkeypatch):
    """Wherever it ends, tokens never stand beside other metadata, and a rerun finishes it."""
    source = tokens("tokens.csv")
    sidecar = source.with_name("tokens.csv.tokenkit.json")
    old, old_sidecar = source.read_bytes(), sidecar.read_bytes()
    step = 0
    while True:
        source.write_bytes(old)
        sidecar.write_bytes(old_sidecar)
        left = step

        def flushed(folder: Path) -> None:
            nonlocal left
            flush_folder(folder)
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

        monkeypatch.setattr(journal, "flush_folder", flushed)
        try:
            rekey(source.name)
        except KeyboardInterrupt:
            pass
        else:
            break
        finally:
            monkeypatch.setattr(journal, "flush_folder", flush_folder)
        if sidecar.exists():
            assert tk.scan(source, keyring=ring).collect().equals(ROWS)
            document = Metadata.parse(sidecar.read_bytes())
            assert (document.columns["id"].version == 1) == (source.read_bytes() == old)
        rekey(source.name)
        assert tk.scan(source, keyring=ring).collect().equals(ROWS)
        assert versions(source, ring) == dict.fromkeys(COLUMNS, 2)
        step += 1
    assert step >= 5


def test_a_file_that_changed_after_a_cut_is_not_replaced(tokens, rekey, monkeypatch):
    """Recovery refuses to put a committed file in the place of one that it wasn't made of."""
    source = tokens("tokens.parquet")
    monkeypatch.setattr(journal, "_move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rekey(source.name)
    monkeypatch.undo()
    source.write_bytes(source.read_bytes() + b" ")
    with pytest.raises(JobError, match="changed after"):
        rekey(source.name)
