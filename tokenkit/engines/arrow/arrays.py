"""Arrow arrays in, arrays of the same type out."""

import pyarrow as pa

from tokenkit import _native
from tokenkit.engines.column import ColumnCall
from tokenkit.errors import UnsupportedType


def transform_array(array: pa.Array, call: ColumnCall, name: str = "") -> pa.Array:
    """Run a call on one array.

    Parameters
    ----------
    array
        ``string``, ``large_string``, ``string_view``, a dictionary of one of these, or ``null``.
    call
        What to do.
    name
        The column's name, for messages.

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
    return pa.array(_native.transform(call.specification, array, name))


def transform_chunks(chunks: pa.ChunkedArray, call: ColumnCall, name: str = "") -> pa.ChunkedArray:
    """Run a call on every chunk; see :func:`transform_array`."""
    turned = [transform_array(chunk, call, name) for chunk in chunks.chunks]
    if not turned:
        # An empty array still has its type checked.
        turned = [transform_array(pa.array([], type=chunks.type), call, name)]
    return pa.chunked_array(turned)
