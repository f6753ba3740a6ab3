"""Whether a rekeyed file holds the values of the old one, or those that a record proves."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenkit.engines.column import Side
from tokenkit.engines.polars.proof import Proof
from tokenkit.errors import JobError, MetadataMismatch, MetadataMissing
from tokenkit.jobs.aside import refusing
from tokenkit.jobs.connectors import TextOptions, format_of
from tokenkit.jobs.inputs import InputFile, find_inputs
from tokenkit.jobs.preparation import Input, kept_as_they_are
from tokenkit.jobs.progress import Progress, Silent
from tokenkit.jobs.rekeying.passes import take_sums
from tokenkit.jobs.rekeying.preparation import TokenColumn
from tokenkit.keys import Keyring, KeyVersion, current_keyring
from tokenkit.policy import ColumnRule, Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedColumn:
    """What was found of one column of one file.

    Attributes
    ----------
    file, column
        Which one.
    holds
        Whether its values are those of the old file, or those that the record proves.
    rows
        How many rows the new file has.
    proof
        The proof of the new tokens, as a report has it.
    """

    file: str
    column: str
    holds: bool
    rows: int
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyVerification:
    """What :func:`verify_rekey` found."""

    columns: tuple[ProvedColumn, ...]

    @property
    def holds(self) -> bool:
        """Whether every column is proved."""
        return all(column.holds for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Give the findings as plain values, for JSON."""
        return {"holds": self.holds, **asdict(self)}


@dataclass(frozen=True, slots=True)
class _Tokens:
    opened: Input
    columns: Mapping[str, tuple[ColumnRule, KeyVersion]]
    run: str


def verify_rekey(
    new: Path,
    *,
    old: Path | None = None,
    record: Path | None = None,
    keyring: Keyring | None = None,
    text: TextOptions | None = None,
    progress: Progress | None = None,
) -> RekeyVerification:
    """Prove that a rekey kept every value: against the old file, against its record, or both.

    No value becomes part of any column; both sums are taken by the native module.

    Parameters
    ----------
    new
        The rekeyed file or folder.
    old
        What it was made of, with its own metadata. Files of two folders are matched by name.
    record
        The report of the rekey, as ``--json`` gave it.
    keyring
        Where the keys are; default: the current keyring.
    text
        How text files are written.
    progress
        Is told how far it is.

    Raises
    ------
    JobError
        If there is neither an old file nor a record, the folders have different files, or the
        record is none.
    MetadataError, KeyringError, InvalidValues, InputNotFound, InputError
        If metadata, keys, tokens or files are the matter.
    """
    ring = current_keyring() if keyring is None else keyring
    options, observer = text or TextOptions(), progress or Silent()
    if old is None and record is None:
        raise JobError("nothing to compare with", hint="give the old file, or --record REPORT")
    recorded = None if record is None else _proofs_of(record)
    news = [_open(file, options, ring) for file in find_inputs(new)]
    olds = [None] * len(news) if old is None else _matched(old, news, options, ring)
    observer.start(None, exact=False)
    found: list[ProvedColumn] = []
    try:
        for theirs, ours in zip(olds, news, strict=True):
            found += _compare(theirs, ours, recorded, observer)
    finally:
        observer.finish()
    return RekeyVerification(columns=tuple(found))


def _open(file: InputFile, options: TextOptions, keyring: Keyring) -> _Tokens:
    [opened] = kept_as_they_are([file], options)
    if opened.source.metadata is None:
        raise MetadataMissing(f"{file.shown} has no metadata")
    metadata = Metadata.parse(opened.source.metadata)
    return _Tokens(opened, metadata.verify(keyring, format_of(file.path).name), metadata.run)


def _matched(
    old: Path, news: list[_Tokens], options: TextOptions, keyring: Keyring
) -> list[_Tokens]:
    files = find_inputs(old)
    if len(files) == len(news) == 1:
        return [_open(files[0], options, keyring)]
    by_name = {file.relative: file for file in files}
    if by_name.keys() != {one.opened.inlet.relative for one in news}:
        raise JobError(
            "the two folders have different files",
            file=str(old),
            hint="compare a folder with the one that was made of it",
        )
    return [_open(by_name[one.opened.inlet.relative], options, keyring) for one in news]


def _compare(
    old: _Tokens | None,
    new: _Tokens,
    recorded: Mapping[tuple[str, str], tuple[str, str]] | None,
    progress: Progress,
) -> list[ProvedColumn]:
    shown = new.opened.inlet.shown
    if old is not None and old.columns.keys() != new.columns.keys():
        raise MetadataMismatch(f"{shown} has tokens in other columns than the old file")
    names = list(new.columns)
    if recorded is not None:
        names = [name for name in names if (shown, name) in recorded]
        if not names:
            raise JobError("the record proves nothing of the file", file=shown)
    run = new.run or "00" * 16
    proofs = {
        name: Proof(version, rule.domain, run, str(new.opened.inlet.relative), name)
        for name, (rule, version) in new.columns.items()
        if name in names
    }
    rows = _take(new, proofs, "new", progress)
    old_rows = rows if old is None else _take(old, proofs, "old", progress)
    found = []
    for name, proof in proofs.items():
        kept = rows == old_rows and (old is None or proof.holds())
        if recorded is not None:
            kept = kept and recorded[shown, name] == (run, proof.mac("new"))
        found.append(
            ProvedColumn(file=shown, column=name, holds=kept, rows=rows, proof=proof.mac("new"))
        )
    return found


def _take(tokens: _Tokens, proofs: Mapping[str, Proof], side: Side, progress: Progress) -> int:
    tokens.opened.check()
    columns = {}
    for name in proofs:
        rule, version = tokens.columns[name]
        columns[name] = (TokenColumn(rule=rule, old=version, new=version), version)
    return take_sums(tokens.opened, columns, proofs, side, progress)


def _proofs_of(record: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Read the run and the proof of each column from a report."""
    try:
        with refusing(record):
            files = json.loads(record.read_bytes())["files"]
        return {
            (str(file["file"]), str(name)): (str(file["run"]), str(column["proof"]))
            for file in files
            for name, column in file["columns"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise JobError(
        "the record is no report of a rekey", file=str(record), hint="tokenkit rekey --json > FILE"
    )
