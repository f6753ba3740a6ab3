"""The native module agrees with the published vectors of literals, sealing and the rest."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from tests.vectors import contract_vectors
from tests.vectors.specifications import SEALED, characters, expression, outcome, specification
from tokenkit import _native

CASES = json.loads(contract_vectors.PATH.read_text(encoding="utf-8"))["treatments"]
STRINGS = [pa.string(), pa.large_string(), pa.string_view()]


@pytest.fixture(scope="module")
def keys() -> Iterator[dict[int, _native.KeyHandle]]:
    """Load the published test keys."""
    loaded = {
        key_id: _native.import_key(key_id, bytearray(version))
        for version, key_id in contract_vectors.TEST_KEYS.values()
    }
    yield loaded
    for handle in loaded.values():
        handle.release()


def grouped() -> list[list[dict[str, Any]]]:
    """Cases that one column can hold."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in CASES:
        shared = {
            name: part
            for name, part in case.items()
            if name not in {"id", "value", "token", "returned"}
        }
        shared["kind"] = type(case["value"]).__name__
        found[json.dumps(shared, sort_keys=True)].append(case)
    return list(found.values())


def specified(case: dict[str, Any], key: _native.KeyHandle, operation: str) -> str:
    """Write a case's specification."""
    given = dict(case["parameters"])
    if given:
        given["small_domain"] = given.pop("allow_small_domain")
        given["check_digit"] = {"none": None}.get(given["check_digit"], given["check_digit"])
    fields = {name: case[name] for name in ("literals", "normalize", "on_invalid", "width")}
    return specification(
        key,
        operation,
        characters(**given) if given else SEALED,
        domain=case["domain"],
        tweak_column=case["tweak_column"] is not None,
        **fields,
    )


def fits(case: dict[str, Any], token: str | None, reason: str | None) -> bool:
    """Tell whether there is a reason where there has to be one."""
    sealed = (
        isinstance(token, str)
        and case["on_invalid"] == "seal"
        and token.startswith("AQAAAA")
        and token != case["value"]
    )
    return (reason is None) != (token is None or sealed)


@pytest.mark.parametrize("array_type", STRINGS, ids=str)
def test_arrow_agrees(
    keys: dict[int, _native.KeyHandle], array_type: pa.DataType, kernel: str
) -> None:
    """Every case comes out of the Arrow call, and what it returns out of the call back."""
    seen = 0
    for cases in grouped():
        case, key = cases[0], keys[cases[0]["key_id"]]
        kind = pa.int64() if isinstance(case["value"], int) else array_type
        values = pa.array([case["value"] for case in cases], kind)
        tweak = case["tweak_column"]
        tweaks = None if tweak is None else pa.array([tweak] * len(cases))
        tokens, reasons = outcome(specified(case, key, "tokenize"), values, tweaks)
        assert tokens == [case["token"] for case in cases], case["id"]
        for case, token, reason in zip(cases, tokens, reasons, strict=True):
            assert fits(case, token, reason), case["id"]
        back, reasons = outcome(specified(case, key, "detokenize"), pa.array(tokens, kind), tweaks)
        assert back == [case["returned"] for case in cases], case["id"]
        assert set(reasons) == {None}, case["id"]
        seen += len(cases)
    assert seen == len(CASES) > 150


def test_polars_agrees(keys: dict[int, _native.KeyHandle], kernel: str) -> None:
    """Every case comes out of the Polars expression, and in the type that its plan promised."""
    for cases in grouped():
        case, key = cases[0], keys[cases[0]["key_id"]]
        frame = pl.DataFrame(
            {
                "value": [case["value"] for case in cases],
                "tweak": [case["tweak_column"] for case in cases],
            }
        )
        columns = ["value"] if case["tweak_column"] is None else ["value", "tweak"]
        plan = frame.lazy().select(
            expression(specified(case, key, "tokenize"), *columns).struct.field("token")
        )
        tokens = plan.collect().to_series()
        assert plan.collect_schema()["token"] == tokens.dtype == frame["value"].dtype
        assert tokens.to_list() == [case["token"] for case in cases], case["id"]
