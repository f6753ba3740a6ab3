"""What a user means by DATASET or DATASET.COLUMN: names have dots, and nobody types all of one."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select, union

from tokenkit.errors import NotRecorded
from tokenkit.lineage import Dataset
from tokenkit.lineage.naming import of_file, of_folder, of_object, storable
from tokenkit.store.models import ColumnEdgeRow, DatasetRow

# Enough for any real name, and a bound on what a hostile one can cost.
_DOTS, _COLONS, _SHORT, _SHOWN = 32, 8, 4, 8


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset or a column that is on record.

    Attributes
    ----------
    id
        The dataset's, in the store.
    dataset, column
        Their names; no column means all of them.
    """

    id: int
    dataset: Dataset
    column: str | None = None


class _Reading(NamedTuple):
    """One way to read what was typed."""

    dataset: str
    column: str | None


class _Match(NamedTuple):
    row: Any
    column: str | None


def resolve(
    connection: Connection,
    text: str,
    *,
    column: str | None = None,
    whole: bool = False,
    folder: Path | None = None,
) -> Found:
    """Find the dataset or column that is meant.

    ``text`` is a dataset or ``DATASET.COLUMN``. A dataset is named in full
    (``file:/data/customers.parquet``, ``s3://bucket/key``), by its name in any system
    (``shop.public.customers``), by a path relative to the working folder, by a path inside a
    recorded folder, or by the end of its name (``customers.parquet``), where only one has it.
    Earlier ways win over later ones.

    Parameters
    ----------
    connection
        To the store's database.
    text
        What was typed.
    column
        The column; all of ``text`` is the dataset then.
    whole
        Whether all of ``text`` is a dataset.
    folder
        The working folder; default: the process's.

    Raises
    ------
    NotRecorded
        If nothing or more than one thing is meant.
    StoreUnavailable
        If the database breaks off.
    """
    readings = list(_readings(text, column, whole or column is not None))
    folder = folder or Path.cwd()
    unknown: _Match | None = None
    # The next is tried only where the one before finds nothing: the last reads all names.
    for look in (_by_name, _by_enclosing_folder, _by_short_name):
        matches = look(connection, readings, folder)
        holding = _holding(connection, matches)
        if len({(match.row.id, match.column) for match in holding}) > 1:
            raise _ambiguous(text, holding)
        if holding:
            return _found(holding[0])
        unknown = unknown or next(iter(matches), None)
    if unknown is None:
        raise _unknown(text)
    names = columns_of(connection, unknown.row.id)
    raise NotRecorded(
        f"no run has read or written the column {unknown.column} of {_found(unknown).dataset}",
        hint=f"on record are {_listed(names)}" if names else None,
    )


def columns_of(connection: Connection, dataset_id: int) -> list[str]:
    """Give the columns of a dataset that have a way, in alphabetical order."""
    edge = ColumnEdgeRow
    query = union(
        select(edge.output_column).where(edge.output_dataset_id == dataset_id),
        select(edge.input_column).where(edge.input_dataset_id == dataset_id),
    )
    return sorted(connection.execute(query).scalars())


def _readings(text: str, column: str | None, whole: bool) -> Iterator[_Reading]:
    yield _Reading(text, None if column is None else storable(column))
    if not whole:
        dots = [place for place, char in enumerate(text) if char == "."]
        for dot in reversed(dots[-_DOTS:]):
            if text[:dot] and text[dot + 1 :]:
                yield _Reading(text[:dot], storable(text[dot + 1 :]))


def _by_name(connection: Connection, readings: Sequence[_Reading], folder: Path) -> list[_Match]:
    """Take the name in full, in any system, or as a path; all of the text rather than a part."""
    wanted = {
        reading: {
            (None, storable(reading.dataset)),
            *((space, storable(name)) for space, name in _in_full(reading.dataset)),
            *_paths(reading.dataset, folder),
        }
        for reading in readings
    }
    rows = _named(connection, {name for names in wanted.values() for _, name in names})
    matches = [
        _Match(row, reading.column)
        for reading, names in wanted.items()
        for row in rows
        if (row.namespace, row.name) in names or (None, row.name) in names
    ]
    return [match for match in matches if match.column is None] or matches


