"""Job files as assets: their graph, what they show, and how they fail."""

import dagster as dg
import polars as pl
import pytest

import tokenkit as tk
from tests.unit.dagster.conftest import POLICY, ROWS, SECRET
from tokenkit.errors import JobError
from tokenkit.jobs import run
from tokenkit.jobs.recording import begun
from tokenkit.lineage import current_recorder

CUSTOMERS = """
description: Customers of the shop
source: in/customers.csv
policy: policies/people.yaml
sink: lake/customers.parquet
tags: {team: crm}
owners: ["team:crm"]
"""
ANALYSTS = """
operation: detokenize
source: lake/customers.parquet
sink: out/customers.csv
"""


def texts(instance, run):
    """Give all that Dagster keeps of a run, as text."""
    return "\n".join(repr(event) for event in instance.all_logs(run))


def test_jobs_depend_on_those_that_write_what_they_read(location):
    """One job's sink is another one's source; what no job writes is an asset from outside."""
    location.write("customers", CUSTOMERS)
    location.write("analysts", ANALYSTS)
    graph = location.definitions().resolve_asset_graph()
    customers, analysts = dg.AssetKey("customers"), dg.AssetKey("analysts")
    outside = dg.AssetKey(["in", "customers.csv"])
    assert graph.get(analysts).parent_keys == {customers}
    assert graph.get(customers).parent_keys == {outside}
    assert graph.external_asset_keys == {outside}
    made = graph.get(customers)
    assert made.tags["team"] == "crm"
    assert made.owners == ["team:crm"]
    assert made.description == "Customers of the shop"
    assert made.kinds == {"tokenkit", "parquet"}
    assert made.pools == {"tokenkit"}


def test_a_run_shows_counts_columns_and_their_way(location, instance):
    """Materializing does the job, and says how many rows and which columns came from where."""
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    result = location.run("customers_job", instance)
    assert result.success
    tokens = pl.read_parquet(location.folder / "lake/customers.parquet")
    assert SECRET not in tokens["ssn"].to_list()
    event = instance.get_latest_materialization_event(dg.AssetKey("customers"))
    shown = event.asset_materialization.metadata
    assert shown["dagster/row_count"].value == shown["rows_read"].value == 3
    schema = {one.name: one for one in shown["dagster/column_schema"].value.columns}
    assert list(schema) == ["ssn", "city"]
    assert schema["ssn"].description == "tokenized as us-ssn, key people, version 1"
    lineage = shown["dagster/column_lineage"].value.deps_by_column
    outside = dg.AssetKey(["in", "customers.csv"])
    assert lineage["ssn"] == [dg.TableColumnDep(outside, "ssn")]
    [counts] = shown["columns"].records
    assert counts.data["done"] == 2
    assert counts.data["null"] == 1
    for value in (SECRET, tokens["ssn"][0]):
        assert value not in texts(instance, result.run_id)


def test_a_second_run_shows_the_same_counts(location, instance):
    """A job that was done already is skipped, and its rows are shown all the same."""
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    location.run("customers_job", instance)
    assert location.run("customers_job", instance).success
    event = instance.get_latest_materialization_event(dg.AssetKey("customers"))
    shown = event.asset_materialization.metadata
    assert shown["status"].value == "skipped"
    assert shown["rows_written"].value == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda location: location.put("in/customers.csv", f"ssn,city\n{SECRET},a,b\n"), "TK601"),
        (lambda location: location.put("policies/people.yaml", "columns: {}\n"), "TK100"),
        (lambda location: location.environment.setenv("PASSPHRASE", "another one"), "TK213"),
        (lambda location: (location.folder / "in/customers.csv").unlink(), "TK603"),
    ],
    ids=["input", "policy", "keyring", "missing"],
)
def test_a_failure_is_ours_and_says_nothing_else(location, instance, fault, words):
    """Errors are shown by code, message and hint; chained to nothing, without values or retries."""
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    fault(location)
    result = location.run("customers_job", instance)
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    data = failed.step_failure_data
    assert data.user_failure_data.metadata["code"].value == words
    assert data.error.cause is None
    assert data.error.context is None
    assert not [event for event in result.all_events if event.is_step_restarted]
    assert SECRET not in texts(instance, result.run_id)


