"""Job files, a keyring and a store, as a Dagster code location has them."""

import dagster as dg
import pytest

from tokenkit.dagster import KeyringResource, RecorderResource, job_definitions
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

POLICY = """
columns:
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
unlisted: keep
"""
SECRET = "078-05-1120"
ROWS = f"ssn,city\n{SECRET},Oslo\n219-09-9999,Rome\n,Bergen\n"


@pytest.fixture
def location(tmp_path, monkeypatch):
    """Give a folder with a keyring and a policy, and what makes definitions of job files in it."""
    return Location(tmp_path, monkeypatch)


class Location:
    """A folder of job files."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.environment = monkeypatch
        monkeypatch.setenv("PASSPHRASE", "tokens keep their form")
        kek = PassphraseProvider("env:PASSPHRASE", cost=2**10)
        self.keyring = folder / "keyring.json"
        create_keyring(self.keyring, ["people"], kek).close()
        self.store = f"sqlite:///{folder / 'tokenkit.db'}"
        (folder / "policies").mkdir()
        (folder / "policies" / "people.yaml").write_text(POLICY)

    def write(self, name, text, **files):
        """Write a job file, and files that it reads."""
        (self.folder / f"{name}.yaml").write_text(text)
        for path, content in files.items():
            self.put(path, content)

    def put(self, path, content=ROWS):
        """Write a file."""
        place = self.folder / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(content)
        return place

    def definitions(self, **options):
        """Make the definitions of all job files."""
        resources = {
            "keyring": KeyringResource(path=str(self.keyring), kek="passphrase:env:PASSPHRASE"),
            "recorder": RecorderResource(database_url=self.store),
        }
        made = job_definitions(self.folder, **options)
        return dg.Definitions.merge(made, dg.Definitions(resources=resources))

    def run(self, job, instance, **options):
        """Do a job in this process, and give its result."""
        resolved = self.definitions().resolve_job_def(job)
        return resolved.execute_in_process(instance=instance, raise_on_error=False, **options)


@pytest.fixture
def instance():
    """Give an instance of Dagster that keeps everything in memory."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made
