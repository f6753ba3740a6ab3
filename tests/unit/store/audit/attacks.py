"""Ways to alter the log, straight in the database, by somebody who may do everything there."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from tokenkit.store.audit.rows import NAMES
from tokenkit.store.models import AuditEntry

SIZES = (1, 4, 9, 2, 1, 7, 3, 12, 1, 5)
TABLES = AuditEntry.metadata.tables
RECORDS, BATCHES, HEAD = (TABLES[f"audit_{name}"] for name in ("records", "batches", "head"))
LAST = len(SIZES)
# A position far behind every other.
ASIDE = 1_000


@dataclass(frozen=True)
class Expected:
    """The first thing that is wrong, and what may be said of it."""

    batch: int
    position: int | None
    what: set[str]


class Attack:
    """One tampering, by somebody who may do everything in the database, and has no key."""

    def __init__(self, connection: Connection, draw: random.Random, *, postgresql: bool) -> None:
        self.connection = connection
        self.draw = draw
        self.postgresql = postgresql

    def run(self, statement: Any) -> None:
        done = self.connection.execute(statement)
        assert done.rowcount

    def place(self, *, least: int = 1) -> tuple[int, int]:
        batch = self.draw.choice([n for n, size in enumerate(SIZES, 1) if size >= least])
        return batch, self.draw.randint(1, SIZES[batch - 1])

    def row(self, batch: int, position: int) -> dict[str, Any]:
        query = select(RECORDS).where(*at(batch, position))
        return dict(self.connection.execute(query).mappings().one())

    def batch_row(self, number: int) -> dict[str, Any]:
        query = select(BATCHES).where(BATCHES.c.number == number)
        return dict(self.connection.execute(query).mappings().one())

    def put(self, row: dict[str, Any]) -> None:
        self.run(insert(RECORDS).values(row))

    def remove(self, batch: int, position: int) -> None:
        self.run(delete(RECORDS).where(*at(batch, position)))

    def shift(self, batch: int, after: int, by: int) -> None:
        """Renumber the records behind a place."""
        behind = [RECORDS.c.batch == batch, RECORDS.c.position > after]
        aside = [RECORDS.c.batch == batch, RECORDS.c.position > ASIDE]
        for where, step in ((behind, ASIDE), (aside, by - ASIDE)):
            moved = update(RECORDS).where(*where)
            self.connection.execute(moved.values(position=RECORDS.c.position + step))

    def head(self, number: int) -> None:
        """Let the log end with a batch."""
        link = self.batch_row(number)["link"] if number else bytes(32)
        self.run(update(HEAD).values(number=number, link=link))

    def other(self, name: str, value: Any) -> Any:
        """Give another value for a field."""
        if name in {"at", "written", "first_at", "last_at"}:
            return value + self.draw.choice([-1, 1]) * timedelta(
                microseconds=self.draw.choice([1, 1_000_000])
            )
        if name in {"key_id", "count"}:
            return self.draw.choice([None, value + 1, value - 1, value ^ (1 << 40)])
        if name == "hash":
            return self.draw.choice([bytes(32), flipped(value, self.draw), value[:31], b""])
        if name == "token_hash":
            choices: list[Any] = [
                None,
                b"",
                b"x",
                *([] if value is None else [flipped(value, self.draw)]),
            ]
        elif name in {"actor", "action", "outcome"}:
            choices = ["", value + " ", value.upper(), "eve"]
        else:
            choices = [None, "", "eve", *([] if value is None else [value + "\n"])]
        return self.draw.choice([choice for choice in choices if choice != value])


def at(batch: int, position: int) -> tuple[Any, Any]:
    return RECORDS.c.batch == batch, RECORDS.c.position == position


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def edit(attack: Attack) -> Expected:
    """One field of one record."""
    batch, position = attack.place()
    row = attack.row(batch, position)
    name = attack.draw.choice([*NAMES, "hash"])
    change = {name: attack.other(name, row[name])}
    attack.run(update(RECORDS).where(*at(batch, position)).values(change))
    return Expected(batch, position, {"edited"})


def edit_two_fields(attack: Attack) -> Expected:
    """A text that moves from one field to the next."""
    batch, position = attack.place()
    row = attack.row(batch, position)
    change = {"actor": row["actor"] + row["action"], "action": ""}
    if attack.draw.random() < 0.5:
        change = {"object": row["run"], "run": row["object"]}
    attack.run(update(RECORDS).where(*at(batch, position)).values(change))
    return Expected(batch, position, {"edited"})


def replace(attack: Attack) -> Expected:
    """A record takes the content of another one, hash and all."""
    batch, position = attack.place()
    other = attack.place()
    while other == (batch, position):
        other = attack.place()
    row = attack.row(*other) | {"batch": batch, "position": position}
    attack.remove(batch, position)
    attack.put(row)
    # Two of one batch may be the same then, one of which stands in the other's place.
    return Expected(batch, position, {"edited", "reordered"})


def remove(attack: Attack) -> Expected:
    """One record, whose place stays empty or is taken by the next."""
    batch, position = attack.place()
    attack.remove(batch, position)
    if attack.draw.random() < 0.5:
        attack.shift(batch, position, -1)
    return Expected(batch, position, {"deleted"})


def remove_many(attack: Attack) -> Expected:
    """Several records of a batch, or all of them; the batch's row stays."""
    batch, position = attack.place()
    attack.run(delete(RECORDS).where(RECORDS.c.batch == batch, RECORDS.c.position >= position))
    return Expected(batch, position, {"deleted"})


