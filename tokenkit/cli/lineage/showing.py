"""``tokenkit lineage show``."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenkit.cli.lineage.group import group, number, place, store, utc
from tokenkit.cli.options import AsJson
from tokenkit.cli.terminal import printable, table_console

if TYPE_CHECKING:
    from rich.console import Console

    from tokenkit.lineage import DatasetUse, RunRecord
    from tokenkit.store.lineage import Integrity


@group.command()
def show(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run's id, its beginning, or the id in an output."),
    ],
    as_json: AsJson = False,
) -> None:
    """Explain a run: what it read and wrote, how each column went, under which policy and keys.

    Also says whether the record is what the audit log says it was, and ends with 1 if it isn't.
    `tokenkit audit verify` says whether the audit log itself was altered.
    """
    from tokenkit.errors import AuditBroken
    from tokenkit.store.lineage import check, find_run, load_run

    with store() as connection:
        record = load_run(connection, find_run(connection, run))
        integrity = check(connection, record)
    if as_json:
        typer.echo(json.dumps(_json(record, integrity), indent=2))
    else:
        _print(record, integrity)
    if integrity.verdict == "altered":
        what = " and ".join(integrity.altered)
        raise AuditBroken(
            f"run {record.id} is not what the audit log says it was: its {what} was altered",
            hint="`tokenkit audit verify` says whether the audit log can be trusted",
        )


def _json(record: "RunRecord", integrity: "Integrity") -> dict[str, Any]:
    from tokenkit.lineage.graph import edge_json

    return {
        "id": str(record.id),
        "job_run": record.job_run,
        "operation": record.operation,
        "status": record.status,
        "started": record.started.isoformat(),
        "ended": None if record.ended is None else record.ended.isoformat(),
        "actor": record.actor,
        "tokenkit_version": record.tokenkit_version,
        "policy_digest": record.policy_digest,
        "policy": record.policy,
        "inputs": [_use_json(use) for use in record.inputs],
        "outputs": [_use_json(use) for use in record.outputs],
        "columns": [edge_json(edge) for edge in record.columns],
        "rows_read": record.rows_read,
        "rows_written": record.rows_written,
        "rows_rejected": record.rows_rejected,
        "rejects": record.rejects,
        "error_code": record.error_code,
        "proofs": {file: dict(columns) for file, columns in record.proofs.items()},
        "integrity": {
            "verdict": integrity.verdict,
            "altered": list(integrity.altered),
            "digest": integrity.digest,
            "recorded_digest": integrity.recorded,
            "recorded_at": None if integrity.at is None else integrity.at.isoformat(),
        },
    }


def _use_json(use: "DatasetUse") -> dict[str, Any]:
    return {
        "dataset": str(use.dataset),
        "files": use.files,
        "rows": use.rows,
        "bytes": use.bytes,
        "fingerprint": use.fingerprint,
        "fields": [{"name": field.name, "type": field.type} for field in use.fields],
    }


def _print(record: "RunRecord", integrity: "Integrity") -> None:
    from rich.text import Text

    console = table_console()

    def say(line: str) -> None:
        console.print(Text(printable(line)), soft_wrap=True)

    error = f" with {record.error_code}" if record.error_code else ""
    console.print(
        Text(printable(f"Run {record.id}: {record.operation}, {record.status}{error}"), "bold"),
        soft_wrap=True,
    )
    ended = ""
    if record.ended is not None:
        seconds = (record.ended - record.started).total_seconds()
        ended = f", ended {utc(record.ended)} after {seconds:,.1f} s"
    say(f"Started {utc(record.started)} UTC{ended}, by {record.actor}")
    say(f"tokenkit {record.tokenkit_version}; its outputs name it {record.job_run}")
    say(
        f"{record.rows_read:,} rows read, {record.rows_written:,} written, "
        f"{record.rows_rejected:,} rejected"
    )
    if record.rejects:
        say(f"Rejected rows are sealed in {record.rejects}")
    _print_uses(console, "Read", record.inputs)
    _print_uses(console, "Wrote", record.outputs)
    _print_columns(console, record)
    for file, columns in record.proofs.items():
        for column, proof in columns.items():
            say(f"Proof of {file}, {column}: {proof}")
    if record.policy is not None:
        say(f"Policy {record.policy_digest}")
        # Line ends are the policy's own here; whatever else doesn't print is escaped.
        for line in _pretty(record.policy).splitlines():
            say(f"  {line}")
    say(_verdict(integrity))


def _print_uses(console: "Console", title: str, uses: "tuple[DatasetUse, ...]") -> None:
    from rich.table import Table
    from rich.text import Text

    from tokenkit.cli.reports import size

    if not uses:
        return
    table = Table(title=title, title_justify="left")
    table.add_column("Dataset", overflow="fold")
    for heading in ("Files", "Rows", "Size", "Columns"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Fingerprint", no_wrap=True)
    for use in uses:
        table.add_row(
            Text(place(use.dataset)),
            number(use.files),
            number(use.rows),
            "" if use.bytes is None else size(use.bytes),
            number(len(use.fields)),
            Text(printable((use.fingerprint or "")[:12])),
        )
    console.print(table)


def _print_columns(console: "Console", record: "RunRecord") -> None:
    from rich.table import Table
    from rich.text import Text

    if not record.columns:
        return
    table = Table(title="Columns", title_justify="left")
    several = len({edge.input for edge in record.columns}) > 1 or len(record.outputs) > 1
    for heading in ("From", "To", "Action", "Scheme", "Key", "Domain"):
        table.add_column(heading, overflow="fold")
    counted = [edge.counts for edge in record.columns if edge.counts is not None]
    extra = [
        what for what in ("literal", "sealed") if any(getattr(count, what) for count in counted)
    ]
    for heading in ("Values", "Null", "Empty", *(what.capitalize() for what in extra), "Invalid"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Reasons", no_wrap=True)
    for edge in record.columns:
        ends = (
            f"{place(edge.input)}.{printable(edge.input_column)}",
            f"{place(edge.output)}.{printable(edge.output_column)}",
        )
        if not several:
            ends = (printable(edge.input_column), printable(edge.output_column))
        version = "" if edge.key_version is None else f" version {edge.key_version}"
        words = (edge.action, edge.scheme or "", f"{edge.key}{version}" if edge.key else "")
        numbers = [""] * (4 + len(extra))
        reasons = ""
        if edge.counts is not None:
            counts = edge.counts
            shown = [counts.done, counts.null, counts.empty]
            shown += [getattr(counts, what) for what in extra]
            numbers = [number(count) for count in (*shown, sum(counts.invalid.values()))]
            reasons = "\n".join(f"{reason} {n:,}" for reason, n in counts.invalid.items())
        table.add_row(
            *(Text(end) for end in ends),
            *(Text(printable(word)) for word in (*words, edge.domain or "")),
            *numbers,
            Text(reasons),
        )
    console.print(table)


def _pretty(policy: str) -> str:
    try:
        return json.dumps(json.loads(policy), indent=2, ensure_ascii=False)
    except ValueError:
        return policy


def _verdict(integrity: "Integrity") -> str:
    if integrity.verdict == "altered":
        return f"ALTERED: its {' and '.join(integrity.altered)} is not what was recorded"
    if integrity.at is None:
        return f"The audit log holds no digest of this record (it is {integrity.digest})"
    return f"The record is what the audit log holds since {utc(integrity.at)} UTC"
