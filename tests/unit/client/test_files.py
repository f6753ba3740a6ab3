"""Files on their way up and down: read as they are sent, whole or not there at all."""

from __future__ import annotations

import io
import os
import tracemalloc
from typing import Any

import pytest

from tests.unit.client.flows import BROKEN, Hands, first_call, problem, success
from tokenkit.client import Batch
from tokenkit.client.batch_flows import BatchFlows, require_complete
from tokenkit.client.effects import Answer
from tokenkit.client.reading import batch as read_batch
from tokenkit.client.settings import Retries
from tokenkit.client.sources import upload_content
from tokenkit.errors import (
    BatchError,
    BatchInterrupted,
    BatchLost,
    OutputExists,
    RequestRefused,
    ServiceTimedOut,
    ServiceUnavailable,
    UnreadableAnswer,
)

ID = "0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11"
WHOLE = bytes(range(256)) * 8
FLOWS = BatchFlows(Retries(first=0, attempts=3))


def said(state="complete", **more):
    fields = dict.fromkeys(
        "purpose size rows_read rows_written rows_rejected columns failure queued started ended"
        " expires".split()
    )
    moment = "2026-11-23T09:00:00Z"
    return {
        "id": ID, "state": state, "operation": "tokenize", "policy": "orders", "format": "csv",
        "output": "csv", "progress": {"rows": 0, "of": None}, "attempt": 1, "created": moment,
        **fields, **more,
    }  # fmt: skip


def giving(start=0, end=None, *, cut=False, tag='"a"', status=None, **headers):
    """Make an answer of a part of the file, of which perhaps not all comes."""

    def outcome(effect):
        part = WHOLE[start:end]
        shown = {"etag": tag, "content-length": str(len(WHOLE) - start), **headers}
        given = status or (206 if start else 200)
        if given == 206:
            shown.setdefault("content-range", f"bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}")
        answer = Answer(status=given, headers=shown)
        if effect.sink.begin(answer):
            effect.sink.write(part)
        return BROKEN if cut else answer

    return outcome


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fetched(hands, target, **options):
    return hands.run(FLOWS.download(ID, "result", target, **({"overwrite": False} | options)))


def test_a_cut_download_goes_on_where_it_was(tmp_path):
    """Each part follows the last one, of the same file; the attempts count from each part on."""
    cuts = [giving(at, at + 200, cut=True) for at in range(0, 1800, 200)]
    hands = Hands([*cuts, giving(1800)])
    target = tmp_path / "a.csv"
    assert fetched(hands, target) == target
    assert target.read_bytes() == WHOLE
    assert [call.headers.get("range") for call in hands.sent] == [
        None,
        *[f"bytes={at}-" for at in range(200, 2000, 200)],
    ]
    assert {call.headers.get("if-range") for call in hands.sent[1:]} == {'"a"'}
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    "second",
    [
        giving(tag='"b"'),
        giving(100, tag='"b"'),
        giving(100, **{"content-range": f"bytes 90-{len(WHOLE) - 1}/{len(WHOLE)}"}),
        giving(100, **{"content-range": f"bytes 100-{len(WHOLE)}/{len(WHOLE) + 1}"}),
        giving(100, **{"content-range": "bytes 100-"}),
    ],
    ids=["whole", "other tag", "other start", "other size", "unreadable"],
)
def test_another_file_is_begun_anew(tmp_path, second):
    """Parts of two files never stand in one."""
    target = tmp_path / "a.csv"
    assert fetched(Hands([giving(0, 100, cut=True), second, giving(tag='"b"')]), target) == target
    assert target.read_bytes() == WHOLE


def test_without_a_tag_it_is_begun_anew(tmp_path):
    """Nor is a weak one enough."""
    for tag in ("", 'W/"a"'):
        hands = Hands([giving(0, 100, cut=True, tag=tag), giving(tag=tag)])
        target = fetched(hands, tmp_path / f"{len(tag)}.csv")
        assert target.read_bytes() == WHOLE
        assert "range" not in hands.sent[1].headers


