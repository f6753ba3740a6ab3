"""What PostgreSQL's tables have beside their rows, and what is refused."""

import contextlib

import polars as pl
import pytest

from tests.integration.connectors.postgresql_system import PASSWORD
from tokenkit.errors import ConnectorFailed, InputNotFound, JobError, UnsupportedType
from tokenkit.jobs.connectors import find_connector
from tokenkit.testing.connectors.sinks import write
from tokenkit.testing.connectors.sources import said

FACTS = [
    """SELECT relowner::regrole::text, relacl::text, reloptions, obj_description(oid)
    FROM pg_class WHERE relname = 'kept'""",
    """SELECT attname, format_type(atttypid, atttypmod), attnotnull, attacl::text,
    col_description(attrelid, attnum) FROM pg_attribute
    WHERE attrelid = 'kept'::regclass AND attnum > 0 ORDER BY attnum""",
    """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = 'kept'::regclass ORDER BY 1""",
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'kept' ORDER BY 1",
    """SELECT column_default FROM information_schema.columns WHERE table_name = 'kept'
    ORDER BY 1""",
]


class Tables:
    """A database, and a connector to it."""

    connector = "postgresql"

    def __init__(self, database):
        self.database = database
        self.url = database.url

    def run(self, statement):
        return self.database.server.execute(statement, database=self.database.name)

    def options(self, table):
        return {"url": self.url, "table": table}

    def sink(self, table, **options):
        return find_connector("postgresql").open_sink({**self.options(table), **options})

    def query(self, text):
        return find_connector("postgresql").open_source({"url": self.url, "query": text})


@pytest.fixture
def tables(empty_postgresql):
    """Give an empty database."""
    return Tables(empty_postgresql)


def failure(source):
    """Give what ends a scan."""
    scan = source.scan()
    with contextlib.suppress(Exception):
        scan.collect()
    return source.explain("")


ROWS = pl.DataFrame({"id": [1, 2], "name": ["a", "b"]})


def test_a_replaced_table_keeps_what_is_beside_its_rows(tables):
    """Owner, grants, comments, indexes, keys, defaults and numbering are those of the old table."""
    tables.run("CREATE ROLE keeper_owner; CREATE ROLE keeper_reader; CREATE ROLE keeper_other")
    tables.run("CREATE TABLE parents (id bigint PRIMARY KEY)")
    tables.run("INSERT INTO parents VALUES (1), (2)")
    tables.run(
        "CREATE TABLE kept (id bigint PRIMARY KEY REFERENCES parents, name varchar(9) NOT NULL"
        " DEFAULT 'x' CHECK (name <> ''), n serial) WITH (fillfactor = 70)"
    )
    tables.run(
        'CREATE UNIQUE INDEX "odd USING name" ON kept USING btree (lower(name)) WHERE id > 0'
    )
    tables.run("COMMENT ON TABLE kept IS 'it''s kept'; COMMENT ON COLUMN kept.name IS 'a name'")
    tables.run("ALTER TABLE kept OWNER TO keeper_owner")
    tables.run("GRANT SELECT ON kept TO keeper_reader WITH GRANT OPTION")
    tables.run("GRANT UPDATE (name) ON kept TO PUBLIC")
    tables.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO keeper_other")
    tables.run("INSERT INTO kept VALUES (1, 'old')")
    before = [tables.run(fact) for fact in FACTS]
    write(tables, "kept", ROWS.with_columns(n=pl.Series([7, 8], dtype=pl.Int32)))
    assert [tables.run(fact) for fact in FACTS] == before
    assert tables.run("SELECT id, name, n FROM kept ORDER BY id") == [(1, "a", 7), (2, "b", 8)]
    assert tables.run("SELECT nextval('kept_n_seq')") == [(2,)]
    tables.run("DROP TABLE kept; DROP TABLE parents")
    tables.run("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM keeper_other")
    tables.run("DROP ROLE keeper_owner; DROP ROLE keeper_reader; DROP ROLE keeper_other")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE VIEW v AS SELECT * FROM t", "views"),
        ("CREATE MATERIALIZED VIEW v AS SELECT * FROM t", "views"),
        ("CREATE TABLE c (t bigint REFERENCES t (id))", "foreign keys"),
        ("CREATE TABLE c () INHERITS (t)", "inheritance"),
        ("CREATE PUBLICATION p FOR TABLE t", "publications"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "row security"),
        ("CREATE TABLE c (row t)", "other objects"),
        ("ALTER TABLE t ADD twice bigint GENERATED ALWAYS AS (id * 2) STORED", "generated"),
    ],
)
def test_a_table_that_others_depend_on_is_refused(tables, statement, reason):
    """The error names what it is; the table stays as it was."""
    tables.run("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    tables.run("INSERT INTO t VALUES (0, 'old')")
    tables.run(statement)
    with pytest.raises(ConnectorFailed, match=reason):
        write(tables, "t", ROWS)
    assert tables.run("SELECT id, name FROM t") == [(0, "old")]


def test_a_table_of_another_shape_with_keys_is_refused(tables):
    """A key that would be lost is a reason not to begin."""
    tables.run("CREATE TABLE t (number bigint PRIMARY KEY)")
    with pytest.raises(ConnectorFailed, match="other columns"):
        write(tables, "t", ROWS)


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("numeric(10,2)", pl.Series("a", ["1.234"]).cast(pl.Decimal(10, 3))),
        ("real", pl.Series("a", [0.1])),
        ("timestamp(0)", pl.Series("a", [1]).cast(pl.Datetime("us"))),
        ("timestamptz", pl.Series("a", [1]).cast(pl.Datetime("us"))),
        ("bigint", pl.Series("a", ["1"])),
    ],
)
def test_columns_that_would_change_values_take_none(tables, kind, column):
    """What PostgreSQL would round or turn silently isn't added."""
    tables.run(f"CREATE TABLE t (a {kind})")
    with pytest.raises(ConnectorFailed, match="doesn't keep"):
        tables.sink("t").check(column.to_frame().schema, "append")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (pl.DataFrame({"a": ["x\0y"]}), "NUL"),
        (pl.DataFrame({"a": pl.Series([1_500]).cast(pl.Datetime("ns"))}), "microsecond"),
        (pl.DataFrame({"a": pl.Series([1]).cast(pl.Time)}), "microsecond"),
    ],
)
def test_values_that_no_column_keeps_are_an_error(tables, rows, problem):
    """NUL in text and nanoseconds are refused, without the value; nothing is written."""
    with pytest.raises(ConnectorFailed, match=problem) as caught:
        write(tables, "t", rows)
    assert "x" not in caught.value.message.replace("text", "")
    assert not tables.sink("t").exists()


