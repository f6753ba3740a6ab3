"""A PostgreSQL database under test, looked at with psycopg alone."""

import threading

import polars as pl

from tokenkit.testing.connectors import System

PASSWORD = "s3cret-in-the-url"
TYPES = {
    pl.Boolean: "boolean", pl.Int16: "smallint", pl.Int32: "integer", pl.Int64: "bigint",
    pl.Float32: "real", pl.Float64: "double precision", pl.String: "text", pl.Binary: "bytea",
    pl.Date: "date", pl.Time: "time",
}  # fmt: skip


class PostgresSystem(System):
    """A database of the tests' server."""

    connector = "postgresql"
    secrets = (PASSWORD,)
    refused = frozenset({"uint64"})

    def __init__(self, url, connection):
        self.url = url.replace("postgres@", f"postgres:{PASSWORD}@", 1)
        self.stored_as = {
            "int8": pl.Int16(), "uint8": pl.Int16(), "uint16": pl.Int32(), "uint32": pl.Int64(),
            "category": pl.String(),
        }  # fmt: skip
        self._connection = connection
        self._lock = threading.Lock()

    def options(self, table):
        return {"url": self.url, "table": quoted(table)}

    def unreachable(self):
        return {"url": f"postgresql://ann:{PASSWORD}@localhost:1/nowhere", "table": "a"}

    def fill(self, table, rows):
        rows = rows.cast({n: self.stored_as[n] for n in rows.columns if n in self.stored_as})
        columns = ", ".join(f"{quoted(n)} {sql_type(t)}" for n, t in rows.schema.items())
        name = quoted(table)
        with self._lock, self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({columns})")
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for row in rows.iter_rows():
                    copy.write_row(row)
            self._connection.commit()

    def rows(self, table):
        with self._lock:
            with self._connection.cursor() as cursor:
                cursor.execute("SET TIME ZONE 'UTC'")
                cursor.execute("SELECT to_regclass(%s)", [quoted(table)])
                if cursor.fetchone()[0] is None:
                    self._connection.commit()
                    return None
                cursor.execute(f"SELECT * FROM {quoted(table)}")
                types = {column.name: polars_type(column) for column in cursor.description}
                rows = cursor.fetchall()
            self._connection.commit()
        return pl.DataFrame(rows, schema=types, orient="row")


def quoted(name):
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def sql_type(dtype):
    """Give the type of a column that holds values of a Polars type."""
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "timestamptz" if dtype.time_zone else "timestamp"
    return TYPES[type(dtype)]


def polars_type(column):
    """Give the Polars type of a column's values."""
    if column.type_display.startswith("numeric"):
        return pl.Decimal(column.precision, column.scale)
    named = {
        "bool": pl.Boolean(), "int2": pl.Int16(), "int4": pl.Int32(), "int8": pl.Int64(),
        "float4": pl.Float32(), "float8": pl.Float64(), "text": pl.String(), "bytea": pl.Binary(),
        "date": pl.Date(), "time": pl.Time(), "timestamp": pl.Datetime("us"),
        "timestamptz": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    return named[column.type_display]
