"""Batches over HTTP: uploaded, worked on, fetched; and nobody else's."""

from __future__ import annotations

import gzip
import io
import json
import time
from contextlib import closing
from functools import partial
from uuid import uuid4

import polars as pl
import pytest

import tokenkit as tk
from tests.services import running, said
from tokenkit.batches.executors.pool import WorkerPool
from tokenkit.batches.opening import open_workshop
from tokenkit.jobs import Job, run
from tokenkit.keys import create_keyring, open_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.policy import load_policy
from tokenkit.service.batch_work import tidy
from tokenkit.store.audit import verify, verifying_keys

SSN = "078-05-1120"
POLICY = """\
columns:
  ssn: {scheme: us-ssn, key: people, on_invalid: reject}
  note: {scheme: text, key: people}
unlisted: keep
"""
ROWS = f"{SSN},a note,1\nnonsense,b,2\n,c,3\n"
ALLOWED = ("allow", "tokenize", "*"), ("allow", "detokenize", "*")


class BrokenOffError(Exception):
    """A caller that goes away in the middle of an upload."""


def many(rows):
    return ("ssn,note,age\n" + ROWS * (rows // 3)).encode()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A keyring in a file, which the workers open too."""
    monkeypatch.setenv("B_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:B_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", str(tmp_path / "keyring.json"))
    provider = PassphraseProvider("env:B_PASSPHRASE", cost=2)
    names = ["people", "payments", "access", "audit"]
    create_keyring(tmp_path / "keyring.json", names, provider).close()
    return tmp_path


@pytest.fixture
def service(database_url, place):
    """The service without workers."""
    ring = open_keyring(place / "keyring.json")
    settings = {"batches": str(place / "batches"), "most_upload_bytes": 50_000_000}
    with running(database_url, place, policy=POLICY, keyring=ring, **settings) as service:
        yield service


@pytest.fixture
def worked(service, database_url, place):
    """The service, and a worker."""
    opened = partial(open_workshop, database_url, str(place / "batches"), place / "policies")
    with closing(WorkerPool(opened, 1, service.state.batches.give_back)):
        yield service


def upload(service, key, content, headers=None, **query):
    sent = {"authorization": f"Bearer {key}", "content-type": "text/csv", **(headers or {})}
    asked = {"policy": "orders", **query}
    return service.client.post("/v1/batches", content=content, headers=sent, params=asked)


def get(service, key, path, **headers):
    return service.client.get(path, headers={"authorization": f"Bearer {key}", **headers})


def ended(service, key, batch):
    until = time.monotonic() + 90
    while (found := get(service, key, f"/v1/batches/{batch}").json())["state"] in {
        "queued",
        "running",
    }:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def plainly(place, ring, content, suffix=".csv"):
    source, target = place / f"plain{suffix}", place / f"plain.out{suffix}"
    source.write_bytes(content)
    policy = load_policy(place / "policies" / "orders.yaml")
    job = Job(operation="tokenize", source=source, target=target, policy=policy, keyring=ring)
    run(job)
    return target.read_bytes()


def test_three_calls(worked, place):
    """Upload, poll, fetch: the bytes of a job on plain files, the whole and in parts; the counts,
    the metadata and the rejected rows; each step in the audit log."""
    key = worked.caller(*ALLOWED)
    content = many(30_000)
    made = upload(worked, key, content)
    assert made.status_code == 202, made.text
    batch = made.json()["id"]
    assert made.headers["location"] == f"/v1/batches/{batch}"
    done = ended(worked, key, batch)
    assert done["state"] == "complete", done
    assert (done["rows_read"], done["rows_written"], done["rows_rejected"]) == (
        30_000,
        20_000,
        10_000,
    )
    assert done["columns"]["ssn"]["scheme"] == "us-ssn"
    fetched = get(worked, key, f"/v1/batches/{batch}/result")
    assert fetched.content == plainly(place, worked.keyring, content)
    assert fetched.headers["content-type"].startswith("text/csv")
    size, tag = len(fetched.content), fetched.headers["etag"]
    for asked, (start, end) in {
        "bytes=0-9": (0, 10),
        "bytes=100000-": (100_000, size),
        "bytes=-7": (size - 7, size),
        f"bytes=5-{size + 100}": (5, size),
    }.items():
        part = get(worked, key, f"/v1/batches/{batch}/result", range=asked)
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.content == fetched.content[start:end]
    same = {"range": "bytes=0-9", "if-range": tag}
    assert get(worked, key, f"/v1/batches/{batch}/result", **same).status_code == 206
    other = {"range": "bytes=0-9", "if-range": '"other"'}
    assert get(worked, key, f"/v1/batches/{batch}/result", **other).status_code == 200
    beyond = get(worked, key, f"/v1/batches/{batch}/result", range=f"bytes={size}-")
    assert (beyond.status_code, beyond.json()["reason"]) == (416, "range")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    head = worked.client.head(
        f"/v1/batches/{batch}/result", headers={"authorization": f"Bearer {key}"}
    )
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))
    metadata = get(worked, key, f"/v1/batches/{batch}/metadata")
    (place / "fetched.csv").write_bytes(fetched.content)
    (place / "fetched.csv.tokenkit.json").write_bytes(metadata.content)
    assert set(tk.read_metadata(place / "fetched.csv").columns) == {"ssn", "note"}
    rejected = get(worked, key, f"/v1/batches/{batch}/rejects")
    (place / "rejects.parquet").write_bytes(rejected.content)
    assert tk.open_rejects(place / "rejects.parquet", keyring=worked.keyring).height == 10_000
    assert [row["outcome"] for row in worked.audited("batch.create")] == ["complete"]
    assert [row["count"] for row in worked.audited("batch.tokenize")] == [30_000]
    assert len(worked.audited("batch.download")) == 9
    assert SSN not in json.dumps(worked.audited_all(), default=str)
    assert verify(worked.database, verifying_keys(worked.keyring)).holds


