"""Arrow arrays in, arrays of the same type out."""

import pyarrow as pa

from tokenkit import _native
from tokenkit.engines.column import ColumnCall
from tokenkit.errors import UnsupportedType


def transform_array(
    array: pa.Array, call: ColumnCall, name: str = "", tweaks: pa.Array | None = None
) -> pa.Array:
    """Run a call on one array.

    Parameters
    ----------
    array
        ``string``, ``large_string``, ``string_view``, a dictionary of one of these, an integer
        type, or ``null``.
    call
        What to do.
    name
        The column's name, for messages.
    tweaks
        The tweak of each value, as strings; needs ``call.has_tweak_column``.

    Returns
    -------
    pyarrow.Array
        Of the same type and length; dictionaries hold only values that rows refer to.

    Raises
    ------
    InvalidValues
        If values don't fit and the rule says ``error``.
    UnsupportedType
        If the array is of another type.
    """
    if isinstance(array.type, pa.BaseExtensionType):
        raise UnsupportedType(
            "an array of an extension type can't be tokenized: its type would be lost",
            column=name or None,
            hint="tokenize array.storage, and wrap the tokens again",
        )
    return pa.array(_native.transform(call.specification, array, name, tweaks))


def transform_chunks(
    chunks: pa.ChunkedArray,
    call: ColumnCall,
    name: str = "",
    tweaks: pa.ChunkedArray | None = None,
) -> pa.ChunkedArray:
    """Run a call on every chunk; see :func:`transform_array`."""
    columns = [chunks] if tweaks is None else [chunks, tweaks]
    # Two columns of a table may be cut differently; its batches are cut where either is.
    table = pa.Table.from_arrays(columns, names=["values", "tweaks"][: len(columns)])
    pairs = (
        [(chunk,) for chunk in chunks.chunks]
        if tweaks is None
        else [tuple(batch.columns) for batch in table.to_batches()]
    )
    if not pairs:
        # An empty array still has its type checked.
        pairs = [tuple(pa.array([], type=column.type) for column in columns)]
    turned = [transform_array(values, call, name, *tweak) for values, *tweak in pairs]
    return pa.chunked_array(turned)
