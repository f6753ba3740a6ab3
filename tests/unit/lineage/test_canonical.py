"""The canonical form of a run record."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.unit.lineage.records import BEGUN, FIELDS, OUTPUT, STARTED, WHOLE
from tokenkit.lineage import ColumnCounts, RunRecord
from tokenkit.lineage.canonical import canonical, digest

CHANGED: dict[str, dict[str, Any]] = {
    "id": {"id": BEGUN.id.__class__(int=1)},
    "job_run": {"job_run": "00" * 16},
    "operation": {"operation": "rekey"},
    "started": {"started": STARTED + timedelta(microseconds=1)},
    "actor": {"actor": "bob@host"},
    "tokenkit_version": {"tokenkit_version": "1.0.1"},
    "policy_digest": {"policy_digest": None},
    "inputs": {"inputs": (replace(WHOLE.inputs[0], rows=11),)},
    "outputs": {"outputs": WHOLE.outputs[:1]},
    "columns": {"columns": WHOLE.columns[1:]},
    "rows_read": {"rows_read": 11},
    "rows_written": {"rows_written": 10},
    "rows_rejected": {"rows_rejected": 0},
    "rejects": {"rejects": None},
    "proofs": {"proofs": {"a.csv": {"card": "01" * 32}}},
}
LEFT_OUT: dict[str, dict[str, Any]] = {
    "status": {"status": "publishing"},
    "ended": {"ended": None},
    "error_code": {"error_code": "TK600"},
    # Its digest stands for it.
    "policy": {"policy": None},
}


def test_every_field_is_thought_of():
    """A field that is added to the record is in one list or the other."""
    assert CHANGED.keys() | LEFT_OUT.keys() == {field.name for field in fields(RunRecord)}


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_shows(name):
    """No fact of the record can be altered without another digest."""
    assert digest(replace(WHOLE, **CHANGED[name])) != digest(WHOLE)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_changes_later_is_left_out(name):
    """A digest is the same before and after the outputs have their names."""
    assert digest(replace(WHOLE, **LEFT_OUT[name])) == digest(WHOLE)


def test_order_of_parts_does_not_matter():
    """Tables keep no order, so the digest has none; but that of a dataset's fields."""
    turned = replace(
        WHOLE, outputs=tuple(reversed(WHOLE.outputs)), columns=tuple(reversed(WHOLE.columns))
    )
    assert canonical(turned) == canonical(WHOLE)
    fields_turned = replace(WHOLE.inputs[0], fields=tuple(reversed(FIELDS)))
    assert canonical(replace(WHOLE, inputs=(fields_turned,))) != canonical(WHOLE)


def test_order_of_mappings_does_not_matter():
    """Databases give JSON back in an order of their own."""

    def with_reasons(reasons):
        counts = ColumnCounts(done=0, null=0, empty=0, invalid=reasons)
        edge = replace(WHOLE.columns[0], counts=counts)
        proofs: dict[str, dict[str, str]] = {name: {} for name in reasons}
        return canonical(replace(WHOLE, columns=(edge,), proofs=proofs))

    assert with_reasons({"length": 1, "range": 2}) == with_reasons({"range": 2, "length": 1})


def test_a_moment_is_one_whatever_its_zone():
    """Moments are written in UTC."""
    east = STARTED.astimezone(timezone(timedelta(hours=2)))
    assert canonical(replace(WHOLE, started=east)) == canonical(WHOLE)
    found = json.loads(canonical(WHOLE))["started"]
    assert datetime.fromtimestamp(found // 10**6, UTC) == STARTED.replace(microsecond=0)
    assert found % 10**6 == 123456


def test_no_counts_are_not_zero_counts():
    """What isn't known isn't nothing."""
    edge = next(edge for edge in WHOLE.columns if edge.action == "keep")
    zero = replace(edge, counts=ColumnCounts(done=0, null=0, empty=0))
    assert edge.output == OUTPUT
    columns = tuple(zero if each is edge else each for each in WHOLE.columns)
    assert digest(replace(WHOLE, columns=columns)) != digest(WHOLE)


def test_the_form_stays():
    """Digests that audit logs hold are recomputed years later: a change of form is a new form."""
    assert digest(WHOLE) == "4f0783ab7e8372ba9a3672b79d6a666eda1f35279b33ca07a8be0fdf3f187af6"
