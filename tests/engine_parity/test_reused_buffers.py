"""Output buffers are reused; nothing that an earlier column left gets out with a later one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tokenkit.engines.arrow.arrays import transform_array
from tokenkit.engines.column import ColumnCall, Operation
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.policy.rule import ColumnRule

ROWS = 200_000
CANARY = "5318008"


@pytest.mark.parametrize("layout", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("scheme", ["digits", "us-ssn", "custom", "text"])
def test_nothing_of_an_earlier_column(layout: pa.DataType, scheme: str) -> None:
    """Detokenize a column of canaries, let go of it, and look at every byte of later ones."""
    parameters = {"alphabet": "αβγδεζηθικλμ", "min_length": 7} if scheme == "custom" else {}
    with keyring_from_bytes({"test": bytes(range(32))}) as ring:

        def call(name: str, operation: Operation, **options: object) -> ColumnCall:
            rule = ColumnRule.build(name, key="test", on_invalid="null", **options)
            return ColumnCall(rule=rule, version=ring["test"].primary, operation=operation)

        canaries = pa.array([CANARY * 4] * ROWS, layout)
        tokens = transform_array(canaries, call("digits", "tokenize"))
        for _ in range(3):
            returned = transform_array(tokens, call("digits", "detokenize"))
            assert returned.equals(canaries)
            del returned
            values = [None, "", "x" * 28, "１" * 28, "αβγδεζηθ"] * (ROWS // 5)
            later = transform_array(
                pa.array(values, layout), call(scheme, "tokenize", **parameters)
            )
            later.validate(full=True)
            for buffer in later.buffers():
                assert buffer is None or CANARY.encode() not in buffer.to_pybytes()
            del later, buffer
