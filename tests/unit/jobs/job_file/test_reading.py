"""Job files: what they may say, and how they say what is wrong."""

import json
from datetime import date
from pathlib import Path

import pytest

from tokenkit.errors import ConnectorMissing, JobError, PolicyError
from tokenkit.jobs import run
from tokenkit.jobs.job_file import DailyPartitions, read_job_file
from tokenkit.jobs.job_file.schema import job_schema

GOOD = """\
source: in/${DAY}.csv
policy: {columns: {ssn: {scheme: us-ssn, key: people}}, unlisted: keep}
sink: out.parquet
"""
SECRET = "078-05-1120"


@pytest.fixture
def written(tmp_path):
    """Write a job file, and read it."""

    def writing(text, name="customers.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return read_job_file(path)

    return writing


def test_a_job_is_done(written, tmp_path, ring):
    """A job file's job reads and writes what it says, and is skipped when it is done."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/1.csv").write_text("ssn,x\n078-05-1120,1\n")
    bound = written(GOOD).bound({"DAY": "1"})
    assert run(bound.job(keyring=ring)).rows_written == 1
    assert run(bound.job(keyring=ring)).status == "skipped"
    assert bound.reads.name == str(tmp_path / "in/1.csv")
    assert bound.writes.name == str(tmp_path / "out.parquet")


def test_a_second_run_replaces_unless_it_must_not(written, tmp_path, ring):
    """Over changed files the output is replaced, and with overwrite: false it is an error."""
    (tmp_path / "in").mkdir()
    source = tmp_path / "in/1.csv"
    source.write_text("ssn\n078-05-1120\n")
    run(written(GOOD).bound({"DAY": "1"}).job(keyring=ring))
    source.write_text("ssn\n078-05-1120\n219-09-9999\n")
    strict = written(GOOD + "options: {overwrite: false}\n").bound({"DAY": "1"})
    with pytest.raises(JobError, match="already"):
        run(strict.job(keyring=ring))
    assert run(written(GOOD).bound({"DAY": "1"}).job(keyring=ring)).rows_written == 2


def test_what_no_run_has_written_stays(written, tmp_path, ring):
    """A file that somebody else put there isn't overwritten, nor are rejected rows put over one."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/1.csv").write_text("ssn\n078-05-1120\nx\n")
    target = tmp_path / "out.parquet"
    target.write_bytes(b"precious")
    text = GOOD.replace("key: people}}", "key: people, on_invalid: reject}}")
    bound = written(text + "rejects: rejected.parquet\n").bound({"DAY": "1"})
    with pytest.raises(JobError, match="already"):
        run(bound.job(keyring=ring))
    assert target.read_bytes() == b"precious"
    target.unlink()
    (tmp_path / "rejected.parquet").write_bytes(b"precious too")
    with pytest.raises(JobError, match="already"):
        run(bound.job(keyring=ring))
    assert (tmp_path / "rejected.parquet").read_bytes() == b"precious too"
    assert not target.exists()


def test_what_a_pipeline_asks_for_is_there(written):
    """Name, description, tags, owners, days and schedule come as they were written."""
    found = written(
        GOOD
        + "description: d\ntags: {team: crm}\nowners: ['team:crm']\nschedule: 0 3 * * *\n"
        + "partitions: {daily: 2026-01-01}\n",
        "Daily-Customers.yaml",
    )
    assert (found.name, found.description, found.tags) == ("daily_customers", "d", {"team": "crm"})
    assert (found.owners, found.schedule) == (("team:crm",), "0 3 * * *")
    assert isinstance(found.partitions, DailyPartitions)
    assert found.partitions.daily == date(2026, 1, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sorce: a\n" + GOOD, 'line 1: there is no field "sorce"'),
        (GOOD + "sink: b\n", 'line 4: the field "sink" stands there twice'),
        ("source: a.csv\npolicy: p.yaml\n", 'the field "sink" is missing'),
        ("source: a.csv\nsink: b.csv\n", "tokenizing needs a policy"),
        (GOOD + f"operation: {SECRET}\n", 'line 4: field "operation" can\'t be that'),
        (GOOD + f"options: {{limit: {SECRET}}}\n", 'line 4: field "limit" can\'t be that'),
        (GOOD + f"options: {{'{SECRET}': 1}}\n", "line 4: there is no such field"),
        (GOOD + "partitions: {daily: soon}\n", 'line 4: field "daily" can\'t be that'),
        (GOOD + "partitions: {inbox: [1]}\n", 'line 4: field "inbox" can\'t be that'),
        (GOOD + "partitions: {daily: 2026-01-01, inbox: in}\n", 'there is no field "daily"'),
        (GOOD + f"tags: [{SECRET}]\n", "tags"),
        (GOOD.replace("in/${DAY}.csv", f"{{pth: {SECRET}}}"), 'the field "path" is missing'),
        (f"- {SECRET}\n", "is a mapping"),
        (f"{{{SECRET}: [", "not the YAML of a job file"),
    ],
)
def test_wrong_files_are_refused_by_line_and_without_values(written, text, words):
    """Each fault is named with its line; what stands there is not."""
    with pytest.raises(JobError) as caught:
        written(text)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("name", ["1.yaml", "a b.yaml", "-.yaml"])