def test_an_error_that_may_pass_is_tried_again(location, instance, monkeypatch):
    """A store that can't be reached makes the asset wait and try again."""
    monkeypatch.setattr("tokenkit.dagster.assets.RETRIES", dg.RetryPolicy(max_retries=2))
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    location.store = "postgresql://nobody@/none?host=/nowhere"
    result = location.run("customers_job", instance)
    restarts = [event for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]
    assert (result.success, len(restarts)) == (False, 2)


def test_what_the_system_refuses_while_rows_are_written_is_tried_again(
    location, instance, monkeypatch
):
    """A full disk gets room: unlike what is refused before, or found out after."""

    def refusing(job, progress):
        with current_recorder().recording(begun("00" * 16, "tokenize"), job.keyring):
            raise JobError("no space is left on the disk", file=str(job.target))

    monkeypatch.setattr("tokenkit.dagster.assets.RETRIES", dg.RetryPolicy(max_retries=1))
    monkeypatch.setattr("tokenkit.dagster.assets.run", refusing)
    location.write("customers", CUSTOMERS)
    result = location.run("customers_job", instance)
    restarts = [event for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]
    assert (result.success, len(restarts)) == (False, 1)


def test_an_output_that_cannot_be_proved_is_not_made_again(location, instance, monkeypatch):
    """The output is there: the asset fails, and shows what it wrote."""

    def refusing(*args, **named):
        raise JobError("the sink can't be read")

    monkeypatch.setattr("tokenkit.dagster.checks.check_output", refusing)
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    result = location.run("customers_job", instance)
    assert not result.success
    assert instance.get_latest_materialization_event(dg.AssetKey("customers")) is not None
    assert not [event for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]


def test_values_that_do_not_fit_are_counted_and_not_shown(location, instance):
    """A policy that calls them an error fails the asset, by column and reason."""
    location.write(
        "customers",
        CUSTOMERS.replace(
            "policies/people.yaml",
            "{columns: {ssn: {scheme: us-ssn, key: people}}, unlisted: keep}",
        ),
    )
    location.put("in/customers.csv", "ssn,city\n666-66-6666x,Oslo\n")
    (location.folder / "lake").mkdir()
    result = location.run("customers_job", instance)
    [failed] = [event for event in result.all_events if event.is_step_failure]
    shown = failed.step_failure_data.user_failure_data.metadata
    assert (shown["column"].value, shown["count"].value) == ("ssn", 1)
    assert "666-66" not in texts(instance, result.run_id)


def test_rejects_over_the_limit_block_what_comes_after(location, instance):
    """The check fails, and no job that reads the output begins."""
    location.write("customers", CUSTOMERS)
    location.put("policies/people.yaml", POLICY + "rejects: {max_fraction: 0.1}\n")
    location.write("analysts", ANALYSTS)
    location.put("in/customers.csv", ROWS + "none,Paris\n")
    (location.folder / "lake").mkdir()
    (location.folder / "out").mkdir()
    both = dg.define_asset_job("both", selection=["customers", "analysts"])
    definitions = dg.Definitions.merge(location.definitions(), dg.Definitions(jobs=[both]))
    result = definitions.resolve_job_def("both").execute_in_process(
        instance=instance, raise_on_error=False
    )
    assert not result.success
    [failed] = result.get_asset_check_evaluations()
    assert (failed.check_name, failed.passed) == ("rejects_within_limit", False)
    assert failed.metadata["rows_rejected"].value == 1
    assert not (location.folder / "out/customers.csv").exists()
    assert "none" not in failed.metadata


