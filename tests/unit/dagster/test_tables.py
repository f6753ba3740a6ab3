"""Tables in Dagster: a change of two lines in a job file, with the same graph and checks."""

import dagster as dg
import pytest

from tests.unit.dagster.conftest import ROWS, SECRET
from tests.unit.dagster.test_assets import texts

DUCKDB = "{connector: duckdb, path: lake.duckdb, table: customers}"
POSTGRESQL = '{connector: postgresql, url: "${LAKE_URL}", table: public.customers}'
INTO = "source: in/customers.csv\npolicy: policies/people.yaml\nsink: %s\nrejects: r.parquet\n"
FROM = "operation: detokenize\nsource: %s\nsink: out/customers.csv\n"


@pytest.fixture(params=["duckdb", "postgresql"])
def table(request, monkeypatch):
    """Give a table as a job file names it."""
    if request.param == "duckdb":
        return DUCKDB
    made = request.getfixturevalue("empty_postgresql")
    monkeypatch.setenv("LAKE_URL", made.url)
    return POSTGRESQL


def test_a_table_is_written_proved_and_read_back(location, instance, table):
    """A job writes the table, another one reads it after it, and the rows come back."""
    location.write("customers", INTO % table)
    location.write("analysts", FROM % table)
    location.put("in/customers.csv")
    (location.folder / "out").mkdir()
    definitions = location.definitions()
    graph = definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey("analysts")).parent_keys == {dg.AssetKey("customers")}
    both = dg.define_asset_job("both", selection=["customers", "analysts"])
    result = (
        dg.Definitions.merge(definitions, dg.Definitions(jobs=[both]))
        .resolve_job_def("both")
        .execute_in_process(instance=instance, raise_on_error=False)
    )
    assert result.success
    checks = {(one.asset_key, one.check_name): one for one in result.get_asset_check_evaluations()}
    proof = checks[dg.AssetKey("customers"), "output_proved"]
    assert (proof.passed, proof.metadata["rows"].value) == (True, 3)
    assert all(one.passed for one in checks.values())
    assert (location.folder / "out/customers.csv").read_text() == ROWS
    assert SECRET not in texts(instance, result.run_id)


def test_a_table_from_outside_is_an_asset(location, table):
    """A table that no job writes is named by its system, its place and its name."""
    location.write("analysts", FROM % table)
    graph = location.definitions().resolve_asset_graph()
    [outside] = graph.external_asset_keys
    assert outside.path[0] in {"duckdb", "postgres"}
    assert outside.path[-1].endswith("customers")
    assert graph.get(outside).kinds == {outside.path[0]}
