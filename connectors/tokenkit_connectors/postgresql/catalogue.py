"""What the server's catalogue says of a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tokenkit_connectors.naming import TableName
from tokenkit_connectors.postgresql.types import fits

if TYPE_CHECKING:
    from psycopg import Connection

_TABLE = """
SELECT c.oid, c.relkind::text, pg_get_userbyid(c.relowner), c.relpersistence = 'u',
    coalesce(c.reloptions, '{}'), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""
# A domain's columns are written as those of the type below it.
_COLUMNS = """
SELECT a.attname, b.typname, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
    b.typtype = 'e', a.attgenerated <> '', a.attidentity <> '' OR a.atthasdef OR a.attnotnull,
    a.attidentity <> ''
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_DEPENDENTS = """
SELECT CASE WHEN d.classid = 'pg_rewrite'::regclass THEN 'views'
    WHEN d.classid = 'pg_constraint'::regclass THEN 'foreign keys' ELSE 'other objects' END
FROM pg_depend d LEFT JOIN pg_constraint o ON d.classid = 'pg_constraint'::regclass
    AND o.oid = d.objid AND o.conrelid = %(table)s AND o.confrelid <> %(table)s
WHERE d.deptype = 'n' AND o.oid IS NULL AND d.classid <> 'pg_attrdef'::regclass AND (
    (d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s)
    OR (d.refclassid = 'pg_type'::regclass
        AND d.refobjid = (SELECT reltype FROM pg_class WHERE oid = %(table)s)))
UNION SELECT 'triggers' FROM pg_trigger WHERE tgrelid = %(table)s AND NOT tgisinternal
UNION SELECT 'rules' FROM pg_rewrite WHERE ev_class = %(table)s
UNION SELECT 'row security' FROM pg_class WHERE oid = %(table)s AND relrowsecurity
UNION SELECT 'row security' FROM pg_policy WHERE polrelid = %(table)s
UNION SELECT 'publications' FROM pg_publication_rel WHERE prrelid = %(table)s
UNION SELECT 'inheritance' FROM pg_inherits WHERE %(table)s IN (inhrelid, inhparent)
UNION SELECT 'a replica identity' FROM pg_class WHERE oid = %(table)s AND relreplident <> 'd'
"""
_SHAPE = """
SELECT 1 FROM pg_index WHERE indrelid = %(table)s
UNION SELECT 1 FROM pg_constraint WHERE conrelid = %(table)s
"""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table.

    Attributes
    ----------
    kind, modifier
        Its type's name, and its length or digits.
    is_text
        Whether it's of an enum.
    is_generated
        Whether the server computes its values.
    has_rules
        Whether it has a default or must not be null.
    is_identity
        Whether the server numbers it.
    """

    kind: str
    modifier: int
    is_text: bool
    is_generated: bool
    has_rules: bool
    is_identity: bool

    def fits(self, dtype: pl.DataType) -> bool:
        """Whether it keeps values of a type as they are, or refuses them."""
        return fits(dtype, self.kind, self.modifier, is_text=self.is_text or self.kind == "citext")


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table that is there."""

    oid: int
    relkind: str
    owner: str
    is_unlogged: bool
    storage: list[str]
    comment: str | None
    columns: Mapping[str, TableColumn]

    def misfit(self, schema: pl.Schema) -> str | None:
        """Name the first column that doesn't keep values of a type as they are, if there is one."""
        return next(
            (
                name
                for name, dtype in schema.items()
                if name not in self.columns or not self.columns[name].fits(dtype)
            ),
            None,
        )


def find_table(connection: "Connection[Any]", table: TableName) -> FoundTable | None:
    """Look for a table; whatever has its name is found, a view too."""
    row = connection.execute(_TABLE, [table.schema, table.table]).fetchone()
    if row is None:
        return None
    found = connection.execute(_COLUMNS, [row[0]])
    columns = {name: TableColumn(*rest) for name, *rest in found}
    oid, relkind, owner, is_unlogged, storage, comment = row
    return FoundTable(oid, relkind, owner, is_unlogged, storage, comment, columns)


def dependents(connection: "Connection[Any]", table: FoundTable) -> list[str]:
    """Say what hangs on a table, so that another can't take its place."""
    return sorted(kind for (kind,) in connection.execute(_DEPENDENTS, {"table": table.oid}))


def has_shape(connection: "Connection[Any]", table: FoundTable) -> bool:
    """Whether a table has indexes, constraints, defaults or columns that must not be null."""
    rules = any(column.has_rules for column in table.columns.values())
    return rules or connection.execute(_SHAPE, {"table": table.oid}).fetchone() is not None
