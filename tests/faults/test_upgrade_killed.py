"""An upgrade that is killed in the middle leaves the tables that were there."""

import signal
import subprocess
import sys

import pytest

from tokenkit.store.database import Database
from tokenkit.store.upgrading import current, upgrade

KILLED = """
import os, signal, sys
import alembic.op
from tokenkit.store.database import Database
from tokenkit.store.upgrading import downgrade, upgrade

way, url, left = sys.argv[1], sys.argv[2], int(sys.argv[3])

def counted(step):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*args, **kwargs)
    return call

for name in ("create_table", "create_index", "drop_table", "execute"):
    setattr(alembic.op, name, counted(getattr(alembic.op, name)))
with Database.open(url, check=False) as database:
    upgrade(database) if way == "up" else downgrade(database, "base")
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("way", "steps"), [("up", 3), ("up", 20), ("down", 6)])
def test_a_killed_upgrade_leaves_the_old_tables(kind, way, steps, tmp_path, request):
    """Up or down, early or late: nothing has changed, and it can be run again."""
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        url = request.getfixturevalue("empty_postgresql").url
    with Database.open(url, check=False) as database:
        if way == "down":
            upgrade(database)
        with database.read() as connection:
            before = current(connection)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, way, url, str(steps)], check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    with Database.open(url, check=False) as database:
        with database.read() as connection:
            assert current(connection) == before
        upgrade(database)
    Database.open(url).close()