def test_rows_go_into_columns_of_richer_types(tables):
    """UUID, JSON, enums and domains take text, in the table's own order of columns."""
    tables.run("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN short AS varchar(3)")
    tables.run("CREATE TABLE t (d short, m mood, j jsonb, u uuid, n numeric)")
    rows = pl.DataFrame({
        "n": [12], "u": ["6970b9ee-94bf-4808-b0f8-0298e826d74e"], "j": ['{"a": 1}'], "m": ["glad"],
        "d": ["abc"],
    })  # fmt: skip
    write(tables, "t", rows)
    write(tables, "t", rows, "append")
    found = tables.query("SELECT u, j, m, d, n::numeric(5,0) AS n FROM t -- all").scan().collect()
    assert found.row(0)[:4] == ("6970b9ee-94bf-4808-b0f8-0298e826d74e", '{"a": 1}', "glad", "abc")
    assert (found.height, int(found["n"][1])) == (2, 12)


@pytest.mark.parametrize(
    ("value", "cast"),
    [
        ("1.5::numeric", "numeric(38, 10)"),
        ("ARRAY[1]", "text"),
        ("point '(1,2)'", "text"),
        ("ROW(1)", "text"),
        ("1::money", "text"),
    ],
)
def test_types_that_are_not_read_name_a_cast(tables, value, cast):
    """An UnsupportedType names the column and what to write."""
    with pytest.raises(UnsupportedType) as caught:
        _ = tables.query(f"SELECT {value} AS odd").schema
    assert caught.value.column == "odd"
    assert cast in (caught.value.hint or "")


@pytest.mark.parametrize(
    "value", ["'infinity'::date", "'-infinity'::timestamptz", "'NaN'::numeric(5,2)", "1/(g-g)"]
)
def test_values_that_are_not_read_are_typed_errors(tables, value):
    """Infinity, NaN in decimals and failing expressions end the scan in words of our own."""
    source = tables.query(f"SELECT {value} AS odd FROM generate_series(1, 3) g")
    assert isinstance(failure(source), JobError)


def test_a_query_may_not_write(tables):
    """It runs in a transaction that only reads."""
    tables.run("CREATE SEQUENCE numbers")
    source = tables.query("SELECT nextval('numbers') AS a")
    assert isinstance(failure(source), ConnectorFailed)


def test_the_text_of_a_query_is_not_its_name(tables):
    """A query may hold values: its name is a digest."""
    source = tables.query("SELECT 'secret-value' AS a")
    names = [source.shown, repr(source), str(source.dataset), repr(source.fingerprint())]
    assert not [name for name in names if "secret-value" in name]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{PASSWORD}",
        f"postgresql://ann:p/{PASSWORD}",
        f"mysql://ann:{PASSWORD}@db/shop",
        PASSWORD,
    ],
)
def test_a_url_that_is_none_does_not_show(url):
    """What may be a password that lost its place isn't repeated."""
    with pytest.raises(JobError) as caught:
        find_connector("postgresql").open_source({"url": url, "table": "a"})
    assert PASSWORD not in "\n".join(said(caught.value))


def test_a_missing_schema_and_missing_rights_are_said(tables):
    """Each is an error of its own."""
    with pytest.raises(InputNotFound):
        _ = find_connector("postgresql").open_source(tables.options("no.table")).schema
    with pytest.raises(ConnectorFailed, match="lacks the schema"):
        write(tables, "no.table", ROWS)


def test_locks_are_waited_for_no_longer_than_said(tables):
    """Whoever holds the table makes the job fail, and not wait for ever."""
    import psycopg

    tables.run("CREATE TABLE t (id bigint, name text)")
    with psycopg.connect(tables.url) as other:
        other.execute("LOCK TABLE t")
        sink = tables.sink("t", wait=0.2)
        with pytest.raises(ConnectorFailed, match="holding"):
            sink.writing(ROWS.schema, "replace", "0" * 32).__enter__()
