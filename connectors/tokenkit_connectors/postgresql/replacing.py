"""A table made anew beside the old one, and swapped in: with its owner, grants and comments.

Where the rows have the old table's columns, the new one is like it, indexes and constraints too.
Otherwise it has the rows' columns, and an old table with indexes or constraints is refused.
"""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from tokenkit.errors import ConnectorFailed
from tokenkit_connectors.naming import TableName, quoted
from tokenkit_connectors.postgresql.catalogue import FoundTable, dependents, has_shape
from tokenkit_connectors.postgresql.types import written_type

if TYPE_CHECKING:
    from psycopg import Connection

# The index of a constraint comes with the constraint. What stands behind an index's name and its
# table's is found by its place: the names may hold anything.
_INDEXES = """
SELECT c.relname, i.indisunique, substr(pg_get_indexdef(c.oid), length(format(
    'CREATE %%sINDEX %%I ON %%I.%%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' END,
    c.relname, n.nspname, t.relname)) + 1)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE i.indrelid = %s AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid
    AND conrelid = i.indrelid) ORDER BY c.relname
"""
_CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s AND contype IN ('p', 'u', 'x', 'f') ORDER BY contype = 'f', conname
"""
_SEQUENCES = """
SELECT n.nspname, s.relname, a.attname, d.deptype = 'i' FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = %s AND d.deptype IN ('a', 'i')
"""
_GRANTS = """
SELECT CASE WHEN g.grantee = 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END, g.privilege_type,
    g.is_grantable, NULL
FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
WHERE c.oid = %(table)s
UNION ALL
SELECT CASE WHEN g.grantee = 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END, g.privilege_type,
    g.is_grantable, a.attname
