"""`tokenkit admin` from the first administrator to a revoked key, on both back ends."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from tokenkit.access.bearer import API_KEY, is_bearer
from tokenkit.access.tables.users import find_user
from tokenkit.cli.app import app
from tokenkit.keys import open_keyring
from tokenkit.service.token_records import NewRecord, TokenRecords
from tokenkit.store.audit import verify, verifying_keys
from tokenkit.store.database import Database
from tokenkit.store.models import AuditEntry
from tokenkit.store.models.access import UserPasswordRow

RUNNER = CliRunner()
PASSWORD = "kettle paper otter moss"


@pytest.fixture
def admin(database_url, tmp_path, monkeypatch):
    """Run the command against a database of its own."""
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", database_url)
    monkeypatch.setenv("TOKENKIT_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:ADMIN_PASSPHRASE")
    monkeypatch.setenv("ADMIN_PASSPHRASE", "correct horse battery staple")
    monkeypatch.setenv("TOKENKIT_AUDIT_CHECKPOINTS", str(tmp_path / "audit" / "checkpoints.jsonl"))
    monkeypatch.setenv("CHOSEN", PASSWORD)
    arguments = ["keys", "create", str(tmp_path / "keyring.json"), "--key", "access"]
    assert RUNNER.invoke(app, arguments).exit_code == 0

    def run(*words, code=0):
        result = RUNNER.invoke(app, ["admin", *words])
        assert result.exit_code == code, result.output
        return result

    return run


def listed(admin, *words):
    return json.loads(admin(*words, "list", "--json").stdout)


@pytest.mark.slow
def test_a_day_of_an_administrator(admin, database_url):
    """Bootstrap, users, roles and grants; what is secret is printed once, by itself."""
    first = admin("bootstrap", "Root")
    assert re.fullmatch(r"[\w-]{24}\n", first.stdout)
    again = admin("bootstrap", "eve", "--password", "env:CHOSEN", code=1)
    assert "has been made already" in again.output
    assert len(listed(admin, "role")) == 6

    made = admin("user", "add", "ann", "--password", "env:CHOSEN", "--role", "support")
    assert made.stdout == ""
    admin("user", "add", "billing", "--service")
    admin("role", "add", "app", "--description", "The billing service.")
    admin("grant", "add", "app", "tokenize", "policy:orders")
    admin("grant", "add", "app", "detokenize", "key:payments", "--purpose", "refund")
    admin("grant", "add", "app", "*", "column:orders/ssn", "--effect", "deny")
    admin(
        "grant",
        "add",
        "app",
        "detokenize",
        "column:orders/*",
        "--effect",
        "masked",
        "--any-purpose",
    )
    admin("role", "assign", "app", "billing")

    check = ("grant", "check", "billing", "detokenize")
    assert admin(*check, "key:payments", "--purpose", "refund").stdout == "allow: granted\n"
    assert admin(*check, "key:payments", code=3).stdout == "deny: purpose required\n"
    assert admin(*check, "column:orders/ssn", code=3).stdout == "deny: denied\n"
    assert admin(*check, "column:orders/card", "--purpose", "x").stdout == "masked: granted\n"
    assert admin("grant", "check", "ann", "tokenize", code=3).stdout == "deny: not granted\n"
    number = next(g["number"] for g in listed(admin, "grant") if g["resource"] == "key:payments")
    admin("grant", "remove", str(number))
    assert len(json.loads(admin("grant", "list", "app", "--json").stdout)) == 3

    admin("user", "disable", "ann")
    assert admin("user", "disable", "root", code=1).output.startswith("error: that is the last")
    admin("user", "enable", "ann")
    admin("user", "unlock", "ann")
    admin("user", "reset-second-factor", "ann")
    assert re.fullmatch(r"[\w-]{24}\n", admin("user", "password", "ann").stdout)
    admin("role", "change", "app", "--mfa")
    admin("role", "unassign", "app", "billing")
    admin("role", "remove", "app")
    roles = {user["name"]: user["roles"] for user in listed(admin, "user")}
    assert roles == {"ann": ["support"], "billing": [], "root": ["administrator"]}

    with Database.open(database_url) as database:
        with database.read() as connection:
            audited = connection.execute(select(AuditEntry.action, AuditEntry.actor)).all()
        assert {action for action, _ in audited} >= {
            "bootstrap",
            "user.create",
            "user.disable",
            "user.unlock",
            "role.assign",
            "grant.add",
            "grant.remove",
            "second-factor.remove",
        }
        assert all("@" in actor for _, actor in audited)


@pytest.mark.slow
def test_the_life_of_an_api_key(admin):
    """Issued, rotated with an overlap, revoked; the key itself is printed once, by itself."""
    admin("bootstrap", "root", "--password", "env:CHOSEN")
    admin("user", "add", "billing", "--service")
    issued = admin(
        "api-key", "issue", "billing", "Production", "--scope", "tokenize", "--expires", "90"
    )
    key = issued.stdout.strip()
    assert is_bearer(key, API_KEY)
    [row] = listed(admin, "api-key")
    rotated = admin("api-key", "rotate", row["id"], "--overlap", "2").stdout.strip()
    assert is_bearer(rotated, API_KEY)
    assert rotated != key
    rows = listed(admin, "api-key")
    admin("api-key", "revoke", rows[1]["id"])
    assert [bool(each["revoked"]) for each in listed(admin, "api-key")] == [False, True]
    shown = admin("api-key", "list", "--user", "billing").output + admin("user", "list").output
    assert key not in shown
    assert rotated not in shown


def test_the_audit_log_of_it_holds(admin, database_url, tmp_path):
    """What the commands wrote is chained, and verifies."""
    admin("bootstrap", "root", "--password", "env:CHOSEN")
    with Database.open(database_url) as database, open_keyring(tmp_path / "keyring.json") as ring:
        found = verify(database, verifying_keys(ring))
    assert found.fault is None
    assert found.records > 20


def test_a_password_is_read_and_never_shown(admin, database_url, tmp_path, monkeypatch):
    """From a variable or a file; one that is too easy is refused and isn't printed."""
    admin("bootstrap", "root", "--password", "env:CHOSEN")
    monkeypatch.setenv("WEAK", "Password1Password1")
    refused = admin("user", "add", "ann", "--password", "env:WEAK", code=1)
    assert "Password1" not in refused.output
    assert "breached" in refused.output
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe\n")
    assert "UTF-8" in admin("user", "add", "ann", "--password", f"file:{file}", code=1).output
    file.write_text(f"{PASSWORD}\n")
    assert PASSWORD not in admin("user", "add", "ann", "--password", f"file:{file}").output
    admin("user", "add", "robot", "--service", "--password", "env:CHOSEN", code=2)
    with Database.open(database_url) as database, database.read() as connection:
        rows = connection.execute(select(UserPasswordRow.__table__)).all()
    assert sorted(row.must_change for row in rows) == [False, True]
    assert PASSWORD not in repr(rows)


