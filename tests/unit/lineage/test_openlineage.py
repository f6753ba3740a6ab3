"""Events of runs, held against OpenLineage's own schemas and ours."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from tests.unit.lineage.records import BEGUN, WHOLE
from tokenkit.lineage.openlineage import event
from tokenkit.lineage.openlineage.events import OWN, PRODUCER

DATA = Path(__file__).parents[2] / "data" / "openlineage"
SCHEMAS = [
    json.loads(path.read_text())
    for path in [
        *DATA.rglob("*.json"),
        *(files("tokenkit.lineage.openlineage") / "schemas").iterdir(),
    ]
]
BY_ID = {schema["$id"]: schema for schema in SCHEMAS}
REGISTRY = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in BY_ID.items()
)
NOW = datetime(2026, 11, 23, 10, 2, tzinfo=UTC)
FAILED = replace(BEGUN, status="failed", ended=NOW, error_code="TK301")
DETOKENIZED = replace(WHOLE, operation="detokenize", policy_digest=None, policy=None, proofs={})
EVENTS = {
    "START": event(BEGUN, "START", NOW),
    "COMPLETE": event(WHOLE, "COMPLETE", NOW),
    "FAIL": event(FAILED, "FAIL", NOW),
    "ABORT": event(replace(FAILED, error_code=None), "ABORT", NOW),
    "bare": event(replace(BEGUN, inputs=(), outputs=()), "START", NOW),
    "detokenize": event(DETOKENIZED, "COMPLETE", NOW),
}


def check(schema, content):
    """Hold something against a schema, formats included."""
    Draft202012Validator(schema, registry=REGISTRY, format_checker=FormatChecker()).validate(
        content
    )


def facets(found):
    """Give every facet of an event."""
    holders = [found["run"], found["job"], *found["inputs"], *found["outputs"]]
    for holder in holders:
        for place in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(place, {}).items()


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_as_specified(name):
    """Every kind of event is one by the specification's schema."""
    check(BY_ID["https://openlineage.io/spec/2-0-2/OpenLineage.json"], EVENTS[name])
    assert EVENTS[name]["schemaURL"].partition("#")[0] in BY_ID


@pytest.mark.parametrize("name", EVENTS)
def test_facets_are_as_specified(name):
    """Every facet fits the schema that it names, under the name that the schema gives it."""
    for facet, content in facets(EVENTS[name]):
        url, _, inside = content["_schemaURL"].partition("#")
        schema = BY_ID[url]
        assert inside in ("", f"/$defs/{url.rpartition('/')[2].removesuffix('.json')}")
        if url.startswith(OWN):
            assert schema["title"] == facet
            check(schema, content)
        else:
            assert facet in schema["properties"]
            check({"$ref": content["_schemaURL"]}, content)
        assert content["_producer"] == PRODUCER


def test_our_schemas_refuse_what_is_unknown():
    """Our facets hold what their schemas name, and nothing else."""
    content = EVENTS["COMPLETE"]["run"]["facets"]["tokenkit_run"]
    schema = BY_ID[content["_schemaURL"]]
    errors = Draft202012Validator(schema, registry=REGISTRY).iter_errors({**content, "value": 1})
    assert len(list(errors)) == 1


def test_the_way_of_columns():
    """Column lineage says where values come from, and whether the data is masked."""
    output, rejects = EVENTS["COMPLETE"]["outputs"]
    fields = output["facets"]["columnLineage"]["fields"]
    [card], [amount] = fields["card"]["inputFields"], fields["amount"]["inputFields"]
    assert (card["namespace"], card["name"], card["field"]) == ("file", "/data/a.csv", "card")
    assert card["transformations"] == [
        {
            "type": "DIRECT",
            "subtype": "TRANSFORMATION",
            "description": "tokenize credit-card",
            "masking": True,
        }
    ]
    assert amount["transformations"][0]["subtype"] == "IDENTITY"
    assert not amount["transformations"][0]["masking"]
    [sealed] = rejects["facets"]["columnLineage"]["fields"]["card"]["inputFields"]
    assert sealed["transformations"][0]["masking"]


def test_counts_and_keys():
    """What became of the values stands in a facet of our own."""
    output = EVENTS["COMPLETE"]["outputs"][0]
    [card] = output["facets"]["tokenkit_columns"]["columns"]["card"]
    assert (card["key"], card["keyVersion"], card["done"]) == ("payments", 2, 8)
    assert card["invalid"] == {"length": 1}
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 9
    run = EVENTS["COMPLETE"]["run"]["facets"]["tokenkit_run"]
    assert (run["rowsRead"], run["rowsRejected"], run["jobRun"]) == (10, 1, WHOLE.job_run)


def test_an_error_is_told_by_its_code():
    """The text of an error, which names files, stays here."""
    assert EVENTS["FAIL"]["run"]["facets"]["errorMessage"]["message"] == "TK301"


def test_the_copies_are_unchanged():
    """The schemas are the specification's versions that events name."""
    assert (DATA / "LICENSE").read_text().strip().startswith("Apache License")
    assert "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json" in BY_ID
