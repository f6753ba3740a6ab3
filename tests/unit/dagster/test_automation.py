"""Days, schedules, and the job that rekeys."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest

from tests.unit.dagster.conftest import SECRET
from tokenkit.keys import edit_keyring
from tokenkit.policy import Metadata

DAILY = """
source: in/${PARTITION}.csv
policy: policies/people.yaml
sink: lake/${PARTITION}.parquet
partitions: {daily: 2026-01-01}
schedule: "0 3 * * *"
"""
NEXT = """
operation: detokenize
source: lake/${PARTITION}.parquet
sink: out/${PARTITION}.csv
partitions: {daily: 2026-01-01}
"""


def test_a_day_is_a_partition(location, instance):
    """The job of a day reads and writes what the day names, and the asset knows its days."""
    location.write("orders", DAILY)
    (location.folder / "lake").mkdir()
    for day in ("2026-01-01", "2026-01-02"):
        location.put(f"in/{day}.csv", f"ssn,day\n{SECRET},{day}\n")
        assert location.run("orders_job", instance, partition_key=day).success
    lake = sorted((location.folder / "lake").glob("*.parquet"))
    assert [pl.read_parquet(path)["day"].item() for path in lake] == ["2026-01-01", "2026-01-02"]
    found = instance.get_materialized_partitions(dg.AssetKey("orders"))
    assert found == {"2026-01-01", "2026-01-02"}


def test_a_day_that_fails_leaves_the_others(location, instance):
    """A day without input is an error of its own."""
    location.write("orders", DAILY)
    assert not location.run("orders_job", instance, partition_key="2026-01-05").success


def test_days_follow_days(location):
    """A job that reads another one's days depends on it, day by day."""
    location.write("orders", DAILY)
    location.write("later", NEXT)
    graph = location.definitions().resolve_asset_graph()
    assert graph.get(dg.AssetKey("later")).parent_keys == {dg.AssetKey("orders")}


def test_a_folder_of_days_is_what_reads_all_of_them_depends_on(location):
    """A job that reads the whole folder comes after the one that writes into it."""
    location.write("orders", DAILY)
    location.write(
        "all", "source: lake\npolicy: {columns: {}, unlisted: keep}\nsink: all.parquet\n"
    )
    (location.folder / "lake").mkdir()
    graph = location.definitions().resolve_asset_graph()
    assert graph.get(dg.AssetKey("all")).parent_keys == {dg.AssetKey("orders")}


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 1, 3, 3, tzinfo=UTC), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-01"),
        (datetime(2026, 1, 1, 3, tzinfo=UTC), None),
    ],
)
def test_a_schedule_does_the_last_day_that_is_over(location, instance, now, day):
    """It asks for that day once, and for none before the first one."""
    location.write("orders", DAILY)
    definitions = location.definitions()
    schedule = definitions.resolve_schedule_def("orders_schedule")
    assert schedule.cron_schedule == "0 3 * * *"
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=now)
    found = schedule(context)
    if day is None:
        assert isinstance(found, dg.SkipReason)
    else:
        assert (found.partition_key, found.run_key) == (day, day)


def test_the_rekey_job_moves_an_output_and_says_so(location, instance):
    """Tokens move to the new version in place, proved, and the asset shows it."""
    location.write(
        "customers",
        "source: in/customers.csv\npolicy: policies/people.yaml\nsink: lake/customers.parquet\n",
    )
    location.put("in/customers.csv")
    (location.folder / "lake").mkdir()
    assert location.run("customers_job", instance).success
    target = location.folder / "lake/customers.parquet"
    before = pl.read_parquet(target)
    with edit_keyring(location.keyring, "passphrase:env:PASSPHRASE") as ring:
        ring.rotate("people")
        ring.save()
    config = {"ops": {"rekey_files": {"config": {"path": str(target)}}}}
    assert location.run("rekey", instance, run_config=config).success
    assert not pl.read_parquet(target).equals(before)
    document = pl.read_parquet_metadata(target)["tokenkit"]
    assert Metadata.parse(document).columns["ssn"].version == 2
    [event] = instance.fetch_observations(dg.AssetKey("customers"), limit=5).records
    [column] = event.asset_observation.metadata["columns"].records
    assert (column.data["old_version"], column.data["new_version"]) == (1, 2)
    assert event.asset_observation.metadata["rows"].value == 3


def test_a_rekey_that_fails_is_ours(location, instance):
    """A wrong path is an error by its code, chained to nothing."""
    location.write(
        "customers",
        "source: in/customers.csv\npolicy: policies/people.yaml\nsink: lake/customers.parquet\n",
    )
    config = {"ops": {"rekey_files": {"config": {"path": "nowhere.parquet"}}}}
    result = location.run("rekey", instance, run_config=config)
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_failure_data.user_failure_data.metadata["code"].value == "TK603"
    assert failed.step_failure_data.error.cause is None