def test_a_file_whose_name_is_no_name_needs_one(written, name):
    """A name that can't be an asset's is refused, unless the file says one."""
    with pytest.raises(JobError, match="no name of a job"):
        written(GOOD, name)
    assert written("name: fine\n" + GOOD, name).name == "fine"


def test_variables_come_from_the_caller_and_then_the_environment(written):
    """What is set wins over the environment; a missing one is named, a dollar is written twice."""
    file = written(GOOD)
    assert file.variables == {"DAY"}
    assert file.bound({"DAY": "1"}, environment={"DAY": "2"}).reads.name.endswith("in/1.csv")
    assert file.bound(environment={"DAY": "2"}).reads.name.endswith("in/2.csv")
    with pytest.raises(JobError, match="variable DAY has no value"):
        file.bound(environment={})
    doubled = written(GOOD.replace("${DAY}", "$${DAY}"))
    assert doubled.bound(environment={}).reads.name.endswith("in/${DAY}.csv")
    with pytest.raises(JobError, match="a dollar stands alone"):
        written(GOOD.replace("${DAY}", "$DAY")).bound(environment={})


def test_a_variable_puts_in_text_and_no_structure(written):
    """What looks like YAML or like a variable in a value stays what it is."""
    bound = written(GOOD).bound({"DAY": "${HOME}}, x: {"}, environment={"HOME": "/root"})
    assert bound.reads.name.endswith("in/${HOME}}, x: {.csv")


def test_no_representation_shows_a_value_of_a_variable(written):
    """Neither the file nor the bound job shows what variables were given."""
    bound = written(GOOD).bound({"DAY": SECRET})
    assert SECRET not in repr(bound) + repr(bound.file)


def test_a_connector_that_is_not_there_is_named_with_the_command(written):
    """An unknown connector says how to install it."""
    text = GOOD.replace("in/${DAY}.csv", "{connector: nowhere, table: t}")
    with pytest.raises(ConnectorMissing, match="no connector nowhere") as caught:
        written(text).bound()
    assert "pip install 'tokenkit-vaultless-connectors[nowhere]'" in str(caught.value)


def test_a_policy_in_a_file_starts_from_the_job_files_folder(written, tmp_path):
    """The path of a policy is relative to the job file, and a wrong one names it."""
    file = written("source: a.csv\npolicy: p.yaml\nsink: out.parquet\n")
    with pytest.raises(PolicyError, match="there is no policy at"):
        file.bound().job()
    (tmp_path / "p.yaml").write_text("columns: {ssn: {scheme: us-ssn, key: people}}\n")
    assert file.bound().job().policy is not None


def test_the_schema_is_json_and_names_every_field():
    """The schema can be written, and has each field of a job file, and the policy's own."""
    schema = json.loads(json.dumps(job_schema()))
    assert set(schema["properties"]) >= {"name", "source", "policy", "sink", "options", "schedule"}
    assert schema["$defs"]["policy"]["properties"]["columns"]
    assert Path(schema["$schema"]).name == "schema"


def test_an_inbox_is_a_folder_whose_variables_have_values(written, tmp_path):
    """The folder starts from the job file's; jobs without an inbox have none."""
    file = written(GOOD + "partitions: {inbox: '${TEAM}/inbox'}\n")
    assert file.inbox(environment={"TEAM": "crm"}) == tmp_path / "crm" / "inbox"
    assert written(GOOD).inbox() is None
    with pytest.raises(JobError, match="variable TEAM has no value"):
        file.inbox(environment={})