def add(attack: Attack) -> Expected:
    """A forged record, with a hash out of the air, or that of another one."""
    batch, position = attack.place()
    position = attack.draw.choice([position, SIZES[batch - 1] + 1])
    forged = attack.row(*attack.place()) | {"batch": batch, "position": position, "actor": "eve"}
    attack.shift(batch, position - 1, 1)
    if attack.draw.random() < 0.5:
        forged["hash"] = attack.draw.randbytes(32)
    attack.put(forged)
    return Expected(batch, position, {"inserted"})


def add_beside(attack: Attack) -> Expected:
    """A record where there is one already, at another time; in a batch that isn't there."""
    batch, position = attack.place()
    row = attack.row(batch, position)
    where = attack.draw.choice(["place", "batch", "before"])
    if where == "place":
        attack.put(row | {"at": row["at"] + timedelta(seconds=1)})
        return Expected(batch, position, {"inserted"})
    number = LAST + attack.draw.randint(1, 9) if where == "batch" else -attack.draw.randint(0, 3)
    attack.put(row | {"batch": number, "position": 1})
    return Expected(number, 1, {"inserted"})


def swap(attack: Attack) -> Expected:
    """Two records of a batch change places, with their hashes or without."""
    batch, _ = attack.place(least=2)
    first, second = sorted(attack.draw.sample(range(1, SIZES[batch - 1] + 1), 2))
    rows = [attack.row(batch, position) for position in (first, second)]
    for position in (first, second):
        attack.remove(batch, position)
    hashes = [row["hash"] for row in rows]
    if attack.draw.random() < 0.5:
        hashes.reverse()
    for row, position, hash_ in zip(reversed(rows), (first, second), hashes, strict=True):
        attack.put(row | {"position": position, "hash": hash_})
    return Expected(batch, first, {"reordered"})


def rotate(attack: Attack) -> Expected:
    """The last record of a batch comes first, and all others move up."""
    batch, _ = attack.place(least=3)
    last = attack.row(batch, SIZES[batch - 1])
    attack.remove(batch, SIZES[batch - 1])
    attack.shift(batch, 0, 1)
    attack.put(last | {"position": 1})
    return Expected(batch, 1, {"reordered"})


def swap_batches(attack: Attack) -> Expected:
    """Two records of different batches change places."""
    (first, one), (second, two) = attack.place(), attack.place()
    while first == second:
        second, two = attack.place()
    if first > second:
        first, one, second, two = second, two, first, one
    rows = attack.row(first, one), attack.row(second, two)
    attack.remove(first, one)
    attack.remove(second, two)
    attack.put(rows[1] | {"batch": first, "position": one})
    attack.put(rows[0] | {"batch": second, "position": two})
    return Expected(first, one, {"edited"})


def truncate(attack: Attack) -> Expected:
    """All that follows a batch goes, and the head says that it was the last."""
    number = attack.draw.randrange(LAST)
    attack.run(delete(RECORDS).where(RECORDS.c.batch > number))
    attack.run(delete(BATCHES).where(BATCHES.c.number > number))
    attack.head(number)
    return Expected(number + 1, None, {"truncated"})


def truncate_within(attack: Attack) -> Expected:
    """The end of a batch, and all that follows; its row and the head are altered accordingly."""
    batch, _ = attack.place(least=2)
    kept = attack.draw.randint(1, SIZES[batch - 1] - 1)
    attack.run(delete(RECORDS).where(RECORDS.c.batch == batch, RECORDS.c.position > kept))
    if batch < LAST:
        attack.run(delete(RECORDS).where(RECORDS.c.batch > batch))
        attack.run(delete(BATCHES).where(BATCHES.c.number > batch))
    last = attack.row(batch, kept)
    change = {"count": kept, "last_hash": last["hash"], "last_at": last["at"]}
    if attack.draw.random() < 0.5:
        change["link"] = attack.draw.randbytes(32)
    attack.run(update(BATCHES).where(BATCHES.c.number == batch).values(change))
    attack.head(batch)
    return Expected(batch, None, {"batch altered"})


