"""``tokenkit.apply``: a frame by policy, with its rejected rows and a report."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

import polars as pl

from tokenkit.engines.polars.rows import RowCounter
from tokenkit.errors import PolicyError, UnsupportedType, from_polars, translated
from tokenkit.jobs.calls import calls_to_tokenize
from tokenkit.jobs.checks import check_values
from tokenkit.jobs.outcomes import Part
from tokenkit.jobs.passes import Pass
from tokenkit.jobs.preparation import cells_of
from tokenkit.jobs.progress import Silent
from tokenkit.jobs.rejects import Rejects, RejectsDescription
from tokenkit.jobs.report import Report
from tokenkit.jobs.run_id import RUN_BYTES
from tokenkit.keys import Keyring, current_keyring
from tokenkit.policy import PolicySource, read_policy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What :func:`apply` gives.

    Attributes
    ----------
    frame
        The accepted rows, with tokens: a Polars frame, or a pyarrow table if one was given.
    rejects
        The rejected rows, sealed; None if the policy rejects none.
    report
        What became of the values of each column.
    """

    frame: Any
    rejects: Rejects | None
    report: Report


def apply(frame: Any, policy: PolicySource, *, keyring: Keyring | None = None) -> Outcome:
    """Tokenize a frame by policy, set aside the rows that it rejects, and count everything.

    Parameters
    ----------
    frame
        A Polars ``DataFrame`` or ``LazyFrame``, which is collected, or a pyarrow ``Table``.
    policy
        A policy, a mapping of its fields, or the path of a policy file.
    keyring
        Where the keys are; default: the current keyring, see :func:`tokenkit.use_keyring`.

    Returns
    -------
    Outcome
        Frame, rejects and report. Rows read = rows of the frame + rejected rows.

    Raises
    ------
    JobRefused
        If values don't fit and the policy says that this is an error.
    PolicyError, SchemeError, KeyringError, UnsupportedType
        As for :func:`tokenkit.tokenize`.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> df = pl.DataFrame({"ssn": ["078-05-1120", "unknown"]})
    >>> policy = {"columns": {"ssn": {"scheme": "us-ssn", "key": "people", "on_invalid": "reject"}}}
    >>> outcome = tk.apply(df, policy, keyring=ring)
    >>> len(outcome.frame), outcome.report.rows_rejected
    (1, 1)
    >>> outcome.rejects.places().rows()
    [('', 1, 'ssn', 'character')]
    >>> outcome.rejects.open(ring).to_dicts()
    [{'ssn': 'unknown'}]
    """
    begun = time.perf_counter()
    read = read_policy(policy)
    rows, back = _lazy(frame)
    with translated():
        schema = rows.collect_schema()
    ring = keyring or current_keyring()
    calls = calls_to_tokenize(read, schema.names(), ring, None)
    if not calls.by_column:
        raise PolicyError("every column is dropped", hint="keep or tokenize at least one")
    cells = cells_of(schema, calls, read, ring)
    run = secrets.token_hex(RUN_BYTES)
    pass_ = Pass(
        parts=[Part(rows=rows, schema=schema, calls=calls)],
        cells=cells,
        run=run,
        accept=_itself,
        reject=_itself if cells else None,
    )
    results = pass_.execute(RowCounter(), Silent())
    if isinstance(results, BaseException):
        raise _explained(results)
    counts = results.counts
    report = Report(
        operation="tokenize",
        run=run,
        source="",
        target=None,
        rows_read=counts.read,
        rows_written=counts.read - counts.rejected,
        rows_rejected=counts.rejected,
        columns=counts.columns,
        kept=calls.kept,
        dropped=calls.dropped,
        seconds=time.perf_counter() - begun,
        bytes_read=0,
        bytes_written=0,
    )
    check_values(read, calls, report)
    rejects = None
    if results.rejected is not None:
        description = RejectsDescription.of(
            cells, schema, run=run, operation="tokenize", policy=read.digest
        )
        rejects = Rejects(results.rejected.lazy(), description)
    return Outcome(back(results.accepted), rejects, report)


def _itself(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame


def _explained(exc: BaseException) -> BaseException:
    stays = not isinstance(exc, Exception) and isinstance(exc, KeyboardInterrupt | SystemExit)
    return exc if stays else from_polars(exc)


def _lazy(frame: Any) -> tuple[pl.LazyFrame, Any]:
    """Give a frame lazily, and what makes its kind of frame again."""
    if isinstance(frame, pl.LazyFrame):
        return frame, _as_given
    if isinstance(frame, pl.DataFrame):
        return frame.lazy(), _as_given
    if type(frame).__module__.partition(".")[0] == "pyarrow":
        # pyarrow takes long to import; who hands over a table has it already.
        import pyarrow as pa  # noqa: PLC0415

        if isinstance(frame, pa.Table):
            with translated():
                rows = pl.DataFrame(frame).lazy()
            return rows, lambda accepted: _table(accepted, frame.schema)
    raise UnsupportedType(
        "a policy is applied to Polars frames and pyarrow tables",
        hint="polars.DataFrame(data), or pyarrow.table(data)",
    )


def _as_given(accepted: pl.DataFrame) -> pl.DataFrame:
    return accepted


def _table(accepted: pl.DataFrame, schema: Any) -> Any:
    with translated():
        table = accepted.to_arrow()
        types = {field.name: field.type for field in schema}
        for place, field in enumerate(table.schema):
            wanted = types[field.name]
            # A column whose tokens are of another type than its values stays so.
            if str(field.type).removeprefix("large_") == str(wanted).removesuffix("_view"):
                table = table.set_column(place, field.name, table.column(place).cast(wanted))
        return table
