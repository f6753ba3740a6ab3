"""A run of Dagster's job for batches, in this process: it does its batch, or has nothing to do."""

from __future__ import annotations

import _thread
import signal
from uuid import uuid4

import dagster as dg
import pytest
from sqlalchemy import select

from tests.integration.test_batch_pool import (  # noqa: F401 - fixtures are found here
    folder,
    many,
    of_batch,
    opened,
    owner,
    plainly,
    result,
    upload,
    workshop,
)
from tokenkit.dagster.batches import BatchesResource, batch_definitions
from tokenkit.store.models.batches import BatchRow

CANARY = "CANARY-078-05-1120"


@pytest.fixture
def done(folder):  # noqa: F811
    """Do a batch as a run, and give the run's result and everything that it said."""
    resource = BatchesResource(place=str(folder / "batches"), policies=str(folder / "policies"))
    given = dg.Definitions(jobs=batch_definitions().jobs, resources={"batches": resource})
    job = given.resolve_job_def("tokenkit_batch")

    def run(batch):
        config = {"ops": {"work_on_batch": {"config": {"batch": str(batch)}}}}
        with dg.DagsterInstance.ephemeral() as instance:
            ended = job.execute_in_process(
                run_config=config, instance=instance, raise_on_error=False
            )
            return ended, str(instance.all_logs(ended.run_id))

    return run


def outcome(ended):
    [output] = [event for event in ended.all_events if event.is_successful_output]
    return output.step_output_data.metadata["outcome"].value


def test_a_run_does_its_batch_and_no_second_one_does(folder, workshop, owner, done):  # noqa: F811
    """As the command line does it; another one waits on, and the second run has nothing to do."""
    content = many(3_000)
    other, batch = upload(workshop, owner, content), upload(workshop, owner, content)
    handler = signal.getsignal(signal.SIGINT)
    ended, _ = done(batch)
    assert (ended.success, outcome(ended)) == (True, "complete")
    over = workshop.batches.find(batch)
    assert (over.state, over.attempt) == ("complete", 1)
    assert result(workshop, over) == plainly(folder, workshop, content)[1]
    again, _ = done(batch)
    assert (again.success, outcome(again)) == (True, "nothing to do")
    assert workshop.batches.find(batch) == over
    assert workshop.batches.find(other).state == "queued"
    assert of_batch(workshop, batch) == [("batch.tokenize", "complete")]
    assert outcome(done(uuid4())[0]) == "nothing to do"
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_batch_that_fails_fails_its_run_without_a_value(workshop, owner, done):  # noqa: F811
    """Its code and text are Dagster's to show; of the file there is nothing."""
    batch = upload(workshop, owner, f"ssn,note\n1,2,{CANARY}\n".encode())
    ended, said = done(batch)
    assert not ended.success
    assert workshop.batches.find(batch).failure.code == "TK601"
    assert "TK601" in said
    assert CANARY not in said


def test_what_is_no_id_isn_t_quoted(workshop, done):  # noqa: F811
    """Whatever stands there."""
    ended, said = done("no-id")
    assert not ended.success
    assert "TK901" in said
    assert "badly formed" not in said


def test_a_run_that_is_interrupted_gives_its_batch_back(
    workshop,  # noqa: F811
    owner,  # noqa: F811
    done,
    monkeypatch,
):
    """Terminated in Dagster: the batch waits for the next run, and that was no death."""
    batch = upload(workshop, owner, many(300))

    def interrupted(*_):
        _thread.interrupt_main()
        for _turn in range(10_000):
            pass

    with monkeypatch.context() as patch:
        patch.setattr("tokenkit.batches.running.run_job", interrupted)
        assert not done(batch)[0].success
    found = workshop.batches.find(batch)
    assert (found.state, found.attempt) == ("queued", 1)
    with workshop.database.read() as connection:
        assert connection.execute(select(BatchRow.deaths)).scalar_one() == 0
    assert outcome(done(batch)[0]) == "complete"
