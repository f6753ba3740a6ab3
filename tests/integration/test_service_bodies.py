"""Bodies in JSON, Arrow and NDJSON: the tokens of every engine, and limits that hold."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import tokenkit as tk
from tests.services import running
from tokenkit.schemes.catalogue import all_schemes

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
CANARY = "4539578763621486"
CASES: dict[str, Any] = {
    "credit-card": (
        ["4539578763621486", None, "", "6011 0009 9013 9424", "12"],
        {"keep": {"last": 4}},
    ),
    "us-ssn": (["078-05-1120", None, "", "078051120", "x"], {}),
    "text": (["Zoë said hello", None, "", "a" * 500, "b"], {}),
    "digits": (["0042719365", None, "", "123456", "1"], {}),
    "alphanumeric": (["AB12cd34EF", None, "", "zz99zz99zz", "a b"], {}),
    "custom": (
        ["ABCDABCDABCD", None, "", "DDDDCCCCBBBB", "x"],
        {"alphabet": "ABCD", "min_length": 10},
    ),
}


def stream(columns, compression=None):
    sink = pa.BufferOutputStream()
    batch = pa.record_batch(columns)
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def send(service, path, bearer, content, kind, **query):
    headers = {"authorization": f"Bearer {bearer}", "content-type": kind}
    return service.client.post(path, params=query, content=content, headers=headers)


@pytest.fixture(scope="module")
def quick_service(tmp_path_factory):
    """Run one service for all of these, none of which changes anything."""
    folder = tmp_path_factory.mktemp("service")
    with running(f"sqlite:///{folder / 'tokenkit.db'}", folder) as found:
        yield found


@pytest.fixture(scope="module")
def key(quick_service):
    """Give an API key that may do everything with tokens."""
    return quick_service.caller(("allow", "tokenize", "*"), ("allow", "detokenize", "*"))


def test_every_scheme_has_a_case():
    """A scheme that is added is compared with the expression here too."""
    assert set(CASES) == {scheme.name for scheme in all_schemes()}


@pytest.mark.parametrize("kind", ["json", ARROW, NDJSON])
@pytest.mark.parametrize("scheme", CASES)
def test_tokens_are_those_of_the_polars_expression(quick_service, key, scheme, kind):
    """Every scheme's tokens equal the expression's, in every kind of body, and come back."""
    values, parameters = CASES[scheme]
    ring = quick_service.keyring
    expected = pl.DataFrame({"v": values}).select(
        tk.expr.try_tokenize("v", scheme, key="people", keyring=ring, **parameters)
    )
    outcome = expected.to_series().struct.unnest()
    tokens, reasons = outcome["token"].to_list(), outcome["reason"].to_list()
    named = {"scheme": scheme, "key": "people"}
    turn = _TURNS[kind]
    made, found = turn(quick_service, "tokenize", key, named, parameters, values)
    assert (made, found) == (tokens, reasons)
    back, found = turn(quick_service, "detokenize", key, named, parameters, tokens)
    assert back == [None if why else value for value, why in zip(values, reasons, strict=True)]
    assert found == [None] * len(values)


def _by_json(service, operation, key, named, parameters, values):
    body = {**named, "parameters": parameters}
    answer = service.post(f"/v1/{operation}", {**body, "values": values}, key).json()
    one, many = ("token", "tokens") if operation == "tokenize" else ("value", "values")
    singles = [
        service.post(f"/v1/{operation}", {**body, "value": value}, key).json() for value in values
    ]
    assert [single.get(one) for single in singles] == answer[many]
    reasons = {error["index"]: error["reason"] for error in answer.get("errors", ())}
    assert [single.get("reason") for single in singles] == [
        reasons.get(index) for index in range(len(values))
    ]
    return answer[many], [reasons.get(index) for index in range(len(values))]


def _by_arrow(service, operation, key, named, parameters, values):
    query = {**named, "parameters": json.dumps(parameters)}
    answer = send(service, f"/v1/{operation}", key, stream({"v": values}), ARROW, **query)
    assert answer.headers["tokenkit-key-version"] == "1"
    table = pa.ipc.open_stream(answer.content).read_all()
    return table.column(0).to_pylist(), table["reason"].to_pylist()


def _by_lines(service, operation, key, named, parameters, values):
    query = {**named, "parameters": json.dumps(parameters)}
    lines = "\n".join(json.dumps({"value": value}) for value in values)
    answer = send(service, f"/v1/{operation}", key, lines, NDJSON, **query)
    rows = [json.loads(line) for line in answer.text.splitlines()]
    one = "token" if operation == "tokenize" else "value"
    return [row[one] for row in rows], [row["reason"] for row in rows]


_TURNS = {"json": _by_json, ARROW: _by_arrow, NDJSON: _by_lines}


def test_integers_stay_integers(quick_service, key):
    """Integers become integers, in JSON, Arrow and NDJSON alike."""
    body = {"policy": "orders", "column": "number"}
    made = quick_service.post("/v1/tokenize", {**body, "values": [5, None, 123456789]}, key).json()
    tokens = made["tokens"]
    assert [type(token) for token in tokens] == [int, type(None), int]
    content = stream({"v": pa.array([5, None, 123456789])})
    answer = send(quick_service, "/v1/tokenize", key, content, ARROW, **body)
    assert pa.ipc.open_stream(answer.content).read_all()["token"].to_pylist() == tokens
    lines = '{"value": 5}\n{"value": null}\n{"value": 123456789}'
    answer = send(quick_service, "/v1/tokenize", key, lines, NDJSON, **body)
    assert [json.loads(line)["token"] for line in answer.text.splitlines()] == tokens


def test_tweaks_separate_equal_values(quick_service, key):
    """A column with a tweak takes one for each value, and refuses values without."""
    body = {"policy": "orders", "column": "account", "values": ["AB12cd34EF"] * 2}
    made = quick_service.post("/v1/tokenize", {**body, "tweaks": ["a", "b"]}, key).json()["tokens"]
    assert made[0] != made[1]
    content = stream({"v": body["values"], "tweak": ["a", "b"]})
    query = {"policy": "orders", "column": "account"}
    answer = send(quick_service, "/v1/tokenize", key, content, ARROW, **query)
    assert pa.ipc.open_stream(answer.content).read_all()["token"].to_pylist() == made
    lines = '{"value": "AB12cd34EF", "tweak": "a"}\n{"value": "AB12cd34EF", "tweak": "b"}\n'
    answer = send(quick_service, "/v1/tokenize", key, lines, NDJSON, **query)
    assert [json.loads(line)["token"] for line in answer.text.splitlines()] == made
    for wrong in ({}, {"tweaks": ["a"]}, {"tweak": "a", "tweaks": ["a", "b"]}):
        assert quick_service.post("/v1/tokenize", {**body, **wrong}, key).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"4539578763621486",
        b'{"policy": "orders", "column": "card", "value": "4539578763621486"',
        b'{"4539578763621486": 1, "policy": "orders", "column": "card", "value": "a"}',
        b'{"policy": "orders", "column": "card", "value": {"4539578763621486": 1}}',
        b'{"policy": "orders", "column": "card", "values": ["4539578763621486", 5]}',
        b'{"policy": "orders", "column": "card", "values": [4539578763621486.5]}',
        b'{"policy": "orders", "column": "card", "values": [true]}',
        b'{"policy": "orders", "column": "card", "value": "4539578763621486", "values": []}',
        b'{"policy": "orders", "column": "card"}',
        b'{"policy": "orders", "value": "4539578763621486"}',
        b'{"policy": "orders", "column": "card", "version": "4539578763621486", "value": "a"}',
        b'{"policy": "orders", "column": "card", "version": 4539578763621486, "value": "a"}',
        b'{"scheme": "4539578763621486", "key": "people", "value": "a"}',
        b'{"scheme": "digits", "key": "people", "domain": "4539 578763621486", "value": "a"}',
        b'{"scheme": "custom", "key": "people", "parameters": {"alphabet": "44"}, "value": "a"}',
        b'{"scheme": "digits", "key": "people", "value": 99999999999999999999999999}',
        b'{"policy": "orders", "column": "card", "value": "\\ud800"}',
        b'\xff{"policy": "orders"}',
    ],
)
def test_what_cannot_be_read_is_a_problem_that_quotes_nothing(quick_service, key, body, caplog):
    """Hostile bodies are problems of 422; no part of them is in the answer or in a log."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = quick_service.client.post("/v1/tokenize", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert CANARY not in answer.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        (ARROW, b"", 422),
        (ARROW, CANARY.encode() * 100, 422),
        (ARROW, stream({"v": [CANARY], "x": ["a"]}), 422),
        (ARROW, stream({"v": [CANARY]}, "zstd"), 415),
        (ARROW, stream({"v": [CANARY]}, "lz4"), 415),
        (ARROW, stream({"v": pa.array([CANARY]).dictionary_encode()}, "lz4"), 415),
        (ARROW, stream({"v": [CANARY]})[:-40], 422),
        (ARROW, stream({"v": [1.5]}), 422),
        (NDJSON, CANARY, 422),
        (NDJSON, '{"value": "4539578763621486"}\n{"value": 5}', 422),
        (NDJSON, '{"value": "4539578763621486", "other": 1}', 422),
        (NDJSON, '{"tweak": "4539578763621486"}', 422),
        (NDJSON, b'{"value": "\xff"}', 422),
        ("text/csv", CANARY, 415),
    ],
)
def test_hostile_bulk_bodies(quick_service, key, kind, content, status, caplog):
    """Broken and compressed streams, other columns and other types are refused, quoting nothing."""
    query = {"policy": "orders", "column": "card"}
    answer = send(quick_service, "/v1/tokenize", key, content, kind, **query)
    assert answer.status_code == status, answer.text
    assert CANARY not in answer.text
    assert CANARY not in caplog.text