def _by_enclosing_folder(
    connection: Connection, readings: Sequence[_Reading], folder: Path
) -> list[_Match]:
    """Take the innermost recorded folder; a local file must be there, or any typo would do."""
    found: list[_Match] = []
    for reading in sorted(readings, key=lambda reading: reading.column is None):
        places = [
            *(_paths(reading.dataset, folder) if _is_there(reading.dataset, folder) else ()),
            *(place for place in _in_full(reading.dataset) if "://" in place[0]),
        ]
        above = {(space, up) for space, name in places for up in _parents(storable(name))}
        rows = [
            row
            for row in _named(connection, {name for _, name in above})
            if (row.namespace, row.name) in above
        ]
        rows.sort(key=lambda row: len(row.name), reverse=True)
        found += [_Match(row, reading.column) for row in rows[:1]]
    # A column that is there says more than a folder that holds whatever was typed.
    holding = _holding(connection, [match for match in found if match.column is not None])
    return holding[:1] or [match for match in found if match.column is None] or found


def _by_short_name(
    connection: Connection, readings: Sequence[_Reading], folder: Path
) -> list[_Match]:
    del folder
    found: list[_Match] = []
    for reading in readings[:_SHORT]:
        name = storable(reading.dataset)
        ends = (f"/{name}", f".{name}")
        query = select(DatasetRow.id, DatasetRow.namespace, DatasetRow.name).where(
            or_(*(DatasetRow.name.endswith(end, autoescape=True) for end in ends))
        )
        found += [
            _Match(row, reading.column)
            for row in connection.execute(query.limit(_SHOWN * _SHOWN))
            # SQLite compares without regard to case; and a file's suffix is no table's name.
            if row.name.endswith(ends[0]) or (row.namespace != "file" and row.name.endswith(ends))
        ]
        if reading.column is None and found:
            break
    return found


def _holding(connection: Connection, matches: Sequence[_Match]) -> list[_Match]:
    """Leave out columns that aren't on record."""
    asked = {(match.row.id, match.column) for match in matches if match.column is not None}
    if not asked:
        return list(matches)
    edge = ColumnEdgeRow
    sides = (
        (edge.output_dataset_id, edge.output_column),
        (edge.input_dataset_id, edge.input_column),
    )
    query = union(
        *(
            select(dataset, name).where(
                or_(*(and_(dataset == wanted, name == column) for wanted, column in asked))
            )
            for dataset, name in sides
        )
    )
    known = {tuple(row) for row in connection.execute(query)}
    return [m for m in matches if m.column is None or (m.row.id, m.column) in known]


def _named(connection: Connection, names: Iterable[str]) -> list[Any]:
    query = select(DatasetRow.id, DatasetRow.namespace, DatasetRow.name).where(
        DatasetRow.name.in_(sorted(names))
    )
    return list(connection.execute(query.order_by(DatasetRow.id)))


def _in_full(text: str) -> Iterator[tuple[str, str]]:
    """Give namespace and name for each place where the text may be parted."""
    if text.startswith("file:"):
        path = "/" + text.removeprefix("file:").strip("/")
        yield from _paths(path, Path("/"))
        yield "file", path
        return
    scheme = text.find("://")
    if scheme > 0:
        with contextlib.suppress(ValueError):
            found = of_object(text)
            yield found.namespace, found.name
        slash = text.find("/", scheme + 3)
        if slash > 0:
            yield text[:slash], text[slash + 1 :].rstrip("/")
            yield text[:slash], text[slash:].rstrip("/")
    colons = [place for place, char in enumerate(text) if char == ":" and place != scheme]
    for colon in colons[:_COLONS]:
        yield text[:colon], text[colon + 1 :]


def _paths(text: str, folder: Path) -> list[tuple[str, str]]:
    if "://" in text or "\0" in text:
        return []
    path = folder / text
    return [(found.namespace, found.name) for found in (of_file(path), of_folder(path))]


def _is_there(text: str, folder: Path) -> bool:
    return "\0" not in text and os.path.lexists(folder / text)


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return [above for end in range(1, len(parts)) if (above := "/".join(parts[:end]))]


def _found(match: _Match) -> Found:
    return Found(match.row.id, Dataset(match.row.namespace, match.row.name), match.column)


def _unknown(text: str) -> NotRecorded:
    return NotRecorded(
        f"no run has read or written a dataset named {text}",
        hint="paths start at the working folder; `tokenkit lineage runs` shows what there is",
    )


def _ambiguous(text: str, matches: Sequence[_Match]) -> NotRecorded:
    names = sorted({_shown(match) for match in matches})
    return NotRecorded(
        f"{text} may mean {len(names)} datasets or columns",
        hint=f"name one in full, and a column with --column: {_listed(names)}",
    )


def _shown(match: _Match) -> str:
    dataset = _found(match).dataset
    return str(dataset) if match.column is None else f"{dataset} --column {match.column}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
