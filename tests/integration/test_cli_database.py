"""``tokenkit db``, as it is typed."""

import json

import pytest
from typer.testing import CliRunner

from tokenkit.cli.app import app
from tokenkit.store.database import Database


def run(*words: object, env: dict[str, str]):
    """Run a command."""
    return CliRunner().invoke(app, [str(word) for word in words], env=env)


def test_an_empty_postgresql_is_made_ready(empty_postgresql):
    """Status says what to type; upgrading twice does no harm."""
    env = {"TOKENKIT_DATABASE_URL": empty_postgresql.url}
    assert "tokenkit db upgrade" in run("db", "status", env=env).output
    assert "there were no tables" in run("db", "upgrade", env=env).output
    assert "already" in run("db", "upgrade", env=env).output
    shown = json.loads(run("db", "status", "--json", env=env).output)
    assert shown["revision"] == shown["newest"]
    Database.open(empty_postgresql.url).close()


def test_sqlite_needs_nothing(tmp_path):
    """The file is made, for its owner alone."""
    file = tmp_path / "new" / "folder" / "store.db"
    shown = run("db", "status", "--database", f"sqlite:///{file}", env={})
    assert "no tables yet" in shown.output
    assert file.stat().st_mode & 0o777 == 0o600
    Database.open(f"sqlite:///{file}").close()
    assert "up to date" in run("db", "status", "--database", f"sqlite:///{file}", env={}).output


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2@127.0.0.1:1/lineage",
        "postgresql://ann:hunter2@/lineage?host=%2Fnowhere",
        "postgresql://ann:hunter2@127.0.0.1:1,127.0.0.1:2/x?target_session_attrs=read-write",
        "postgresql://ann:hunter2@127.0.0.1/lineage?sslmode=nonsense",
        "postgresql://ann:hunter2@127.0.0.1:port/lineage",
        "mysql://ann:hunter2@db/lineage",
        "hunter2",
        "sqlite:////proc/nowhere/hunter2/x.db",
    ],
)
def test_a_wrong_url_fails_and_shows_no_password(url):
    """Whatever is wrong with it."""
    done = run("db", "status", env={"TOKENKIT_DATABASE_URL": url})
    assert done.exit_code == 1
    if "sqlite" not in url:
        assert "hunter2" not in done.output
    assert "unforeseen" not in done.output