@pytest.mark.parametrize(("form", "output"), [("parquet", "parquet"), ("csv.gz", "parquet")])
def test_other_formats(worked, place, form, output):
    """Parquet, and compressed text; the result in another format if that is asked for."""
    key = worked.caller(*ALLOWED)
    frame = pl.read_csv(many(3_000), infer_schema=False)
    content = gzip.compress(many(3_000))
    if form == "parquet":
        frame.write_parquet(place / "in.parquet")
        content = (place / "in.parquet").read_bytes()
    batch = upload(worked, key, content, format=form, output=output).json()["id"]
    done = ended(worked, key, batch)
    assert done["state"] == "complete", done
    result = get(worked, key, f"/v1/batches/{batch}/result").content
    assert pl.read_parquet(io.BytesIO(result)).height == 2_000


def test_nothing_in_clear_stays(worked, place):
    """Neither the upload nor the result in a file of the store, nor a value in the database."""
    key = worked.caller(*ALLOWED)
    batch = upload(worked, key, many(3_000)).json()["id"]
    assert ended(worked, key, batch)["state"] == "complete"
    left = [path for path in (place / "batches").rglob("*") if path.is_file()]
    assert len(left) == 3
    assert not any(SSN.encode() in path.read_bytes() for path in left)


def test_who_has_no_right_uploads_nothing(service, place):
    """Refused before the body is read: no right at all, or to one column only; a policy that isn't
    there is refused like one that is; and files aren't detokenized."""
    refused = {
        "nothing": service.caller(("allow", "keys.read", "*")),
        "a column": service.caller(("allow", "tokenize", "column:orders/ssn")),
    }
    for key in refused.values():
        answers = [upload(service, key, many(30), policy=name) for name in ("orders", "other")]
        assert [answer.status_code for answer in answers] == [403, 403]
        assert said(answers[0]) == said(answers[1])
    allowed = service.caller(*ALLOWED)
    assert upload(service, allowed, many(30), operation="detokenize").status_code == 422
    assert upload(service, "tkk_wrong", many(30)).status_code == 401
    assert not (place / "batches").exists()
    assert len(service.audited("tokenize")) == 4


def test_a_batch_is_its_caller_s(service):
    """To anybody else it is like one that there isn't."""
    mine, theirs = service.caller(*ALLOWED), service.caller(*ALLOWED)
    batch = upload(service, mine, many(30)).json()["id"]
    for path in ("", "/result", "/rejects", "/metadata"):
        found = get(service, theirs, f"/v1/batches/{batch}{path}")
        never = get(service, theirs, f"/v1/batches/{uuid4()}{path}")
        assert (found.status_code, said(found)) == (404, said(never))
    sent = {"authorization": f"Bearer {theirs}"}
    assert service.client.post(f"/v1/batches/{batch}/cancel", headers=sent).status_code == 404
    assert service.client.delete(f"/v1/batches/{batch}", headers=sent).status_code == 404
    assert get(service, theirs, "/v1/batches").json()["items"] == []
    assert [one["id"] for one in get(service, mine, "/v1/batches").json()["items"]] == [batch]