def test_a_clear_value_among_tokens_is_found_and_not_shown(location, instance, monkeypatch):
    """One value in clear, even one that might be a token, fails the check by row and column."""

    def leaving_one(job, progress):
        report = run(job, progress)
        tokens = pl.read_parquet(job.target)
        metadata = pl.read_parquet_metadata(job.target)
        clear = pl.Series("ssn", [tokens["ssn"][0], "219-09-9999", tokens["ssn"][2]])
        tokens.with_columns(clear).write_parquet(
            job.target, metadata={"tokenkit": metadata["tokenkit"]}
        )
        return report

    monkeypatch.setattr("tokenkit.dagster.assets.run", leaving_one)
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    result = location.run("customers_job", instance)
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert (result.success, checks["every_row_accounted_for"].passed) == (False, True)
    failed = checks["output_proved"]
    assert not failed.passed
    [where] = failed.metadata["differing"].records
    assert (where.data["column"], where.data["row"], where.data["source_row"]) == ("ssn", "1", "1")
    assert "219-09-9999" not in texts(instance, result.run_id)


def test_a_job_says_that_it_proves_nothing(location):
    """What detokenizes, or says so, has no such check."""
    location.write("customers", CUSTOMERS + "options: {prove: false}\n")
    location.write("analysts", ANALYSTS)
    location.write("proved", CUSTOMERS.replace("lake/customers", "lake/proved"))
    graph = location.definitions().resolve_asset_graph()
    proved = {key.asset_key for key in graph.asset_check_keys if key.name == "output_proved"}
    assert proved == {dg.AssetKey("proved")}


def test_an_output_that_lost_rows_is_noticed(location, instance, monkeypatch):
    """Rows are counted in the files themselves: an output that isn't whole fails the check."""

    def losing(job, progress):
        report = run(job, progress)
        pl.read_parquet(job.target)[1:].write_parquet(job.target)
        return report

    monkeypatch.setattr("tokenkit.dagster.assets.run", losing)
    location.write("customers", CUSTOMERS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    result = location.run("customers_job", instance)
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert (result.success, checks["rejects_within_limit"].passed) == (False, True)
    failed = checks["every_row_accounted_for"]
    assert (failed.passed, failed.metadata["rows_written"].value) == (False, 2)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (CUSTOMERS, "writes what"),
        ("name: customers\n" + ANALYSTS, "two jobs have the name customers"),
        (ANALYSTS + "schedule: never\n", "Dagster doesn't take that"),
        (ANALYSTS + "owners: [ann]\n", "Dagster doesn't take that"),
        (ANALYSTS + "tags: {'a b': c}\n", "Dagster doesn't take that"),
    ],
    ids=["outputs", "names", "cron", "owners", "tags"],
)
def test_job_files_that_contradict_each_other_are_refused(location, second, words):
    """A code location with a wrong job file isn't loaded, and the file is named."""
    location.write("customers", CUSTOMERS)
    location.write("second", second)
    with pytest.raises(JobError, match=words) as caught:
        location.definitions()
    assert caught.value.file == str(location.folder / "second.yaml")


def test_a_job_whose_variables_are_unset_fails_alone(location, instance):
    """Other assets load and run; the job itself says which variable is missing."""
    location.write("customers", CUSTOMERS)
    location.write("orders", CUSTOMERS.replace("in/customers", "${PLACE}/orders"))
    graph = location.definitions().resolve_asset_graph()
    assert graph.get(dg.AssetKey("orders")).parent_keys == set()
    result = location.run("orders_job", instance)
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert "variable PLACE has no value" in failed.step_failure_data.error.message


def test_the_keyring_is_closed_after_the_run(location, instance, monkeypatch):
    """A process opens the keyring once for all its steps, and closes it."""
    opened = []

    def opening(*args, **named):
        opened.append(tk.open_keyring(*args, **named))
        return opened[-1]

    monkeypatch.setattr("tokenkit.dagster.resources.open_keyring", opening)
    location.write("customers", CUSTOMERS)
    location.write("analysts", ANALYSTS)
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    (location.folder / "out").mkdir()
    both = dg.define_asset_job("both", selection=["customers", "analysts"])
    definitions = dg.Definitions.merge(location.definitions(), dg.Definitions(jobs=[both]))
    assert definitions.resolve_job_def("both").execute_in_process(instance=instance).success
    [ring] = opened
    assert ring.closed
    assert (location.folder / "out/customers.csv").read_text() == ROWS
