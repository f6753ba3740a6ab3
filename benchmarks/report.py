"""The tables, on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from benchmarks.job import JobRun
    from benchmarks.measure import Line, Measurement

_VALUES_NOTE = (
    "The bound is what one core could do if AES were all there is: OpenSSL's AES-256-ECB rate on "
    "buffers of 64 KiB, through the cryptography package, over the 160 bytes that FF1 encrypts "
    "for a value of sixteen digits; it is measured again between the repeats of every line. "
    "Sixteen-digit strings where nothing else is said; inputs are random, distinct and new at "
    "every repeat; outputs are checked against an FF1 or AES-SIV that is not this project's, and "
    "by the way back. Medians."
)
_JOB_NOTE = (
    "Three columns (int64, sixteen-digit string, float64), Parquet to Parquet with the default "
    "compression and CSV to CSV, both cores. For Parquet the copy is the same job under a policy "
    "that keeps every column, for CSV it's Polars alone, copying text. CPU seconds are the job's, "
    "start and imports among them; the peak is the process's. Medians."
)

_OBJECTS_NOTE = (
    "Four columns (int64, two sixteen-digit strings, float64) from a Parquet file into an object; "
    "both strings are tokenized. The store is moto's server on the same machine, which takes its "
    "share of the processor. The copy is the same job under a policy that keeps every column. CPU "
    "seconds are the job's, start and imports among them; the peak is the process's. Medians."
)
_AUDIT_NOTE = (
    "PostgreSQL with fsync and synchronous_commit on; batches of 50,000, each a transaction. The "
    "verifier is a process of its own."
)
_SERVICE_NOTE = (
    "One worker, with API key, rights, limits and the audit log on PostgreSQL, asked by wrk over "
    "the loopback; the echo is a bare FastAPI application that sends the same body back."
)
_CONNECTORS_NOTE = (
    "Five columns (bigint, two of digits as text, numeric, timestamptz), two of them tokenized, "
    "and the same job under a policy that keeps them. Server and job share the machine; CPU "
    "seconds and the peak are the job's alone. The table is replaced in one transaction. Medians."
)
_LINEAGE_NOTE = (
    "Traces both ways through 100,000 runs of 20 columns; a + means that the limit of ways, 1,000 "
    "in each direction, was reached. CPU is this process's: all of it on SQLite, the client's on "
    "PostgreSQL. Medians."
)


@dataclasses.dataclass(frozen=True)
class Results:
    """A title, a heading for each column, rows of text, what to know, and the plain numbers."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
    numbers: Sequence[dict[str, Any]]


def values_table(lines: Sequence[tuple[Line, Measurement]]) -> Results:
    """Values a second, and as a multiple of the bound."""
    rows, numbers = [], []
    for line, found in lines:
        rows.append(
            [
                line.title,
                str(line.cores),
                f"{found.rows:,}",
                f"{found.wall * 1e3:,.1f}",
                f"{found.cpu * 1e3:,.1f}",
                _millions(found.rows / found.wall),
                _millions(found.rate),
                f"{found.ratio:.3f}",
                _megabytes(found.peak),
            ]
        )
        numbers.append(
            {"line": line.title, "cores": line.cores, "kernel": line.kernel}
            | dataclasses.asdict(found)
            | {"values_per_cpu_second": found.rate, "ratio_to_bound": found.ratio}
        )
    if lines:
        bound = statistics.median(found.bound for _, found in lines)
        rows.append(
            ["the bound: AES-256-ECB / 160 bytes", "1", "", "", "", *[_millions(bound)] * 2]
        )
        rows[-1] += ["1.000", ""]
        numbers.append({"line": "bound", "values_per_cpu_second": bound})
    headings = [
        "",
        "cores",
        "rows",
        "wall ms",
        "CPU ms",
        "M/s wall",
        "M/s CPU",
        "x bound",
        "peak MB",
    ]
    return Results("Values", headings, rows, _VALUES_NOTE, numbers)


