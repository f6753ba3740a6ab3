"""Marked values through every endpoint and every error path: they come out where they belong, and
stand in no log, metric, audit record, problem or database."""

from __future__ import annotations

import io
import json
import logging

import pyarrow as pa
import pytest
from sqlalchemy import text

from tests.integration.canaries import forms

CARD = "4539578763621486"
BAD_CARD = "4539578763621487"
NOTE = "Canary Note 77120531 Person"
NAME = "canary-name-4417730"
CANARIES = [CARD, BAD_CARD, NOTE, NAME]
RIGHTS = [
    (
        ("allow", "tokenize", "*"),
        ("allow", "detokenize", "*"),
        ("allow", "tokens.*", "*"),
        ("allow", "audit.read", "*"),
    ),
    (("allow", "tokenize", "key:people"),),
    (("masked", "detokenize", "*"),),
]
CARDS = {"policy": "orders", "column": "card"}
NOTES = {"policy": "orders", "column": "note"}
FIELDS = ("version", "purpose", "tweak", "tweaks", "store", "metadata", "expires_at")


class Heard:
    """Everything that came out of the service where no value belongs."""

    def __init__(self):
        self.text = []

    def hear(self, answer, *, values=False):
        """Take an answer; one that may have values shows its headers alone."""
        shown = dict(answer.headers) if values else [dict(answer.headers), answer.text]
        self.text.append(repr(shown))
        return answer


def bodies(canary, *, may):
    """Give bodies that have a canary wherever one can stand."""
    whole = [
        *({**CARDS, "value": value} for value in (canary, [canary], {canary: 1})),
        *({**CARDS, "values": value} for value in (canary, [canary, 5], [[canary]], {canary: 1})),
        *({**CARDS, "value": "x", field: canary} for field in FIELDS),
        {**CARDS, "value": "x", "metadata": {canary: "y" * 5000}},
        {**CARDS, canary: 1, "value": "x"},
        {"policy": canary, "column": "card", "value": "x"},
        {"policy": "orders", "column": canary, "value": "x"},
        {"scheme": canary, "key": "payments", "value": "x"},
        {"scheme": "text", "key": canary, "value": "x"},
        {"scheme": "text", "key": "people", "parameters": {canary: 1}, "value": "x"},
        {"scheme": "digits", "key": "people", "parameters": {"alphabet": canary}, "value": canary},
        {"scheme": "text", "key": "people", "value": "x", "tweak": canary},
        [canary],
        canary,
    ]
    if not may:
        # For whoever may make the call, its domain is part of what is written down.
        whole.append({"scheme": "text", "key": "payments", "domain": canary, "value": "x"})
    made = [json.dumps(body).encode() for body in whole]
    return [*made, canary.encode(), b'{"value": "' + canary.encode(), canary.encode() + b"\xff"]


def arrow(name, values):
    """Write an Arrow stream of one column."""
    sink = io.BytesIO()
    table = pa.table({name: values})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def everything_stored(database):
    """Give every cell of every table, and with SQLite the files."""
    if database.is_postgresql:
        with database.read() as connection:
            names = connection.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).scalars()
            return "\n".join(
                f"{name} {row}"
                for name in names
                for row in connection.execute(text(f'SELECT t::text FROM "{name}" t')).scalars()
            ).encode()
    assert database.address.file is not None
    return b"\n".join(path.read_bytes() for path in database.address.file.parent.iterdir())


def send_everything(service, heard):
    """Send each canary to every operation of the document, in every place of a request."""
    keys = [service.caller(*grants) for grants in RIGHTS]
    paths = service.client.get("/v1/openapi.json").json()["paths"]
    for canary in CANARIES:
        for path, operations in paths.items():
            for method in operations:
                filled = path
                while "{" in filled:
                    filled = filled[: filled.index("{")] + canary + filled[filled.index("}") + 1 :]
                for key in (keys[0], NAME, f"tkk_{canary}"):
                    headers = {"authorization": f"Bearer {key}"}
                    for query in ("", f"?{NAME}={canary}", f"?cursor={canary}&limit={canary}"):
                        heard.hear(
                            service.client.request(method.upper(), filled + query, headers=headers)
                        )
                if method == "post":
                    send_bodies(service, heard, filled, keys, canary)
    return keys[0]


def send_bodies(service, heard, path, keys, canary):
    for number, key in enumerate(keys):
        send_kinds(service, heard, path, key, canary, may=number != 1)


