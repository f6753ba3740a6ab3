"""The whole OpenAPI document, asked with what it allows and with what it doesn't."""

from __future__ import annotations

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.people import person, presets
from tests.services import running

# What ends the session that asks is asked in the other tests.
ENDING = {("DELETE", "/v1/sessions/current"), ("POST", "/v1/sessions/current/step-up")}
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
EXAMPLES = 10


def generating(case, send):
    """Call an operation with some made-up cases, and give what was wrong with its answers."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=case)
    def call(case):
        send(case)

    try:
        call()
    except Unsatisfiable:
        # There is nothing about the operation that could be wrong.
        return []
    except FailureGroup as group:
        return [str(one) for one in group.exceptions]
    except AssertionError as failure:
        return [str(failure)]
    return []


def test_every_answer_is_documented_and_none_is_a_defect(tmp_path):
    """No 5xx and no undocumented answer, whatever is sent: things that are there and that aren't,
    well-formed requests and others, from an administrator of everything and from nobody."""
    url = f"sqlite:///{tmp_path / 'tokenkit.db'}"
    with running(url, tmp_path, session_limit="", address_limit="") as service:
        presets(service)
        boss = person(service, "boss", ("allow", "*", "*"), ("allow", "detokenize", "*"))
        person(service, "ann")
        issued = boss.ask(
            "POST", "/v1/api-keys", {"user": "ann", "name": "x", "scopes": ["tokenize"]}
        )
        sessions = boss.ask("GET", "/v1/sessions", user="ann").json()["items"]
        there = {
            ("users", "name"): "ann",
            ("roles", "name"): "ann",
            ("roles", "role"): "support",
            ("grants", "grant_id"): 1,
            ("api-keys", "key_id"): issued.json()["id"],
            ("sessions", "session_id"): sessions[0]["id"],
            ("keys", "name"): "payments",
            ("policies", "name"): "orders",
        }
        document = schemathesis.openapi.from_url(f"{service.url}/v1/openapi.json")
        headers = {"authorization": f"Bearer {boss.token}"}
        faults, asked, statuses = [], set(), set()
        with requests.Session() as session:

            def send(case, headers=headers):
                response = case.call_and_validate(
                    session=session, headers=headers, checks=CHECKS, timeout=30
                )
                statuses.add(response.status_code)

            for found in document.get_all_operations():
                assert isinstance(found, Ok), "the document can't be read"
                operation = found.ok()
                if (operation.method.upper(), operation.path) in ENDING:
                    continue
                asked.add(operation.label)
                area = operation.path.split("/")[2:3]
                names = [one.name for one in operation.path_parameters]
                known = {name: there[(*area, name)] for name in names if (*area, name) in there}
                strategies = [
                    operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
                    operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
                ]
                if known:
                    strategies.append(operation.as_strategy(path_parameters=known))
                for strategy in strategies:
                    faults += [f"{operation.label}: {one}" for one in generating(strategy, send)]
                nobody = operation.as_strategy()
                faults += [
                    f"{operation.label}: {one}"
                    for one in generating(nobody, lambda case: send(case, headers={}))
                ]
            for path in list(document):
                answer = session.request("PROPFIND", service.url + path, headers=headers)
                if answer.status_code != 405:
                    faults.append(f"{path}: PROPFIND gives {answer.status_code}")
        assert faults == []
        assert len(asked) > 40
        assert {200, 201, 204, 401, 404, 422} <= statuses
        assert boss.ask("GET", "/v1/account").status_code == 200, "the session still stands"
