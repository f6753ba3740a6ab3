"""``tokenkit.tokenize`` and ``tokenkit.detokenize``: the same kind of data out as in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import polars as pl

from tokenkit.engines.column import ColumnCall, Operation, choose_version
from tokenkit.engines.frame_plan import Recorded, Versions, plan_frame
from tokenkit.engines.options import OnInvalidValue, SchemeOptions, read_rule
from tokenkit.engines.polars import frames
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.errors import SchemeError, UnsupportedType, translated

if TYPE_CHECKING:
    import pyarrow as pa

    from tokenkit.keys import Keyring
    from tokenkit.policy import PolicySource

    Frame = TypeVar(
        "Frame", pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatch, pa.RecordBatchReader
    )
    Column = TypeVar("Column", pl.Series, pa.Array, pa.ChunkedArray)


@overload
def tokenize(data: Frame, policy: PolicySource, *, keyring: Keyring | None = None) -> Frame: ...
@overload
def tokenize(
    data: Column, policy: str, *, on_invalid: OnInvalidValue = ..., **options: Unpack[SchemeOptions]
) -> Column: ...
def tokenize(data: Any, policy: Any, **options: Any) -> Any:
    """Replace values by tokens: a frame by policy, or one column by scheme.

    Parameters
    ----------
    data
        A frame (Polars ``DataFrame`` or ``LazyFrame``, pyarrow ``Table``, ``RecordBatch`` or
        ``RecordBatchReader``) or a column (Polars ``Series``, pyarrow ``Array`` or
        ``ChunkedArray``).
    policy
        For a frame: a policy, a mapping of its fields, or the path of a policy file. For a column:
        the name of a scheme.
    keyring
        Where the keys are; default: the current keyring, see :func:`tokenkit.use_keyring`.
    **options
        For a column: ``key``, ``on_invalid`` and what :func:`tokenkit.expr.tokenize` takes besides.

    Returns
    -------
    The same kind of data as given. Lazy frames and readers are turned when they are read.

    Raises
    ------
    PolicyError, SchemeError, DomainTooSmall
        If the policy or the scheme's parameters are wrong.
    KeyringError
        If a key isn't there.
    InvalidValues
        If values don't fit and ``on_invalid`` is ``error``; nothing is given then.
    UnsupportedType
        If the data or a column is of a kind that can't be tokenized.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> df = pl.DataFrame({"ssn": ["078-05-1120", None], "city": ["Oslo", "Rome"]})
    >>> policy = {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}, "unlisted": "keep"}
    >>> tokens = tk.tokenize(df, policy, keyring=ring)
    >>> tk.detokenize(tokens, policy, keyring=ring).equals(df)
    True

    >>> import pyarrow as pa
    >>> tk.tokenize(pa.array(["0042719365"]), "digits", key="people", keyring=ring).type
    DataType(string)
    """
    return _transform(data, policy, "tokenize", options)


@overload
def detokenize(
    data: Frame, policy: PolicySource, *, keyring: Keyring | None = None, versions: Versions = None
) -> Frame: ...
@overload
def detokenize(data: Frame, *, columns: Recorded, keyring: Keyring | None = None) -> Frame: ...
@overload
def detokenize(
    data: Column, policy: str, *, on_invalid: OnInvalidValue = ..., **options: Unpack[SchemeOptions]
) -> Column: ...
def detokenize(data: Any, policy: Any = None, **options: Any) -> Any:
    """Turn tokens back into the values that they stand for; undoes :func:`tokenize`.

    Parameters
    ----------
    data, policy, keyring, **options
        As for :func:`tokenize`.
    versions
        For a frame: the key version of each column, or one for all, as a number or ``"primary"``.
        Frames carry no metadata, so this is needed once a key has had more than one version.
    columns
        For a frame, in place of a policy: the metadata of the file that it was read from, or what
        :meth:`~tokenkit.policy.Metadata.verify` gives. Columns that it doesn't describe stay as
        they are; those that the frame lacks are passed over.

    Returns
    -------
    The same kind of data as given.

    Raises
    ------
    KeyVersionUnknown
        If a key has had several versions and ``versions`` doesn't say which made the tokens.
    MetadataError
        If the metadata can't be trusted, or the frame has none of its columns.
    PolicyError, SchemeError, KeyringError, InvalidValues, UnsupportedType
        As for :func:`tokenize`.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> tokens = tk.tokenize(pl.Series(["078-05-1120"]), "us-ssn", key=ring["people"])
    >>> tk.detokenize(tokens, "us-ssn", key="people", keyring=ring).to_list()
    ['078-05-1120']
    """
    return _transform(data, policy, "detokenize", options)


def _transform(data: Any, policy: Any, operation: Operation, options: dict[str, Any]) -> Any:
    if isinstance(data, pl.DataFrame | pl.LazyFrame):
        chosen = _frame_options(operation, options)
        return frames.transform(data, policy, operation, **chosen)  # type: ignore[type-var]  # either fits
    if isinstance(data, pl.Series):
        call = _column_call(policy, operation, options)
        with translated():
            frame = data.to_frame().lazy().select(column_expression(pl.nth(0), call))
            return frame.collect(engine="in-memory").to_series()
    if type(data).__module__.partition(".")[0] == "pyarrow":
        return _transform_arrow(data, policy, operation, options)
    raise UnsupportedType(
        "only Polars and pyarrow data can be tokenized",
        hint="polars.DataFrame(data), or pyarrow.table(data)",
    )


def _transform_arrow(data: Any, policy: Any, operation: Operation, options: dict[str, Any]) -> Any:
    # pyarrow takes longer to import than everything else; who hands over Arrow data has it already.
    import pyarrow as pa  # noqa: PLC0415

    from tokenkit.engines.arrow import arrays, tables  # noqa: PLC0415

    if isinstance(data, pa.Array):
        return arrays.transform_array(data, _column_call(policy, operation, options))
    if isinstance(data, pa.ChunkedArray):
        return arrays.transform_chunks(data, _column_call(policy, operation, options))
    return tables.transform(
        data,
        lambda names: plan_frame(policy, names, operation, **_frame_options(operation, options)),
    )


def _frame_options(operation: Operation, options: dict[str, Any]) -> dict[str, Any]:
    takes = {"keyring"} | ({"versions", "columns"} if operation == "detokenize" else set())
    foreign = sorted(set(options) - takes)
    if foreign:
        raise SchemeError(
            f"a frame is {operation}d by policy, which has no option {foreign[0]!r}",
            hint="put the scheme and its parameters into the policy",
        )
    chosen = dict(options)
    chosen["recorded"] = chosen.pop("columns", None)
    return chosen


def _column_call(scheme: Any, operation: Operation, options: dict[str, Any]) -> ColumnCall:
    given = dict(options)
    chosen: SchemeOptions = given  # type: ignore[assignment]  # read_rule checks the names
    rule = read_rule(scheme, given.pop("on_invalid", "error"), chosen)
    version = choose_version(
        rule,
        operation,
        key=given["key"],
        keyring=given.get("keyring"),
        version=given.get("version"),
    )
    return ColumnCall(rule=rule, version=version, operation=operation)