def job_table(runs: Sequence[JobRun]) -> Results:
    """The jobs beside a copy."""
    yardstick = {"parquet": "copy", "csv": "Polars alone, copying"}
    copies = {(run.format, run.rows): run.cpu for run in runs if run.kind == yardstick[run.format]}
    rows = [
        [
            f"{run.format}: {run.kind}",
            f"{run.rows:,}",
            f"{run.wall:.2f}",
            f"{run.cpu:.2f}",
            f"{run.cpu / copies[run.format, run.rows]:.2f}",
            _megabytes(run.peak),
        ]
        for run in runs
    ]
    headings = ["", "rows", "wall s", "CPU s", "x copy", "peak MB"]
    numbers = [dataclasses.asdict(run) for run in runs]
    return Results("Jobs", headings, rows, _JOB_NOTE, numbers)


def objects_table(runs: Sequence[JobRun]) -> Results:
    """Jobs into an object store beside a copy."""
    copies = {run.rows: run for run in runs if run.kind == "copy"}
    rows = [
        [
            run.kind,
            f"{run.rows:,}",
            f"{run.wall:.2f}",
            f"{run.cpu:.2f}",
            f"{run.wall / copies[run.rows].wall:.2f}",
            f"{run.cpu / copies[run.rows].cpu:.2f}",
            _megabytes(run.peak),
        ]
        for run in runs
    ]
    headings = ["", "rows", "wall s", "CPU s", "x wall", "x CPU", "peak MB"]
    numbers = [dataclasses.asdict(run) for run in runs]
    return Results("Parquet to S3", headings, rows, _OBJECTS_NOTE, numbers)


def lineage_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Results:
    """Traces through many runs."""
    numbers = [dict(zip(headings, line, strict=True)) for line in lines]
    return Results("Lineage", headings, lines, _LINEAGE_NOTE, numbers)


def connectors_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Results:
    """Jobs over tables beside a copy."""
    numbers = [dict(zip(headings, line, strict=True)) for line in lines]
    return Results("PostgreSQL to PostgreSQL", headings, lines, _CONNECTORS_NOTE, numbers)


def service_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Results:
    """The REST service beside a bare echo."""
    numbers = [dict(zip(headings, line, strict=True)) for line in lines]
    return Results("REST service", headings, lines, _SERVICE_NOTE, numbers)


def audit_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Results:
    """Records chained into PostgreSQL, and verified."""
    numbers = [dict(zip(headings, line, strict=True)) for line in lines]
    return Results("Audit log", headings, lines, _AUDIT_NOTE, numbers)


def print_table(console: Console, results: Results) -> None:
    """Show a table and what to know about it."""
    table = Table(title=results.title)
    for number, heading in enumerate(results.headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in results.rows:
        table.add_row(*row)
    console.print(table)
    console.print(results.note, style="dim")


def write(path: Path, tables: Sequence[Results]) -> None:
    """Write the results as JSON or, for a README, as Markdown."""
    if path.suffix == ".json":
        measured = {results.title: results.numbers for results in tables}
        text = json.dumps(_machine() | measured, indent=2)
    else:
        text = "\n".join(_markdown(results) for results in tables) + f"\n{_machine_line()}\n"
    path.write_text(text, encoding="utf-8")


def _markdown(results: Results) -> str:
    lines = [
        "| " + " | ".join(results.headings) + " |",
        "|"
        + "|".join(" ---: " if number else " --- " for number in range(len(results.headings)))
        + "|",
        *("| " + " | ".join(row) + " |" for row in results.rows),
    ]
    return "\n".join([*lines, "", results.note, ""])


def _machine() -> dict[str, Any]:
    packages = {}
    for name in (
        "tokenkit-vaultless",
        "polars",
        "pyarrow",
        "numpy",
        "cryptography",
        "fastfpe",
        "polars-hash",
    ):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": packages,
    }


def _machine_line() -> str:
    machine = _machine()
    packages = ", ".join(f"{name} {found}" for name, found in machine["packages"].items())
    return (
        f"Measured {machine['date']} on {machine['cores']} cores ({machine['processor']}), "
        f"Python {machine['python']}, {packages}."
    )


def _processor() -> str:
    """Name the processor and the vector instructions that matter here."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {name.strip(): value.strip() for name, value in fields.items()}
    flags = found.get("flags", "").split()
    wanted = [flag for flag in ("aes", "vaes", "avx512ifma") if flag in flags]
    return f"{found.get('model name', platform.machine())} with {', '.join(wanted) or 'no AES'}"


def _millions(rate: float) -> str:
    return f"{rate / 1e6:,.2f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f}" if size else ""
