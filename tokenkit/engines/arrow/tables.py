"""Arrow tables, record batches and readers by policy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tokenkit.engines.arrow.arrays import transform_array, transform_chunks
from tokenkit.engines.column import ColumnCall
from tokenkit.errors import UnsupportedType, translated

Calls = Mapping[str, ColumnCall | None]
"""For each column of the output, in order: its call, or None if it stays as it is."""


def _schema(schema: pa.Schema, calls: Calls) -> pa.Schema:
    # Metadata of fields and schema is left behind: other tools keep values in it.
    return pa.schema(
        [
            pa.field(name, schema.field(name).type if call is None else _type(schema, name, call))
            for name, call in calls.items()
        ]
    )


def _type(schema: pa.Schema, name: str, call: ColumnCall) -> pa.DataType:
    found = schema.field(name).type
    if call.rule.output == "same":
        return found
    # Only here do tokens have another type than values; the native module says which.
    empty = pa.array([], type=found)
    tweak = call.rule.tweak
    tweaks = None if tweak is None else pa.array([], type=schema.field(tweak).type)
    return transform_array(empty, call, name, tweaks).type


def _tweaks(data: pa.Table | pa.RecordBatch, call: ColumnCall) -> pa.ChunkedArray | pa.Array | None:
    return None if call.rule.tweak is None else data.column(call.rule.tweak)


def transform_table(table: pa.Table, calls: Calls) -> pa.Table:
    """Run each column's call on a table."""
    columns = [
        table.column(name)
        if call is None
        else transform_chunks(table.column(name), call, name, _tweaks(table, call))
        for name, call in calls.items()
    ]
    return pa.Table.from_arrays(columns, schema=_schema(table.schema, calls))


def transform_batch(batch: pa.RecordBatch, calls: Calls) -> pa.RecordBatch:
    """Run each column's call on a record batch."""
    columns = [
        batch.column(name)
        if call is None
        else transform_array(batch.column(name), call, name, _tweaks(batch, call))
        for name, call in calls.items()
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_schema(batch.schema, calls))


def transform_reader(reader: pa.RecordBatchReader, calls: Calls) -> pa.RecordBatchReader:
    """Run each column's call on a reader's batches, one after the other, as they are read."""

    def batches() -> Iterator[pa.RecordBatch]:
        while True:
            # What the source raises may quote values.
            with translated():
                batch = next(reader, None)
            if batch is None:
                return
            yield transform_batch(batch, calls)

    return pa.RecordBatchReader.from_batches(_schema(reader.schema, calls), batches())


def transform(data: Any, plan: Callable[[Sequence[str]], Calls]) -> Any:
    """Run what a plan says of the columns of a table, a batch or a reader; the same kind comes out.

    Raises
    ------
    UnsupportedType
        If the data is of another kind.
    """
    for kind, run in (
        (pa.Table, transform_table),
        (pa.RecordBatch, transform_batch),
        (pa.RecordBatchReader, transform_reader),
    ):
        if isinstance(data, kind):
            return run(data, plan(data.schema.names))
    raise UnsupportedType(
        "this kind of pyarrow object can't be tokenized",
        hint="give an Array, ChunkedArray, Table, RecordBatch or RecordBatchReader",
    )