def remove_batch(attack: Attack) -> Expected:
    """A whole batch; the others keep their numbers, or those behind it move up, head included."""
    batch, _ = attack.place()
    attack.run(delete(RECORDS).where(RECORDS.c.batch == batch))
    attack.run(delete(BATCHES).where(BATCHES.c.number == batch))
    if attack.draw.random() < 0.4:
        return Expected(batch, None, {"batch deleted"})
    for number in range(batch + 1, LAST + 1):
        attack.run(update(BATCHES).where(BATCHES.c.number == number).values(number=number - 1))
        moved = update(RECORDS).where(RECORDS.c.batch == number)
        attack.run(moved.values(batch=number - 1))
    attack.head(LAST - 1)
    return Expected(batch, None, {"truncated" if batch == LAST else "batch altered"})


def remove_batch_row(attack: Attack) -> Expected:
    """A batch's row alone: its records belong to nothing."""
    batch, _ = attack.place()
    attack.run(delete(BATCHES).where(BATCHES.c.number == batch))
    if batch == LAST:
        attack.head(LAST - 1)
        return Expected(batch, 1, {"inserted"})
    return Expected(batch, None, {"batch deleted"})


def edit_batch(attack: Attack) -> Expected:
    """One column of a batch's row."""
    batch, _ = attack.place()
    row = attack.batch_row(batch)
    name = attack.draw.choice([*row.keys() - {"number"}])
    value = row[name]
    if isinstance(value, bytes):
        changed: Any = attack.draw.choice([flipped(value, attack.draw), value[:-1], b""])
    elif isinstance(value, str):
        changed = attack.draw.choice(["people", "", value + "x"])
    elif isinstance(value, int):
        changed = value + attack.draw.choice([-1, 1, 7])
    else:
        changed = attack.other(name, value)
    attack.run(update(BATCHES).where(BATCHES.c.number == batch).values({name: changed}))
    return Expected(batch, None, {"batch altered", "key unknown"})


def swap_rows_of_batches(attack: Attack) -> Expected:
    """Two whole batches change places."""
    first, second = sorted(attack.draw.sample(range(1, LAST + 1), 2))
    for table in (BATCHES, RECORDS):
        column = table.c.number if table is BATCHES else table.c.batch
        for old, new in ((first, ASIDE), (second, first), (ASIDE, second)):
            attack.run(update(table).where(column == old).values({column: new}))
    if attack.draw.random() < 0.5:
        attack.head(LAST)
    return Expected(first, None, {"batch altered"})


def append_batch(attack: Attack) -> Expected:
    """A copy of an old batch, or a forged one, behind the last; the head names it."""
    batch, _ = attack.place()
    old = attack.batch_row(batch)
    forged = old | {"number": LAST + 1, "id": attack.draw.randbytes(16)}
    if attack.draw.random() < 0.5:
        forged["link"] = attack.draw.randbytes(32)
    attack.run(insert(BATCHES).values(forged))
    for position in range(1, SIZES[batch - 1] + 1):
        attack.put(attack.row(batch, position) | {"batch": LAST + 1})
    attack.head(LAST + 1)
    return Expected(LAST + 1, None, {"batch altered"})


def edit_head(attack: Attack) -> Expected:
    """The head's row: another link, a higher number, a lower one; or it's gone."""
    kind = attack.draw.choice(["link", "higher", "lower", "gone"])
    if kind == "gone":
        attack.run(delete(HEAD))
    elif kind == "link":
        attack.run(update(HEAD).values(link=attack.draw.randbytes(32)))
    else:
        step = attack.draw.randint(1, 5) * (1 if kind == "higher" else -1)
        attack.run(update(HEAD).values(number=LAST + step))
    if kind == "higher":
        return Expected(LAST + 1, None, {"batch deleted"})
    return Expected(LAST, None, {"batch altered"})


def another_type(attack: Attack) -> Expected:
    """What only SQLite's columns take: a value of another type, and text that isn't UTF-8."""
    if attack.postgresql:
        return edit(attack)
    batch, position = attack.place()
    name, value = attack.draw.choice(
        [
            *(("count", "'many'"), ("count", "1.5"), ("count", "x''"), ("key_id", "x'00'")),
            *(("at", "'2026-01-01'"), ("at", "'never'"), ("at", "7"), ("actor", "x'ff00'")),
            *(("actor", "CAST(x'ff' AS TEXT)"), ("hash", "'text'"), ("token_hash", "5")),
        ]
    )
    statement = f'UPDATE audit_records SET "{name}" = {value} WHERE batch = :b AND position = :p'
    done = attack.connection.execute(text(statement), {"b": batch, "p": position})
    assert done.rowcount == 1
    return Expected(batch, position, {"edited"})


KINDS: list[Callable[[Attack], Expected]] = [
    *(edit, edit, edit_two_fields, replace, remove, remove_many, add, add_beside),
    *(swap, rotate, swap_batches, truncate, truncate_within, remove_batch, remove_batch_row),
    *(edit_batch, swap_rows_of_batches, append_batch, edit_head, another_type),
]