@pytest.mark.parametrize(
    "answers",
    [
        [BROKEN],
        [giving(0, 100, cut=True), BROKEN],
        [problem(409, "TK951")],
        [giving(0, 100, cut=True), problem(404, "TK905")],
        [giving(0, 100)],
        [giving(**{"content-encoding": "gzip"})],
        [giving(**{"content-length": ""})],
        [giving(status=204)],
    ],
    ids=["no answer", "cut for good", "refused", "gone", "short", "coded", "no length", "empty"],
)
def test_nothing_half_written_stays(tmp_path, answers):
    """Whatever goes wrong, there is neither the file nor a part of it."""
    with pytest.raises((ServiceUnavailable, RequestRefused, UnreadableAnswer)):
        fetched(Hands(answers), tmp_path / "a.csv")
    assert names(tmp_path) == []


def test_what_is_there_stays(tmp_path):
    """Unless it may be replaced, and then until the new one is whole; also what comes meanwhile."""
    target = tmp_path / "a.csv"
    target.write_text("mine")
    hands = Hands([giving()])
    with pytest.raises(OutputExists):
        fetched(hands, target)
    assert hands.sent == []
    with pytest.raises(ServiceUnavailable):
        fetched(Hands([BROKEN]), target, overwrite=True)
    assert target.read_text() == "mine"
    fetched(Hands([giving()]), target, overwrite=True)
    assert target.read_bytes() == WHOLE
    other = tmp_path / "b.csv"

    def meanwhile(effect):
        other.write_text("mine")
        return giving()(effect)

    with pytest.raises(OutputExists):
        fetched(Hands([meanwhile]), other)
    assert other.read_text() == "mine"
    assert names(tmp_path) == ["a.csv", "b.csv"]


def test_a_file_is_given_again_from_its_beginning(tmp_path):
    """By its path, as bytes, or open: from where it stood. What has come since isn't sent."""
    path = tmp_path / "a.csv"
    path.write_bytes(WHOLE)
    with path.open("rb") as opened:
        opened.seek(48)
        for content, expected in (
            (upload_content(path, "csv"), WHOLE),
            (upload_content(str(path), "csv"), WHOLE),
            (upload_content(WHOLE, "csv"), WHOLE),
            (upload_content(opened, "csv"), WHOLE[48:]),
        ):
            assert content.length == len(expected)
            next(content.pieces())
            with path.open("ab") as more:
                more.write(b"later")
            assert b"".join(content.pieces()) == expected
            assert content.can_repeat()
            path.write_bytes(WHOLE)


