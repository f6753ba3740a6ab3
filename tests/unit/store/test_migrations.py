"""Migrations: up, down and up again, with rows in place; models and tables can't drift."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select

from tokenkit.errors import SchemaOutdated, StoreError
from tokenkit.store.database import Database
from tokenkit.store.models import Base, DatasetRow, RunRow
from tokenkit.store.upgrading import current, downgrade, revisions, upgrade


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


def test_models_and_tables_are_the_same(database):
    """Alembic finds nothing that a migration would have to change."""

    def of_ours(thing, name, kind, reflected, compared_to):
        # Partitions are made by the month, and are no models.
        return not (kind == "table" and name.startswith("audit_records_"))

    with database.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": of_ours, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []


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
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], env=os.environ) for _ in range(8)
    ]
    assert [process.wait(300) for process in started] == [0] * 8
    Database.open(url).close()


def test_looking_costs_no_migrations(tmp_path):
    """Where tables are up to date, alembic isn't imported."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    Database.open(url).close()
    code = (
        "import sys; from tokenkit.store.database import Database\n"
        "Database.open(sys.argv[1]).close(); assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, url], check=True)
