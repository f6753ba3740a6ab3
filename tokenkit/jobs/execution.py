"""The run of a job: one pass from the source to a file aside, which gets its name at the end."""

import contextlib
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.errors import (
    EngineError,
    InputError,
    InputNotFound,
    JobError,
    PolicyError,
    from_polars,
    translated,
)
from tokenkit.jobs.aside import AsideFile, already_there, flush_folder, refused, refusing
from tokenkit.jobs.calls import Calls, calls_to_detokenize, calls_to_tokenize
from tokenkit.jobs.connectors import Format, Sink, Source, format_of
from tokenkit.jobs.connectors.csv import sidecar_of
from tokenkit.jobs.job import Job
from tokenkit.jobs.progress import Progress, RowCounter, Silent
from tokenkit.jobs.report import ColumnReport, Report, refusal
from tokenkit.jobs.streaming import collect
from tokenkit.jobs.tallies import Tallies
from tokenkit.keys import Keyring, current_keyring
from tokenkit.policy import Metadata

_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def run(job: Job, progress: Progress | None = None) -> Report:
    r"""Do a job.

    The source is read once, lazily; one expression a column makes the tokens, and the same pass
    counts what became of them. The output is written aside and gets its name when every row is in
    it and everything fits; otherwise nothing of it stays. Memory doesn't grow with the rows.

    Parameters
    ----------
    job
        What to do.
    progress
        Is told how far the job is.

    Returns
    -------
    Report
        What the job did, in numbers.

    Raises
    ------
    JobRefused
        If values don't fit and the policy says that this is an error. An
        :class:`~tokenkit.errors.InvalidValues`, with the report.
    InputNotFound, InputError, OutputExists, JobError
        If the files are the matter.
    PolicyError, SchemeError
        If the policy is wrong, or doesn't fit the input.
    MetadataError
        If the metadata beside tokens is missing, altered, or about something else.
    KeyringError
        If a key or version isn't there.
    UnsupportedType
        If a column is of a type that can't be tokenized, or that the output's format lacks.

    Examples
    --------
    >>> import tempfile
    >>> from tokenkit.keys import Keyring
    >>> from tokenkit.policy import Policy
    >>> policy = Policy.from_mapping({"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "a.csv"), Path(folder, "b.parquet")
    ...     _ = source.write_text("ssn\n078-05-1120\n")
    ...     with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    ...         report = run(Job(operation="tokenize", source=source, target=target,
    ...                          policy=policy, keyring=ring))
    >>> report.rows_written, report.columns["ssn"].done
    (1, 1)
    """
    begun = time.perf_counter()
    observer = progress or Silent()
    _check_paths(job)
    formats = format_of(job.source), format_of(job.target)
    with translated(), refusing(job.source):
        source = formats[0].source(job.source)
    plan = _Plan.of(job, formats, source, job.keyring or current_keyring())
    with contextlib.ExitStack() as stack:
        aside = stack.enter_context(AsideFile(job.target))
        observer.start(source.estimated_rows, exact=source.rows is not None)
        stack.callback(observer.finish)
        rows, columns = _pass(plan, source, aside, observer)
        written = aside.flush()
        report = Report(
            operation=job.operation,
            source=str(job.source),
            target=str(job.target),
            rows_read=rows,
            rows_written=0,
            columns=columns,
            kept=plan.calls.kept,
            dropped=plan.calls.dropped,
            seconds=time.perf_counter() - begun,
            bytes_read=job.source.stat().st_size,
            bytes_written=0,
        )
        _check_values(plan, report)
        _check_rows(job, source, plan.sink, rows, aside.path)
        _publish(job, plan, aside)
    return replace(
        report,
        rows_written=rows,
        bytes_written=written,
        seconds=time.perf_counter() - begun,
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    calls: Calls
    sink: Sink
    metadata: str | None

    @classmethod
    def of(
        cls, job: Job, formats: tuple[Format, Format], source: Source, keyring: Keyring
    ) -> "_Plan":
        names = source.schema.names()
        sink = formats[1].sink()
        if job.operation == "tokenize":
            calls = calls_to_tokenize(job.policy, names, keyring, source.metadata)
        else:
            calls = calls_to_detokenize(
                job.policy, names, keyring, source.metadata, formats[0].name
            )
        if not calls.by_column:
            raise PolicyError("every column is dropped", hint="keep or tokenize at least one")
        sink.check(pl.Schema({name: source.schema[name] for name in calls.by_column}))
        metadata = None
        if job.operation == "tokenize" and job.policy is not None and calls.transformed:
            pairs = {name: (call.rule, call.version) for name, call in calls.transformed.items()}
            metadata = Metadata.sign(formats[1].name, job.policy.digest, pairs)
        return cls(calls, sink, metadata)


def _check_paths(job: Job) -> None:
    if not job.source.is_file():
        raise InputNotFound(
            "there is no such input file", file=str(job.source), hint="check the path"
        )
    if job.target.exists():
        if job.target.samefile(job.source):
            raise JobError(
                "input and output are the same file",
                file=str(job.target),
                hint="write to another name; the input is never changed",
            )
        if not job.target.is_file():
            raise JobError("the output is no regular file", file=str(job.target))
        if not job.replace:
            raise already_there(job.target)


def _pass(
    plan: _Plan, source: Source, aside: AsideFile, progress: Progress
) -> tuple[int, dict[str, ColumnReport]]:
    """Run the one pass; gives the rows that went through, and what became of each column."""
    counter = RowCounter()
    # Columns go by their place: Polars takes names such as "*" and "^.*$" for patterns.
    place = {name: number for number, name in enumerate(source.schema.names())}
    column = {name: f"column{place[name]}" for name in plan.calls.by_column}
    tallies = Tallies(column, plan.calls.transformed)
    first, call = next(iter(plan.calls.by_column.items()))
    flags = pl.col(column[first]) if call is None else _field(column[first], "reason")
    with translated():
        # Counted before the branches part: an error in one branch alone can leave the other running
        # to its end.
        shared = (
            source.scan()
            .select(
                _outcome(pl.nth(place[name]), call).alias(column[name])
                for name, call in plan.calls.by_column.items()
            )
            .with_columns(counter.counted(flags.is_null()).alias("passed"))
        )
        output = shared.select(
            (pl.col(column[name]) if call is None else _field(column[name], "token")).alias(name)
            for name, call in plan.calls.by_column.items()
        )
        counted = shared.select(*tallies.expressions(), pl.col("passed").sum())
        # Types that can't be tokenized show here, before anything is written.
        shared.collect_schema()
        writer = aside.writer()
        frames = [plan.sink.write(output, writer, plan.metadata), counted]
    results = collect(frames, counter, progress)
    # Not closed after an interrupt: the query may not have ended, and the number would be reused.
    writer.close()
    if isinstance(results, BaseException):
        raise _explained(results, source, aside.target)
    return tallies.read(results[1])


def _outcome(values: pl.Expr, call: ColumnCall | None) -> pl.Expr:
    return values if call is None else column_expression(values, call)


def _field(outcome: str, name: str) -> pl.Expr:
    return pl.col(outcome).struct.field(name)


def _explained(exc: BaseException, source: Source, target: Path) -> BaseException:
    """Say what an error of the pass means; foreign text is looked at and never shown."""
    if not isinstance(exc, Exception) and isinstance(exc, KeyboardInterrupt | SystemExit):
        return exc
    error = from_polars(exc)
    if type(error) is not EngineError:
        return error
    text = str(exc)
    if (complaint := source.complaint(text)) is not None:
        return InputError(complaint, hint="correct the input; nothing was written")
    if (found := _OS_ERROR.search(text)) is not None:
        return refused(target, int(found[1]))
    return error


def _check_values(plan: _Plan, report: Report) -> None:
    refused_columns = {
        name: column
        for name, column in report.columns.items()
        if column.invalid and plan.calls.transformed[name].rule.on_invalid == "error"
    }
    if refused_columns:
        raise refusal(report, refused_columns)


def _check_rows(job: Job, source: Source, sink: Sink, rows: int, written: Path) -> None:
    with translated():
        count = sink.count(written)
    if count != rows or source.rows not in (None, rows):
        raise JobError(
            f"{source.rows if source.rows is not None else rows:,} rows were read and {count:,} "
            "written; the output was deleted",
            file=str(job.target),
            hint="the input may have changed meanwhile; run the job again",
        )


def _publish(job: Job, plan: _Plan, aside: AsideFile) -> None:
    """Give the output its name.

    A sidecar comes first, so that no tokens ever lack theirs; an old output goes before that, so
    that it's never found beside metadata that isn't its own.
    """
    if not plan.sink.metadata_beside:
        aside.publish(replace=job.replace)
        return
    sidecar = sidecar_of(job.target)
    with refusing(job.target):
        if job.target.exists():
            if not job.replace:
                raise already_there(job.target)
            job.target.unlink()
        sidecar.unlink(missing_ok=True)
        flush_folder(job.target.parent)
    if plan.metadata is None:
        aside.publish(replace=job.replace)
        return
    with AsideFile(sidecar) as beside:
        with refusing(sidecar), beside.writer() as file:
            file.write(plan.metadata.encode("ascii") + b"\n")
        beside.flush()
        beside.publish(replace=True)
    try:
        aside.publish(replace=job.replace)
    except BaseException:
        with contextlib.suppress(OSError):
            sidecar.unlink()
        raise