def test_what_cannot_be_rewound_is_given_once():
    """A pipe has no length, and can be repeated only until it is read."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(b"a,b\n1,2\n")
    with os.fdopen(reading, "rb") as pipe:
        content = upload_content(pipe, None)
        assert (content.length, content.can_repeat()) == (None, True)
        assert b"".join(content.pieces()) == b"a,b\n1,2\n"
        assert not content.can_repeat()


def test_what_is_no_file_is_refused(tmp_path):
    """Text, something else, and a path of nothing."""
    text: Any = io.StringIO("a,b")
    number: Any = 17
    with pytest.raises(TypeError, match="open as text"):
        next(upload_content(text, "csv").pieces())
    with pytest.raises(TypeError, match="a path, bytes"):
        upload_content(number, "csv")
    with pytest.raises(FileNotFoundError):
        upload_content(tmp_path / "none.csv", "csv")


def test_a_name_says_the_format(tmp_path):
    """Unless it is said; what isn't known is the service's to say."""
    asked = {}
    given: dict[str, Any] = {
        "a.csv.gz": {},
        "b.PARQUET": {},
        "c.txt": {},
        "d.csv": {"format": "tsv", "header": False, "output": "parquet"},
    }
    for name, options in given.items():
        (tmp_path / name).write_bytes(b"a\n")
        asked[name] = dict(first_call(FLOWS.create(tmp_path / name, "orders", options)).query)
    assert asked == {
        "a.csv.gz": {"policy": "orders", "format": "csv.gz"},
        "b.PARQUET": {"policy": "orders", "format": "parquet"},
        "c.txt": {"policy": "orders"},
        "d.csv": {"policy": "orders", "format": "tsv", "header": "false", "output": "parquet"},
    }
    unknown: Any = {"formt": "csv"}
    with pytest.raises(TypeError, match="'formt'"):
        next(FLOWS.create(b"a", "orders", unknown))


def test_waiting_asks_ever_less_often():
    """Until it is over; each state is told."""
    told: list[Batch] = []
    hands = Hands([success(**said("queued"))] * 9 + [success(**said("running")), success(**said())])
    flow = FLOWS.wait(ID, None, 3.0, told.append, check=True)
    assert hands.run(flow).state == "complete"
    assert [one.state for one in told] == ["queued"] * 9 + ["running", "complete"]
    assert hands.waited[0] < 0.3
    assert max(hands.waited) <= 3.0 * 1.25
    assert sum(hands.waited[-2:]) > 4


def test_waiting_ends_in_time():
    """And says that the batch goes on."""
    hands = Hands([success(**said("running"))])
    flow = BatchFlows(Retries(), hands.clock).wait(ID, 20.0, 5.0, False, check=True)
    with pytest.raises(ServiceTimedOut) as caught:
        hands.run(flow)
    assert caught.value.reason == "wait"
    assert 10 < sum(hands.waited) <= 20


def test_a_batch_that_failed_is_an_error():
    """Of its own class where it is one of batches; not if nobody wants to know."""
    failure = {"code": "TK301", "reason": "length", "detail": "values do not fit", "hint": "look"}
    for code, kind in {"TK301": BatchError, "TK952": BatchInterrupted}.items():
        with pytest.raises(BatchError, match="values do not fit") as caught:
            require_complete(read_batch(said("failed", failure=failure | {"code": code})))
        assert (type(caught.value), caught.value.reason) == (kind, "length")
    for state in ("cancelled", "expired"):
        with pytest.raises(BatchLost):
            require_complete(read_batch(said(state)))
    hands = Hands([success(**said("failed", failure=failure))])
    assert hands.run(FLOWS.wait(ID, None, 1.0, False, check=False)).failure.code == "TK301"


@pytest.mark.parametrize(
    ("call", "state"), [(FLOWS.cancel, "cancelled"), (FLOWS.delete, "expired")]
)
def test_that_it_was_done_by_the_first_attempt_is_no_error(call, state):
    """A conflict after a cut is looked into; without one, or in another state, it is raised."""
    conflict, after = problem(409, "TK951"), success(**said(state))
    assert Hands([BROKEN, conflict, after]).run(call(ID)).state == state
    with pytest.raises(RequestRefused):
        Hands([conflict, after]).run(call(ID))
    with pytest.raises(RequestRefused):
        Hands([BROKEN, conflict, success(**said("failed"))]).run(call(ID))


def test_a_bar_is_drawn(capsys):
    """With `progress=True`, until the batch is over."""
    progress = {"progress": {"rows": 40, "of": 90}}
    hands = Hands([success(**said("running", **progress)), success(**said(rows_read=95))])
    hands.run(FLOWS.wait(ID, None, 1.0, True, check=True))
    shown = capsys.readouterr().out
    assert "complete" in shown
    assert "95/95" in shown


def test_a_large_file_is_never_held_whole(tmp_path):
    """It is read a piece at a time: of half a gigabyte, a few megabytes are in memory."""
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(2**29)
    tracemalloc.start()
    try:
        sent = 0
        for piece in upload_content(path, "csv").pieces():
            sent += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent == 2**29
    assert peak < 2**23
