"""The code location of this repository, in this process."""

import shutil
import subprocess
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

import tokenkit as tk
from pipelines import definitions
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.testing.customers import customers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Give a copy of the job files' data folder, with a keyring and a store."""
    shutil.copytree(ROOT / "pipelines/jobs", tmp_path / "jobs")
    for folder in ("inbox", "orders", "support", "lake/customers", "lake/orders"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    monkeypatch.setenv("PASSPHRASE", "tokens keep their form")
    provider = PassphraseProvider("env:PASSPHRASE", cost=2**10)
    create_keyring(tmp_path / "keyring.json", ["people", "payments"], provider).close()
    monkeypatch.setenv("TOKENKIT_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("TOKENKIT_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_DATABASE_URL", f"sqlite:///{tmp_path}/tokenkit.db")
    return tmp_path / "data"


def test_the_folders_that_its_jobs_need_are_in_a_clone():
    """Data isn't committed; the folders for it are."""
    listed = subprocess.run(
        ["git", "ls-files", "pipelines/data"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = {Path(line).parent.relative_to("pipelines/data") for line in listed.stdout.split()}
    wanted = ("inbox", "orders", "support", "lake/customers", "lake/orders")
    assert found == {Path(folder) for folder in wanted}
    assert {Path(line).name for line in listed.stdout.split()} == {".gitkeep"}


def test_everything_below_defs_is_loaded(data):
    """Assets, their graph, sensor and schedule, resources, and what is wrong fails here."""
    loaded = definitions.defs()
    dg.Definitions.validate_loadable(loaded)
    graph = loaded.resolve_asset_graph()
    assert graph.materializable_asset_keys == {
        dg.AssetKey(name) for name in ("customers", "orders", "support")
    }
    assert graph.get(dg.AssetKey("support")).parent_keys == {dg.AssetKey("customers")}
    assert graph.get(dg.AssetKey("customers")).parent_keys == {dg.AssetKey(["data", "inbox"])}
    assert loaded.resolve_sensor_def("customers_inbox_sensor").minimum_interval_seconds == 10
    assert loaded.resolve_schedule_def("orders_schedule").execution_timezone == "UTC"


def test_the_orders_of_a_day_join_with_customers(data, tmp_path):
    """A day's job is done, and its tokens are those that the customers' policy makes."""
    made = customers(50, dirty=0).select("customer_id", "card")
    made.write_csv(data / "orders" / "2026-01-02.csv")
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.defs().resolve_job_def("orders_job")
        assert job.execute_in_process(instance=instance, partition_key="2026-01-02").success
    tokens = pl.read_parquet(data / "lake/orders/2026-01-02.parquet")
    with tk.open_keyring(tmp_path / "keyring.json", "passphrase:env:PASSPHRASE") as ring:
        policy = tk.load_policy(tmp_path / "jobs/policies/customers.yaml")
        whole = tk.apply(customers(50, dirty=0), policy, keyring=ring).frame
    assert tokens["card"].to_list() == whole["card"].to_list()
    assert tokens["card"].to_list() != made["card"].to_list()