def test_every_broken_stream_is_refused_or_right(quick_service, key):
    """A stream with any byte of its headers turned over gives an answer, and never a 500."""
    whole = stream({"v": [CANARY, None]})
    query = {"policy": "orders", "column": "card"}
    for place in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        answer = send(quick_service, "/v1/tokenize", key, bytes(broken), ARROW, **query)
        assert answer.status_code in {200, 415, 422, 413}, (place, answer.text)


def test_limits_hold_for_announced_and_for_chunked_bodies(tmp_path):
    """A body beyond its limit is 413, whether its length is announced or not; a list too."""
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    sizes: dict[str, Any] = {"most_body_bytes": 1_000, "most_bulk_bytes": 3_000, "most_values": 10}
    with running(url, tmp_path, most_bulk_values=20, **sizes) as service:
        key = service.caller(("allow", "tokenize", "*"))
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        large = b'{"policy": "orders", "column": "note", "value": "' + b"a" * 2_000 + b'"}'
        for content in (large, iter([large[:500], large[500:]])):
            answer = service.client.post("/v1/tokenize", content=content, headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (413, "body_size")
        body = {"policy": "orders", "column": "note"}
        answer = service.post("/v1/tokenize", {**body, "values": ["a"] * 11}, key)
        assert (answer.status_code, answer.json()["reason"]) == (413, "values")
        assert service.post("/v1/tokenize", {**body, "values": ["a"] * 10}, key).status_code == 200
        for values, status in ((["a"] * 20, 200), (["a"] * 21, 413), (["a" * 4_000], 413)):
            answer = send(service, "/v1/tokenize", key, stream({"v": values}), ARROW, **body)
            assert answer.status_code == status
        pieces = iter([stream({"v": ["a" * 2_000]})])
        assert send(service, "/v1/tokenize", key, pieces, ARROW, **body).status_code == 200


def test_the_document_is_whole(quick_service):
    """Each endpoint documents its bodies and its problems with examples."""
    document = quick_service.client.get("/v1/openapi.json").json()
    for path in ("/v1/tokenize", "/v1/detokenize"):
        found = document["paths"][path]["post"]
        assert set(found["requestBody"]["content"]) == {"application/json", ARROW, NDJSON}
        assert set(found["responses"]["200"]["content"]) == {"application/json", ARROW, NDJSON}
        for status in ("401", "403", "404", "413", "415", "422", "429", "503"):
            content = found["responses"][status]["content"]["application/problem+json"]
            assert content["example"]["status"] == int(status)
    text = json.dumps(document)
    for reference in set(text.split('"#/components/schemas/')[1:]):
        assert reference.split('"')[0] in document["components"]["schemas"]


def test_other_paths_and_methods_are_problems(quick_service):
    """What isn't there is a problem too, and doesn't quote its path."""
    for method, path, status in (
        ("GET", f"/v1/{CANARY}", 404),
        ("GET", "/v1/tokenize", 405),
        ("POST", "/v1/tokenize/", 404),
    ):
        answer = quick_service.client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text
