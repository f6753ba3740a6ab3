"""The engines agree with the token contract's published vectors."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

from tests.vectors import contract_vectors
from tokenkit import _native
from tokenkit.engines.arrow.arrays import transform_array
from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.keys import KeyVersion
from tokenkit.policy.rule import ColumnRule
from tokenkit.schemes import find_scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = json.loads(contract_vectors.PATH.read_text(encoding="utf-8"))
ARRAY_TYPES = [pa.string(), pa.large_string(), pa.string_view()]


def rule(case: dict[str, Any]) -> ColumnRule:
    """Build the rule of a case, giving the scheme only what it takes."""
    given = case["parameters"]
    options: dict[str, Any] = {}
    if given:
        options = {
            "keep": {"first": given["keep_first"], "last": given["keep_last"]},
            "min_length": given["min_length"],
            "max_length": given["max_length"],
            "allow_small_domain": given["allow_small_domain"],
            "alphabet": given["alphabet"],
            "separators": given["separators"],
            "check_digit": given["check_digit"].replace("none", "ignore"),
        }
        takes = find_scheme(case["scheme"]).accepts
        options = {name: value for name, value in options.items() if name in takes}
    return ColumnRule.build(
        case["scheme"], key="test", domain=case["domain"], on_invalid="null", **options
    )


@pytest.fixture(scope="module")
def versions() -> Iterator[dict[int, KeyVersion]]:
    """Load the published test keys under the ids that the vectors give them."""
    loaded = {}
    for key in VECTORS["keys"]:
        handle = _native.import_key(key["key_id"], bytearray.fromhex(key["key"]))
        assert handle.check_value.hex() == key["check_value"]
        loaded[key["key_id"]] = KeyVersion(
            name="test",
            number=1,
            id=key["key_id"],
            check_value=handle.check_value,
            created=datetime.now(UTC),
            handle=handle,
        )
    yield loaded
    for version in loaded.values():
        assert version.handle is not None
        version.handle.release()


def grouped() -> list[list[dict[str, Any]]]:
    """Cases that one column call can serve: they differ in value and tweak cell only."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in VECTORS["cases"]:
        shared = [case[part] for part in ("scheme", "parameters", "domain", "key_id")]
        found[json.dumps([*shared, case["tweak_column"] is None], sort_keys=True)].append(case)
    return list(found.values())


def test_polars_agrees(versions: dict[int, KeyVersion], kernel: str) -> None:
    """Every published pair comes out of the Polars expression, in both directions."""
    for cases in grouped():
        has_tweak = cases[0]["tweak_column"] is not None
        frame = pl.DataFrame(
            {part: [case[part] for case in cases] for part in ("value", "token", "tweak_column")},
            schema=dict.fromkeys(("value", "token", "tweak_column"), pl.String),
        )
        for operation, source, target in (
            ("tokenize", "value", "token"),
            ("detokenize", "token", "value"),
        ):
            call = ColumnCall(
                rule=rule(cases[0]),
                version=versions[cases[0]["key_id"]],
                operation=operation,  # type: ignore[arg-type]
                has_tweak_column=has_tweak,
            )
            tweak = pl.col("tweak_column") if has_tweak else None
            turned = frame.select(column_expression(pl.col(source), call, tweak)).to_series()
            assert turned.to_list() == frame[target].to_list(), cases[0]["id"]


@pytest.mark.parametrize("array_type", ARRAY_TYPES, ids=str)
def test_arrow_agrees(
    versions: dict[int, KeyVersion], array_type: pa.DataType, kernel: str
) -> None:
    """Every published pair without a tweak column comes out of the Arrow call, both ways."""
    seen = 0
    for cases in grouped():
        if cases[0]["tweak_column"] is not None:
            continue
        seen += len(cases)
        values = pa.array([case["value"] for case in cases], array_type)
        tokens = pa.array([case["token"] for case in cases], array_type)
        version = versions[cases[0]["key_id"]]
        forth = ColumnCall(rule=rule(cases[0]), version=version, operation="tokenize")
        back = ColumnCall(rule=rule(cases[0]), version=version, operation="detokenize")
        assert transform_array(values, forth).equals(tokens), cases[0]["id"]
        assert transform_array(tokens, back).equals(values), cases[0]["id"]
    assert seen > 300


def test_refused_values_are_refused(versions: dict[int, KeyVersion], kernel: str) -> None:
    """What the contract refuses comes out null with a reason, in both directions."""
    for case in VECTORS["refused"]:
        call = ColumnCall(
            rule=rule(case),
            version=versions[case["key_id"]],
            operation=case["operation"],
            output="outcome",
            has_tweak_column=case["tweak_column"] is not None,
        )
        frame = pl.DataFrame({"text": [case["text"]], "tweak": [case["tweak_column"]]})
        tweak = None if case["tweak_column"] is None else pl.col("tweak").cast(pl.String)
        outcome = frame.select(column_expression(pl.col("text"), call, tweak)).item()
        assert outcome["token"] is None, case["why"]
        assert outcome["reason"] is not None, case["why"]
