"""Migrations: up, down and up again, with rows in place; models and tables can't drift."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select

from tokenkit.errors import SchemaOutdated, StoreError
from tokenkit.store import upgrading
from tokenkit.store.database import Database
from tokenkit.store.models import DatasetRow, RunInputRow, RunRow
from tokenkit.store.models.every import Base
from tokenkit.store.upgrading import (
    MIGRATIONS,
    current,
    downgrade,
    require_current,
    revisions,
    statements,
    upgrade,
)
from tokenkit.testing.postgresql import PostgresServer

PATIENCE = 300
"""Seconds that a process may take on a machine that does much else."""


def rows(run_id):
    """Give a run's values."""
    return {
        "id": run_id,
        "job_run": "ab" * 16,
        "operation": "tokenize",
        "status": "complete",
        "started": datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
        "actor": "ann",
        "tokenkit_version": "0.1",
        "rows_read": 1,
        "rows_written": 1,
        "rows_rejected": 0,
        "proofs": {},
    }


def differences(database):
    """Give what a migration would have to change for the tables to be the models'."""

    def of_ours(thing, name, kind, reflected, compared_to):
        # Partitions are made by the month, and are no models.
        return not (kind == "table" and name.startswith("audit_records_"))

    with database.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": of_ours, "compare_type": True}
        )
        return compare_metadata(context, Base.metadata)


def ended(arguments, *, count):
    """Run a piece of Python in several processes at once, and give how they ended."""
    command = [sys.executable, "-c", *arguments]
    started = [subprocess.Popen(command, env=os.environ) for _ in range(count)]
    try:
        return [process.wait(PATIENCE) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_models_and_tables_are_the_same(database):
    """Alembic finds nothing that a migration would have to change."""

    assert differences(database) == []


def test_down_and_up_again_from_every_revision(database):
    """Each revision can be left both ways, and what older tables hold stays."""
    every = revisions()
    with database.begin() as connection:
        run_id = uuid4()
        connection.execute(insert(RunRow).values(rows(run_id)))
        connection.execute(
            insert(DatasetRow).values(namespace="file", name="/a", first_seen=datetime.now(UTC))
        )
    for revision in reversed(every):
        assert downgrade(database, revision)[1] == revision
        with database.read() as connection:
            assert current(connection) == revision
        upgrade(database)
        with database.read() as connection:
            assert connection.execute(select(RunRow.id)).scalar_one() == run_id
    downgrade(database, "base")
    with database.read() as connection:
        assert current(connection) is None
    assert upgrade(database) == (None, every[-1])
    with database.read() as connection:
        assert connection.execute(select(RunRow.id)).all() == []


def test_times_come_back_in_utc(database):
    """To the microsecond, on both back ends."""
    with database.begin() as connection:
        values = rows(uuid4())
        connection.execute(insert(RunRow).values(values))
        found = connection.execute(select(RunRow.started)).scalar_one()
    assert found == values["started"]
    assert found.tzinfo is not None


def test_postgresql_is_not_changed_unasked(empty_postgresql):
    """A database without tables is refused, with the command that makes them."""
    with pytest.raises(SchemaOutdated, match="tokenkit db upgrade"):
        Database.open(empty_postgresql.url)


def test_tables_of_a_later_version_are_refused(database, database_url):
    """They are neither used nor changed."""
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated, match="upgrade tokenkit-vaultless"):
        Database.open(database_url)
    with Database.open(database_url, check=False) as later, pytest.raises(SchemaOutdated):
        upgrade(later)


def test_an_unknown_revision_is_refused(database):
    """The message lists those that there are."""
    with pytest.raises(StoreError, match="0001"):
        upgrade(database, "0815")


def test_a_failed_upgrade_leaves_nothing(tmp_path, monkeypatch):
    """All tables are made, or none."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Database.open(url, check=False) as database:
        with database.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE runs (x INTEGER)")
        with pytest.raises(StoreError):
            upgrade(database)
        with database.read() as connection:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
    assert names == ["runs"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_eight_processes_upgrade_at_once(kind, tmp_path, request):
    """One makes the tables, the others find them."""
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'new' / 'store.db'}"
    else:
        url = request.getfixturevalue("empty_postgresql").url
    code = (
        "import sys; from tokenkit.store.database import Database\n"
        "from tokenkit.store.upgrading import upgrade\n"
        "with Database.open(sys.argv[1], check=False) as database: upgrade(database)\n"
    )
    assert ended([code, url], count=8) == [0] * 8
    Database.open(url).close()


def test_an_embedded_database_upgrades_itself_under_two_processes_at_once(tmp_path):
    """Whoever opens it first makes its tables; the other waits, and both go on."""
    code = (
        "import sys; from tokenkit.store.database import Database\n"
        "with Database.open(sys.argv[1]) as database, database.begin() as connection:\n"
        "    connection.exec_driver_sql('UPDATE audit_head SET number = number + 1')\n"
    )
    for number in range(3):
        url = f"sqlite:///{tmp_path / str(number) / 'store.db'}"
        assert ended([code, url], count=2) == [0] * 2
        with Database.open(url) as database, database.read() as connection:
            found = connection.exec_driver_sql("SELECT number FROM audit_head").scalar_one()
        assert found == 2


def test_a_new_file_is_opened_by_many_at_once(tmp_path):
    """Its first users wait for each other, also where SQLite itself doesn't."""
    ready = threading.Barrier(6)

    def opened(_: int) -> None:
        for number in range(60):
            ready.wait(60)
            url = f"sqlite:///{tmp_path / str(number)}.db"
            with (
                Database.open(url, check=False) as database,
                database.begin() as connection,
            ):
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (x INTEGER)")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(opened, range(6)))