def send_kinds(service, heard, path, key, canary, *, may):
    kinds = [
        ("application/json", bodies(canary, may=may)),
        ("application/vnd.apache.arrow.stream", [canary.encode(), arrow(canary, [canary])]),
        ("application/x-ndjson", [canary.encode(), json.dumps({canary: canary}).encode()]),
        (f"text/{NAME}", [canary.encode()]),
    ]
    for kind, contents in kinds:
        for content in contents:
            answer = service.client.post(
                f"{path}?policy=orders&column=card",
                content=content,
                headers={
                    "authorization": f"Bearer {key}",
                    "content-type": kind,
                    "idempotency-key": f"{canary} {len(content)}",
                },
            )
            heard.hear(answer, values=answer.status_code < 300)


def send_values(service, heard, key):
    """Send canaries that fit, so that they are tokenized, kept, turned back, and revoked."""
    for column, value in ((CARDS, CARD), (NOTES, NOTE)):
        more = {"metadata": {"name": NAME}, "store": True}
        sent = {"idempotency-key": f"{NAME}-{column['column']}"}
        body = {**column, "value": value, **more}
        answer = service.post("/v1/tokenize", body, key, **sent)
        made = heard.hear(answer).json()
        heard.hear(service.post("/v1/tokenize", {**body, "value": "x"}, key, **sent))
        heard.hear(service.post("/v1/tokenize", {**column, "values": [value, BAD_CARD, None]}, key))
        turned = {**column, "value": made["token"]}
        back = heard.hear(service.post("/v1/detokenize", turned, key), values=True)
        assert back.json()["value"] == value
        assert (
            NAME
            in heard.hear(
                service.client.get(
                    f"/v1/tokens/{made['record']['id']}", headers={"authorization": f"Bearer {key}"}
                ),
                values=True,
            ).text
        )
        heard.hear(service.post("/v1/tokens/validate", turned, key))
        path = f"/v1/tokens/{made['record']['id']}/revoke"
        heard.hear(service.post(path, None, key), values=True)
        heard.hear(service.post("/v1/detokenize", turned, key))


def break_the_log(service, heard, key):
    """Let operations fail at the last moment, and where nobody foresaw it."""
    with service.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_head RENAME TO audit_head_gone")
    for column, value in ((CARDS, CARD), (NOTES, NOTE)):
        answer = heard.hear(service.post("/v1/tokenize", {**column, "value": value}, key))
        assert answer.status_code == 503
    with service.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_head_gone RENAME TO audit_head")

    class Defect:
        async def before(self, call):
            raise RuntimeError(f"{call.values.to_pylist()} {call.body!r}")

        async def after(self, call, result):
            """Not reached."""

        async def failed(self, call):
            """Not reached."""

    service.state.guards.append(Defect())
    for column, value in ((CARDS, CARD), (NOTES, NOTE)):
        answer = heard.hear(service.post("/v1/tokenize", {**column, "value": value}, key))
        assert answer.status_code == 500
    service.state.guards.pop()


@pytest.mark.slow
def test_no_value_is_anywhere_but_in_answers_that_are_about_it(service, caplog, capfd):
    """Logs, standard output, metrics, problems, headers, audit records, and the whole database."""
    caplog.set_level(logging.DEBUG)
    heard = Heard()
    key = send_everything(service, heard)
    send_values(service, heard, key)
    break_the_log(service, heard, key)
    heard.text.append(service.client.get("/metrics").text)
    # The client of the tests writes down what it sends.
    heard.text += [
        f"{record.getMessage()} {record.exc_text}"
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    ]
    said = capfd.readouterr()
    heard.text += [said.out, said.err]
    whole = {
        "what was heard": "\n".join(heard.text).encode(),
        "the database": everything_stored(service.database),
    }
    assert b"tokenkit_http_requests_total" in whole["what was heard"]
    assert b"token_records" in whole["the database"]
    found = [
        (place, canary)
        for place, content in whole.items()
        for canary in CANARIES
        if any(form in content for form in forms(canary))
    ]
    assert found == []


def test_the_search_would_find_it(quick_service):
    """In a database where a value stands."""
    with quick_service.work() as work:
        work.record("test", f"note:{NOTE}")
    assert any(form in everything_stored(quick_service.database) for form in forms(NOTE))
