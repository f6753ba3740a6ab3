"""Dagster's own storage, as dagster.yaml and deploy/dagster/dagster.yaml set it up."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

ROOT = Path(__file__).parents[2]
FILES = {"sqlite": ROOT / "dagster.yaml", "postgresql": ROOT / "deploy/dagster/dagster.yaml"}


@dg.asset
def numbers() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def home(request, tmp_path, monkeypatch):
    """Give a DAGSTER_HOME with one of the two files, and the database that it names."""
    (tmp_path / "home").mkdir()
    shutil.copy(FILES[request.param], tmp_path / "home" / "dagster.yaml")
    if request.param == "postgresql":
        made = request.getfixturevalue("empty_postgresql")
        monkeypatch.setenv("DAGSTER_POSTGRES_USER", "postgres")
        monkeypatch.setenv("DAGSTER_POSTGRES_PASSWORD", "")
        monkeypatch.setenv("DAGSTER_POSTGRES_HOST", "")
        monkeypatch.setenv("DAGSTER_POSTGRES_DB", made.name)
        monkeypatch.setenv("PGHOST", str(made.server.folder))
    return tmp_path / "home"


@pytest.mark.parametrize("home", FILES, indirect=True)
def test_a_run_ends_and_its_events_are_read_back(home):
    """The pinned SQLAlchemy serves Dagster: a run ends, and what it wrote is there later."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = dg.materialize([numbers], instance=instance).run_id
    with dg.DagsterInstance.from_config(str(home)) as instance:
        read = instance.get_run_by_id(run)
        assert read is not None
        assert read.status is dg.DagsterRunStatus.SUCCESS
        events = [event.dagster_event for event in instance.all_logs(run)]
        kinds = {event.event_type for event in events if event is not None}
        assert {dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.ASSET_MATERIALIZATION} <= kinds
        found = instance.get_latest_materialization_event(dg.AssetKey("numbers"))
        assert found is not None
        assert found.asset_materialization is not None
        assert found.asset_materialization.metadata["rows"].value == 3


@pytest.mark.parametrize("home", FILES, indirect=True)
def test_nothing_is_told_to_others_and_runs_are_limited(home):
    """Telemetry is off, a run whose process dies is retried, and runs queue."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_enabled
        concurrency = instance.get_concurrency_config()
        assert concurrency.run_queue_config is not None
        assert concurrency.run_queue_config.max_concurrent_runs > 0
        assert concurrency.pool_config.default_pool_limit == 2
