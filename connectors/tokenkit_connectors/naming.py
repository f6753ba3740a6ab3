"""Names of tables, as job files write them and as SQL reads them."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from tokenkit.errors import JobError

RUN_COLUMN: Final = "tokenkit_run"
"""The column that says which run added a row."""
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def quoted(name: str) -> str:
    """Quote a name for SQL.

    Raises
    ------
    JobError
        If no system takes it.

    Examples
    --------
    >>> print(quoted('a"b'))
    "a""b"
    """
    if not name or "\0" in name:
        raise JobError("a name is empty, or holds a NUL", hint="rename it in the policy's input")
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name: its schema, and its own."""

    schema: str
    table: str

    @classmethod
    def parse(cls, text: str, schema: str) -> Self:
        """Read ``table`` or ``schema.table``; a part that holds a dot stands in double quotes.

        Letters stay as they are written, capital or small.

        Parameters
        ----------
        text
            The name, as in a job file.
        schema
            The schema of a name that says none.

        Raises
        ------
        JobError
            If it's no such name.

        Examples
        --------
        >>> TableName.parse("customers", "main")
        TableName(schema='main', table='customers')
        >>> TableName.parse('crm."a.b"', "main").table
        'a.b'
        """
        parts: list[str] = []
        place = 0
        while found := _PART.match(text, place):
            parts.append(found[2] or found[1].replace('""', '"'))
            place = found.end()
            if text[place : place + 1] != ".":
                break
            place += 1
        if place != len(text) or not 1 <= len(parts) <= 2 or "\0" in text:
            raise JobError(
                "a table is named as TABLE or SCHEMA.TABLE",
                hint='a part that holds a dot stands in double quotes: crm."a.b"',
            )
        return cls(parts[0] if parts[1:] else schema, parts[-1])

    @property
    def quoted(self) -> str:
        """The name in SQL.

        Examples
        --------
        >>> print(TableName("main", "a.b").quoted)
        "main"."a.b"
        """
        return f"{quoted(self.schema)}.{quoted(self.table)}"


def query_name(query: str) -> str:
    """Name a query by a digest of its text, which may hold values.

    Examples
    --------
    >>> query_name("SELECT 1")
    'query-e004ebd5b5532a4b85984a62f8ad48a8'
    """
    return f"query-{hashlib.sha256(query.encode()).hexdigest()[:32]}"


def table_or_query(table: str | None, query: str | None) -> None:
    """Refuse options that name neither a table nor a query, or both.

    Raises
    ------
    JobError
        If they do.
    """
    if (table is None) == (query is None):
        raise JobError("a source is a table or a query", hint="table: NAME, or query: SELECT ...")