def test_cancelled_and_removed(worked, service, place):
    """A batch is cancelled once; a result is removed, and gone."""
    key = worked.caller(*ALLOWED)
    sent = {"authorization": f"Bearer {key}"}
    batch = upload(worked, key, many(3_000)).json()["id"]
    ended(worked, key, batch)
    over = worked.client.post(f"/v1/batches/{batch}/cancel", headers=sent)
    assert over.status_code == 409
    assert worked.client.delete(f"/v1/batches/{batch}", headers=sent).status_code == 204
    assert get(worked, key, f"/v1/batches/{batch}").json()["state"] == "expired"
    assert get(worked, key, f"/v1/batches/{batch}/result").status_code == 409
    assert worked.client.delete(f"/v1/batches/{batch}", headers=sent).status_code == 409
    assert list((place / "batches").iterdir()) == []


def test_one_that_waits_is_cancelled_at_once(service, place):
    key = service.caller(*ALLOWED)
    batch = upload(service, key, many(30)).json()["id"]
    assert get(service, key, f"/v1/batches/{batch}/result").status_code == 409
    cancelled = service.client.post(
        f"/v1/batches/{batch}/cancel", headers={"authorization": f"Bearer {key}"}
    )
    assert cancelled.json()["state"] == "cancelled"
    assert list((place / "batches").iterdir()) == []


def test_what_is_over_is_tidied_up(worked, database_url, place):
    """Files of batches that nobody knows, and the upload of one that is done: as a worker leaves
    them that is killed at the end."""
    key = worked.caller(*ALLOWED)
    batch = upload(worked, key, many(30)).json()["id"]
    ended(worked, key, batch)
    folder = place / "batches" / batch.replace("-", "")
    (folder / "upload").write_bytes(b"left")
    lost = place / "batches" / uuid4().hex
    lost.mkdir()
    (lost / "upload").write_bytes(b"left")
    with open_workshop(database_url, str(place / "batches"), place / "policies") as workshop:
        tidy(workshop)
    assert not lost.exists()
    assert not (folder / "upload").exists()
    assert get(worked, key, f"/v1/batches/{batch}/result").status_code == 200


def test_sent_again_under_its_key_it_is_one_batch(service, place):
    """The same file gives the same batch, another one is refused, and nothing is left behind."""
    key = service.caller(*ALLOWED)
    again = {"idempotency-key": "one"}
    first = upload(service, key, many(30), again).json()["id"]
    assert upload(service, key, many(30), again).json()["id"] == first
    other = upload(service, key, many(33), again)
    assert (other.status_code, other.json()["reason"]) == (422, "other_request")
    assert len(get(service, key, "/v1/batches").json()["items"]) == 1
    assert [path.name.replace("-", "") for path in (place / "batches").iterdir()] == [
        first.replace("-", "")
    ]
    assert len(service.audited("batch.create")) == 1


def test_uploads_that_come_to_nothing_leave_nothing(service, place):
    """Too large with and without a length, empty, broken off in the middle."""
    key = service.caller(*ALLOWED)
    large = b"x" * 1_000_000
    assert upload(service, key, b"").json()["reason"] == "empty"
    assert upload(service, key, large * 51).status_code == 413
    answer = upload(service, key, (large for _ in range(60)))
    assert (answer.status_code, answer.json()["reason"]) == (413, "upload_size")

    def broken():
        yield large
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        upload(service, key, broken())
    until = time.monotonic() + 20
    while get(service, key, "/v1/batches").json()["items"] or any((place / "batches").iterdir()):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert service.audited("batch.create") == []


def test_without_the_audit_log_nothing_is_taken(service, place, monkeypatch):
    """An upload that can't be written down is no batch."""
    key = service.caller(*ALLOWED)

    def full(*_given, **_more):
        from tokenkit.errors import AuditUnavailable

        raise AuditUnavailable("the audit log can't be written", reason="audit", retry_after=1)

    monkeypatch.setattr(service.state.audit, "write", full)
    assert upload(service, key, many(30)).status_code == 503
    monkeypatch.undo()
    assert get(service, key, "/v1/batches").json()["items"] == []
    assert list((place / "batches").iterdir()) == []
