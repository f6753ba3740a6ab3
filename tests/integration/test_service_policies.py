"""The folder of policies while the service runs: followed, and written down before it counts."""

from __future__ import annotations

import json
import time

import pytest

from tests.services import POLICY, running

CARD = "4539578763621486"
NEW = POLICY.replace(", keep: {last: 4}", "")


def answered(service, key, body, wanted):
    """Ask until the answer's status is the one that is wanted."""
    until = time.monotonic() + 10
    while (answer := service.post("/v1/tokenize", body, key)).status_code != wanted:
        assert time.monotonic() < until, answer.text
        time.sleep(0.05)
    return answer.json()


def loaded(service):
    """Give what the log says of policies, the oldest first."""
    return [(row["object"], json.loads(row["detail"])) for row in service.audited("policy.load")]


@pytest.fixture
def service(database_url, tmp_path):
    """Run the service."""
    with running(database_url, tmp_path) as service:
        yield service


def test_policies_are_followed_and_written_down(service, tmp_path):
    """A policy that changes, comes or goes counts within seconds, and is in the log by its digest;
    one that can't be read changes nothing."""
    key = service.caller(("allow", "tokenize", "*"))
    body = {"policy": "orders", "column": "card", "value": CARD}
    first = service.post("/v1/tokenize", body, key).json()["token"]
    file = tmp_path / "policies" / "orders.yaml"
    file.write_text("columns: {")
    time.sleep(3)
    assert service.post("/v1/tokenize", body, key).json()["token"] == first
    file.write_text(NEW)
    until = time.monotonic() + 20
    while (changed := service.post("/v1/tokenize", body, key).json()["token"]) == first:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert changed[-4:] != CARD[-4:] or changed[:6] != first[:6]
    (tmp_path / "policies" / "people.yaml").write_text(POLICY)
    people = {"policy": "people", "column": "card", "value": CARD}
    assert answered(service, key, people, 200)["token"] == first
    (tmp_path / "policies" / "people.yaml").unlink()
    answered(service, key, people, 404)
    began, followed, came, went = loaded(service)
    assert [name for name, _ in (began, followed, came, went)] == [
        "policy:orders",
        "policy:orders",
        "policy:people",
        "policy:people",
    ]
    assert began[1]["before"] is None
    assert followed[1]["before"] == began[1]["digest"] == came[1]["digest"] == went[1]["before"]
    assert went[1]["digest"] is None


def test_a_start_with_the_same_policies_writes_nothing_new(database_url, tmp_path):
    """Restarts don't fill the log; a policy that changed meanwhile is in it."""
    for policy, records in ((POLICY, 1), (POLICY, 1), (NEW, 2), (POLICY, 3)):
        with running(database_url, tmp_path, policy=policy) as service:
            assert len(loaded(service)) == records
    with running(database_url, tmp_path / "other") as service:
        assert len(loaded(service)) == 3
    (tmp_path / "policies" / "orders.yaml").rename(tmp_path / "policies" / "people.yaml")
    with running(database_url, tmp_path, policy=POLICY) as service:
        assert loaded(service)[-1][0] == "policy:people"
        (tmp_path / "policies" / "people.yaml").unlink()
    with running(database_url, tmp_path, policy=POLICY) as service:
        name, detail = loaded(service)[-1]
        assert (name, detail["digest"]) == ("policy:people", None)