def test_wrong_names_are_errors_with_a_line(admin):
    """Nobody there, no such role, an action that is misspelt."""
    admin("bootstrap", "root", "--password", "env:CHOSEN")
    for words in (
        ("user", "disable", "nobody"),
        ("role", "assign", "nothing", "root"),
        ("grant", "add", "support", "detokenise", "*"),
        ("grant", "remove", "4711"),
        ("api-key", "issue", "nobody", "x", "--scope", "tokenize"),
    ):
        assert admin(*words, code=1).output.startswith("error: ")
    admin("grant", "check", "root", "tokenize", "payments", code=2)
    admin("grant", "add", "support", "tokenize", "*", "--purpose", "x", "--any-purpose", code=2)


@pytest.mark.slow
def test_records_of_tokens_are_revoked_purged_and_sealed_anew(admin, database_url, tmp_path):
    """By the commands that the documentation names; each is in the audit log."""
    admin("user", "add", "billing", "--service")
    path = tmp_path / "keyring.json"
    with open_keyring(path) as ring, Database.open(database_url) as database:
        later = [datetime.now(UTC) - timedelta(days=2)]
        records = TokenRecords(database, lambda: ring, clock=lambda: later[0])
        with database.read() as connection:
            caller = find_user(connection, "billing").id
        new: dict[str, Any] = {"key": "access", "key_id": 7, "domain": "digits", "scheme": "digits"}
        kept, lasting = records.keep(
            caller,
            [
                NewRecord(token="123456", expires=later[0] + timedelta(days=1), **new),
                NewRecord(token="654321", metadata={"order": 1}, **new),
            ],
        )
    assert "Purged 0 records" in admin("token", "purge", "--days", "3").output
    assert "Purged 1 record\n" in admin("token", "purge").output
    admin("token", "revoke", str(lasting.id))
    assert admin("token", "revoke", str(kept.id), code=1).output.startswith("error: there is no")
    assert RUNNER.invoke(app, ["keys", "rotate", str(path), "access"]).exit_code == 0
    assert "Sealed 2 records anew" in admin("token", "reseal").output
    with open_keyring(path) as ring, Database.open(database_url) as database:
        records = TokenRecords(database, lambda: ring)
        found = records.ended(caller, 7, "digits", ["123456", "654321", "111111"])
        assert found == {0: "expired", 1: "revoked"}
        assert records.find(lasting.id).metadata == {"order": 1}
        with database.read() as connection:
            audited = connection.execute(select(AuditEntry.action, AuditEntry.outcome)).all()
    assert ("token.revoke", "complete") in audited
    assert [each for each in audited if each[0] == "token.reseal"] == [
        ("token.reseal", "prepared"),
        ("token.reseal", "complete"),
    ]
