"""Does detokenizing B give A? Two sources, compared row by row without writing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import JobError, MetadataMismatch, translated
from tokenkit.jobs.connectors import TextOptions, suffix_of
from tokenkit.jobs.job import Job
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.origins import found_files
from tokenkit.jobs.outcomes import PASSED, Part
from tokenkit.jobs.partitions import turned_path
from tokenkit.jobs.preparation import Input, kept_as_they_are, prepare
from tokenkit.jobs.progress import Progress, Silent
from tokenkit.jobs.queries import beside, read_through
from tokenkit.keys import Keyring, current_keyring
from tokenkit.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the values of one column compare.

    Attributes
    ----------
    tokenized
        Whether the column holds tokens; others are compared as they are.
    equal, different
        How many rows have the same value on both sides, and how many don't.
    invalid
        How many of the different ones are no tokens of their key and scheme.
    """

    tokenized: bool
    equal: int
    different: int
    invalid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What :func:`verify` found.

    Attributes
    ----------
    rows, token_rows
        Rows of A and of B.
    columns
        How each column of B compares.
    missing
        Columns of A that B doesn't have.
    """

    rows: int
    token_rows: int
    columns: Mapping[str, Comparison]
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether detokenizing B gives A, for the columns and as many rows as A has."""
        same = all(column.different == 0 for column in self.columns.values())
        return same and self.rows == self.token_rows

    def to_json(self) -> dict[str, Any]:
        """Give the findings as plain values, for JSON."""
        return {"holds": self.holds, **asdict(self)}


def verify(
    source: Path | ObjectPlace,
    tokens: Path | ObjectPlace,
    *,
    policy: Policy | None = None,
    keyring: Keyring | None = None,
    text: TextOptions | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compare A with what B's tokens stand for, row by row, in one streaming pass a file.

    Parameters
    ----------
    source
        A: a file, a folder or a pattern; of an object store too.
    tokens
        B: what a job made of it. Files of two folders are matched by their names.
    policy
        Needed only if B has no metadata.
    keyring
        Where the keys are; default: the current keyring.
    text
        How text files are written.
    progress
        Is told how far it is.

    Raises
    ------
    JobError
        If the folders have different files.
    MetadataError, KeyringError, InputNotFound, InputError
        If a file, its metadata or a key is the matter.
    """
    options = text or TextOptions()
    ring = keyring or current_keyring()
    job = Job(operation="detokenize", source=tokens, policy=policy, text=options, dry_run=True)
    turned = prepare(job, ring)
    kept = kept_as_they_are(found_files(source), options)
    observer, counter = progress or Silent(), RowCounter()
    known = [item.source.estimated_rows for item in turned]
    observer.start(None if None in known else sum(n or 0 for n in known), exact=False)
    try:
        found = [_compare(ours, theirs, counter, observer) for ours, theirs in _pairs(kept, turned)]
    finally:
        observer.finish()
    return _joined(found)


def _pairs(kept: list[Input], turned: list[Input]) -> list[tuple[list[Input], list[Input]]]:
    if len(kept) == 1 or len(turned) == 1:
        return [(kept, turned)]
    ours = {_stem(item.inlet.relative): item for item in kept}
    theirs = {_stem(turned_path(item)): item for item in turned}
    if len(ours) < len(kept) or len(theirs) < len(turned):
        # Two of them differ in their suffix alone, which a job may have changed.
        ours = {str(item.inlet.relative): item for item in kept}
        theirs = {str(turned_path(item)): item for item in turned}
    if ours.keys() != theirs.keys():
        raise JobError(
            f"{len(ours.keys() - theirs.keys())} files of the first folder have no counterpart in "
            f"the second, and {len(theirs.keys() - ours.keys())} the other way round",
            hint="compare a folder with the one that a job made of it",
        )
    return [([item], [theirs[name]]) for name, item in ours.items()]


def _stem(relative: Path) -> str:
    name = str(relative)
    return name[: len(name) - len(suffix_of(relative) or "")]


def _compare(
    ours: Sequence[Input], theirs: Sequence[Input], counter: RowCounter, progress: Progress
) -> Verification:
    for item in (*ours, *theirs):
        item.check()
    kept = [item.part(None) for item in ours]
    turned = [item.part(None) for item in theirs]
    names = list(turned[0].calls.by_column)
    absent = next((name for name in names if name not in kept[0].schema), None)
    if absent is not None:
        raise MetadataMismatch(
            "the second file has a column that the first one does not have",
            column=absent,
            hint="compare a file with the one that a job made of it",
        )
    with translated():
        query = _query(kept, turned, names, counter)
    [found] = read_through([query], counter, progress, [*ours, *theirs])
    row = found.row(0, named=True)
    rows, token_rows = int(row["in_a"] or 0), int(row["in_b"] or 0)
    columns = {}
    for place, name in enumerate(names):
        different = int(row[f"different{place}"] or 0)
        columns[name] = Comparison(
            tokenized=turned[0].calls.by_column[name] is not None,
            equal=max(rows, token_rows) - different,
            different=different,
            invalid=int(row.get(f"invalid{place}") or 0),
        )
    missing = tuple(name for name in kept[0].schema if name not in names)
    return Verification(rows=rows, token_rows=token_rows, columns=columns, missing=missing)


def _query(
    kept: Sequence[Part], turned: Sequence[Part], names: list[str], counter: RowCounter
) -> pl.LazyFrame:
    first = turned[0]
    ours = pl.concat(
        part.values().select(
            *(pl.nth(list(part.schema).index(name)).alias(f"a{n}") for n, name in enumerate(names)),
            pl.lit(1, pl.Int64).alias("in_a"),
        )
        for part in kept
    )
    theirs = pl.concat(
        part.outcomes(sealing=False).select(
            *(first.token(name).alias(f"b{n}") for n, name in enumerate(names)),
            *(
                first.reason(name).alias(f"reason{n}")
                for n, name in enumerate(names)
                if first.is_judged(name)
            ),
            pl.lit(1, pl.Int64).alias("in_b"),
        )
        for part in turned
    )
    both = beside(ours, theirs)
    types = both.collect_schema()
    counted = both.with_columns(counter.counted(pl.col("in_a").is_null()).alias(PASSED))
    found = [pl.col("in_a").sum(), pl.col("in_b").sum(), pl.col(PASSED).sum()]
    for n, name in enumerate(names):
        a, b = pl.col(f"a{n}"), pl.col(f"b{n}")
        if types[f"a{n}"] != types[f"b{n}"]:
            a, b = a.cast(pl.String), b.cast(pl.String)
        found.append(a.ne_missing(b).sum().alias(f"different{n}"))
        if first.is_judged(name):
            found.append(pl.col(f"reason{n}").is_not_null().sum().alias(f"invalid{n}"))
    return counted.select(found)


def _joined(found: Sequence[Verification]) -> Verification:
    columns: dict[str, Comparison] = {}
    for one in found:
        for name, column in one.columns.items():
            other = columns.get(name)
            columns[name] = (
                column
                if other is None
                else Comparison(
                    tokenized=column.tokenized,
                    equal=column.equal + other.equal,
                    different=column.different + other.different,
                    invalid=column.invalid + other.invalid,
                )
            )
    return Verification(
        rows=sum(one.rows for one in found),
        token_rows=sum(one.token_rows for one in found),
        columns=columns,
        missing=found[0].missing,
    )
