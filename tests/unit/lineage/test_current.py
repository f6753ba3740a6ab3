"""Which recorder jobs go through."""

import subprocess
import sys

import tokenkit as tk
from tokenkit.lineage import Unrecorded, current, current_recorder, use_recorder

JOB = """
import sys
from pathlib import Path
from tokenkit.jobs import Job, run
from tokenkit.keys import Keyring
from tokenkit.lineage import Unrecorded, use_recorder
from tokenkit.policy import Policy

policy = Policy.from_mapping({"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}})
folder = Path(sys.argv[1])
(folder / "a.csv").write_text("ssn\\n078-05-1120\\n")
def do(**options):
    with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
        source = folder / "a.csv"
        run(Job(operation="tokenize", source=source, policy=policy, keyring=ring, **options))
do(dry_run=True)
with use_recorder(Unrecorded()):
    do(target=folder / "b.csv")
assert not {"sqlalchemy", "alembic", "psycopg", "urllib3", "jsonschema"} & sys.modules.keys()
do(target=folder / "c.csv")
assert "sqlalchemy" in sys.modules
assert not {"psycopg", "urllib3"} & sys.modules.keys()
"""


def test_the_default_is_the_store():
    """Nobody has to ask for a record."""
    assert type(current_recorder()).__name__ == "StoreRecorder"
    assert tk.current_recorder is current_recorder


def test_blocks_nest():
    """A block's recorder holds inside of it, and the one before it afterwards."""
    one, other = Unrecorded(), Unrecorded()
    with use_recorder(one):
        with use_recorder(other) as found:
            assert current_recorder() is found is other
        assert current_recorder() is one
    assert current_recorder() is not one


def test_the_store_is_imported_when_a_job_records(tmp_path):
    """Start-up counts: a dry run, and one without lineage, load nothing of the database."""
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_default_can_be_set(monkeypatch):
    """An application brings a recorder of its own."""
    mine = Unrecorded()
    monkeypatch.setattr(current, "_default", current._default)
    current.record_by_default(lambda: mine)
    assert current_recorder() is mine