def test_threads_open_new_databases_at_once(tmp_path):
    """One another's, and ones of their own; Alembic alone couldn't."""
    ready = threading.Barrier(8)

    def opened(number: int) -> None:
        ready.wait(60)
        for name in ("shared", f"own-{number}"):
            Database.open(f"sqlite:///{tmp_path / name}.db").close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(opened, range(8)))


def test_two_databases_of_a_server_are_upgraded_at_once():
    """The roles belong to the server: whoever comes second finds them."""
    with PostgresServer() as server:
        code = (
            "import sys; from tokenkit.store.database import Database\n"
            "from tokenkit.store.upgrading import upgrade\n"
            "with Database.open(sys.argv[1], check=False) as database: upgrade(database)\n"
        )
        names = ("one", "two", "three")
        for name in names:
            server.execute(f"CREATE DATABASE {name}")
        with ThreadPoolExecutor(3) as pool:
            urls = [[code, server.url(name)] for name in names]
            assert list(pool.map(lambda url: ended(url, count=1), urls)) == [[0]] * 3


def test_the_sql_that_is_shown_is_the_sql_that_runs(empty_postgresql):
    """Run by hand, it leaves the same tables; where nothing is to be done, it is empty."""
    with Database.open(empty_postgresql.url, check=False) as database:
        written = statements(database)
        assert written.startswith("BEGIN;")
        with pytest.raises(SchemaOutdated):
            Database.open(empty_postgresql.url)
    empty_postgresql.server.execute(written, database=empty_postgresql.name)
    with Database.open(empty_postgresql.url) as database:
        assert statements(database) == ""
        assert differences(database) == []


def test_the_sql_for_sqlite_is_whole(tmp_path):
    """As SQLite's own shell would run it."""
    with Database.open(f"sqlite:///{tmp_path / 'empty.db'}", check=False) as database:
        written = statements(database)
    connection = sqlite3.connect(tmp_path / "made.db", isolation_level=None)
    connection.executescript(written)
    connection.close()
    with Database.open(f"sqlite:///{tmp_path / 'made.db'}", check=False) as database:
        require_current(database)
        assert differences(database) == []


def test_a_table_that_others_refer_to_can_be_made_anew(tmp_path, monkeypatch):
    """As later migrations will have to on SQLite; rows that then refer to nothing are refused."""
    versions = tmp_path / "100% ours" / "versions"
    shutil.copytree(MIGRATIONS, versions.parent, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(upgrading, "MIGRATIONS", versions.parent)
    before = revisions()[-1]
    (versions / "9001_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision = '9001', '{before}'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('datasets', recreate='always') as table:\n"
        "        table.add_column(sa.Column('note', sa.Text()))\n"
    )
    (versions / "9002_lossy.py").write_text(
        "from alembic import op\nrevision, down_revision = '9002', '9001'\n"
        "def upgrade():\n    op.execute('DELETE FROM datasets')\n"
    )
    moment = datetime.now(UTC)
    with Database.open(f"sqlite:///{tmp_path / 'store.db'}", check=False) as database:
        upgrade(database, before)
        with database.begin() as connection:
            connection.execute(insert(RunRow).values(rows(run := uuid4())))
            connection.execute(
                insert(DatasetRow).values(id=1, namespace="file", name="/a", first_seen=moment)
            )
            used = {"run_id": run, "dataset_id": 1, "started": moment, "fields": [], "files": 1}
            connection.execute(insert(RunInputRow).values(used))
        upgrade(database, "9001")
        with pytest.raises(StoreError, match="refer to nothing"):
            upgrade(database, "9002")
        with database.begin() as connection:
            assert current(connection) == "9001"
            assert connection.exec_driver_sql("SELECT note FROM datasets").all() == [(None,)]
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_differences_would_be_found(database):
    """The check for drift sees a column and an index that the models don't have."""
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN note TEXT")
        connection.exec_driver_sql("CREATE INDEX strange ON runs (actor)")
    assert {found[0] for found in differences(database)} == {"remove_column", "remove_index"}


def test_looking_costs_no_migrations(tmp_path):
    """Where tables are up to date, alembic isn't imported."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    Database.open(url).close()
    code = (
        "import sys; from tokenkit.store.database import Database\n"
        "Database.open(sys.argv[1]).close(); assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, url], check=True)
