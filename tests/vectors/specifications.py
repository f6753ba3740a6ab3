"""Column specifications as the native module reads them, written without the layers above it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from polars.plugins import register_plugin_function

from tokenkit import _native

DIGITS = "0123456789"


def characters(**changes: Any) -> dict[str, Any]:
    """Return a method for strings of digits, with some of it changed."""
    return {
        "kind": "characters",
        "alphabet": DIGITS,
        "separators": "",
        "min_length": 6,
        "max_length": 40,
        "keep_first": 0,
        "keep_last": 0,
        "check_digit": None,
        "small_domain": False,
        **changes,
    }


SEALED = {"kind": "sealed", "max_length": 1 << 20}


def specification(
    key: _native.KeyHandle, operation: str, method: dict[str, Any] | None = None, **fields: Any
) -> str:
    """Return a specification; it asks for outcomes and nulls unless told otherwise."""
    return json.dumps(
        {
            "operation": operation,
            "key": {
                "name": "test",
                "version": 1,
                "id": key.id,
                "check_value": key.check_value.hex(),
            },
            "domain": "digits",
            "method": method or characters(),
            "on_invalid": "null",
            "output": "outcome",
            **fields,
        }
    )


def transform(text: str, values: pa.Array, tweaks: pa.Array | None = None) -> pa.Array:
    """Run a specification on an Arrow array."""
    turned = pa.array(_native.transform(text, values, "column", tweaks))
    turned.validate(full=True)
    return turned


def outcome(
    text: str, values: pa.Array, tweaks: pa.Array | None = None
) -> tuple[list[Any], list[str | None]]:
    """Return the tokens and the reasons that a specification gives for an Arrow array."""
    turned = transform(text, values, tweaks)
    return turned.field("token").to_pylist(), turned.field("reason").to_pylist()


def expression(text: str, column: str, *more: str) -> pl.Expr:
    """Return a specification as a Polars expression."""
    return register_plugin_function(
        plugin_path=Path(_native.__file__).parent,
        function_name="transform",
        args=[pl.col(name) for name in (column, *more)],
        kwargs={"specification": text},
        is_elementwise=True,
    )