FROM pg_attribute a, aclexplode(a.attacl) g WHERE a.attrelid = %(table)s AND NOT a.attisdropped
"""
_COMMENTS = """
SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND col_description(a.attrelid, a.attnum) IS NOT NULL
"""


class Replacement:
    """The table that takes the place of an old one.

    Parameters
    ----------
    connection
        In a transaction.
    table, old
        The table's name, and what is there.
    schema
        The columns of the rows.
    shown
        The table's name for messages.

    Raises
    ------
    ConnectorFailed
        If something hangs on the old table, or would be lost.
    """

    def __init__(
        self,
        connection: "Connection[Any]",
        table: TableName,
        old: FoundTable,
        schema: pl.Schema,
        shown: str,
    ) -> None:
        self._connection = connection
        self._table = table
        self._old = old
        self._shown = shown
        self.name = TableName(table.schema, f"tokenkit_{secrets.token_hex(8)}")
        self._refuse_dependents()
        self._keeps_shape = set(schema) == set(old.columns) and old.misfit(schema) is None
        if not self._keeps_shape and has_shape(connection, old):
            raise ConnectorFailed(
                "the table has indexes, constraints or defaults, and other columns than the rows",
                file=shown,
                column=old.misfit(schema),
                hint="drop the table, or write to another one",
            )
        kind = "UNLOGGED TABLE" if old.is_unlogged else "TABLE"
        storage = "".join(f", {_option(text)}" for text in old.storage)[2:]
        ending = f" WITH ({storage})" if storage else ""
        self._do(f"CREATE {kind} {self.name.quoted} ({self._definition(schema)}){ending}")
        self._do(f"ALTER TABLE {self.name.quoted} OWNER TO {quoted(old.owner)}")
        self._renamed: list[str] = []

    def swap(self) -> None:
        """Put the new table in the place of the old one; the transaction is the caller's to end."""
        if self._keeps_shape:
            self._build_indexes()
        self._carry_comments()
        self._carry_grants()
        self._do(f"ANALYZE {self.name.quoted}")
        # Whoever reads goes on until here, and then waits for a moment.
        self._do(f"LOCK TABLE {self._table.quoted} IN ACCESS EXCLUSIVE MODE")
        self._refuse_dependents()
        if self._keeps_shape:
            self._carry_sequences()
        self._do(f"DROP TABLE {self._table.quoted}")
        self._do(f"ALTER TABLE {self.name.quoted} RENAME TO {quoted(self._table.table)}")
        for statement in self._renamed:
            self._do(statement)

    def _refuse_dependents(self) -> None:
        found = dependents(self._connection, self._old)
        if self._old.relkind != "r":
            found.insert(0, "its being no plain table")
        if any(column.is_generated for column in self._old.columns.values()):
            found.insert(0, "generated columns")
        if found:
            raise ConnectorFailed(
                f"another table can't take its place, because of {' and '.join(found)}",
                file=self._shown,
                hint="write to another table, or drop them first",
            )

    def _definition(self, schema: pl.Schema) -> str:
        if self._keeps_shape:
            return f"LIKE {self._table.quoted} INCLUDING ALL EXCLUDING INDEXES"
        return definition(schema)

    def _build_indexes(self) -> None:
        """Build them before the swap, under other names until the old ones are gone."""
        place, name = self._table.quoted, self.name.quoted
        for index, is_unique, method in self._rows(_INDEXES):
            unique = "UNIQUE " if is_unique else ""
            aside = f"tokenkit_{secrets.token_hex(8)}"
            self._do(f"CREATE {unique}INDEX {quoted(aside)} ON {name} {method}")
            self._rename("INDEX", TableName(self._table.schema, aside).quoted, "", index)
        for constraint, text in self._rows(_CONSTRAINTS):
            aside = f"tokenkit_{secrets.token_hex(8)}"
            self._do(f"ALTER TABLE {name} ADD CONSTRAINT {quoted(aside)} {text}")
            self._rename("TABLE", place, f"CONSTRAINT {quoted(aside)}", constraint)

    def _rename(self, kind: str, what: str, part: str, name: str) -> None:
        self._renamed.append(f"ALTER {kind} {what} RENAME {part} TO {quoted(name)}")

    def _carry_comments(self) -> None:
        if self._old.comment is not None:
            self._comment(f"TABLE {self.name.quoted}", self._old.comment)
        if self._keeps_shape:
            return
        kept = self._column_names()
        for column, text in self._rows(_COMMENTS):
            if column in kept:
                self._comment(f"COLUMN {self.name.quoted}.{quoted(column)}", text)

    def _carry_grants(self) -> None:
        """Give the same rights to the same roles, and none that defaults have given."""
        new = {"table": self._oid()}
        for grantee, _, _, _ in self._connection.execute(_GRANTS, new).fetchall():
            self._do(f"REVOKE ALL ON {self.name.quoted} FROM {_role(grantee)} CASCADE")
        kept = self._column_names()
        for grantee, right, is_grantable, column in self._connection.execute(
            _GRANTS, {"table": self._old.oid}
        ).fetchall():
            if column is None or column in kept:
                part = "" if column is None else f" ({quoted(column)})"
                option = " WITH GRANT OPTION" if is_grantable and grantee is not None else ""
                owned = option if grantee != self._old.owner else ""
                self._do(f"GRANT {right}{part} ON {self.name.quoted} TO {_role(grantee)}{owned}")

    def _carry_sequences(self) -> None:
        """Let numbering go on where it was."""
        for schema, name, column, is_identity in self._rows(_SEQUENCES):
            sequence = TableName(schema, name).quoted
            if not is_identity:
                self._do(f"ALTER SEQUENCE {sequence} OWNED BY {self.name.quoted}.{quoted(column)}")
                continue
            last, called = self._connection.execute(
                f"SELECT last_value, is_called FROM {sequence}".encode()
            ).fetchall()[0]
            self._connection.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
                [self.name.quoted, column, last, called],
            )

    def _column_names(self) -> set[str]:
        found = self._connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0", [self._oid()]
        )
        return {name for (name,) in found}

    def _oid(self) -> int:
        found = self._connection.execute("SELECT %s::regclass::oid", [self.name.quoted]).fetchone()
        return int(found[0]) if found else 0

    def _comment(self, what: str, text: str) -> None:
        from psycopg.sql import Literal

        literal = Literal(text).as_string(self._connection)
        self._do(f"COMMENT ON {what} IS {literal}")

    def _rows(self, query: str) -> list[Any]:
        return self._connection.execute(query.encode(), [self._old.oid]).fetchall()

    def _do(self, statement: str) -> None:
        self._connection.execute(statement.encode())


def definition(columns: Mapping[str, pl.DataType]) -> str:
    """Give the columns of a new table in SQL."""
    return ", ".join(
        f"{quoted(name)} {written_type(dtype, name)}" for name, dtype in columns.items()
    )


def _role(name: str | None) -> str:
    return "PUBLIC" if name is None else quoted(name)


def _option(text: str) -> str:
    name, _, value = text.partition("=")
    return f"{quoted(name)} = '{value.replace(chr(39), chr(39) * 2)}'"
