"""What Dagster shows of a run: counts, columns and their way, and no value."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from tokenkit.jobs import Report
from tokenkit.lineage import ColumnEdge, RunRecord


def described(
    report: Report, record: RunRecord, upstream: Sequence[dg.AssetKey], *, is_partition: bool
) -> Mapping[str, Any]:
    """Describe what a job wrote.

    Parameters
    ----------
    report
        What the job said; of one that was skipped, the record says more.
    record
        The run record.
    upstream
        The assets that its input is.
    is_partition
        Whether it is one partition of several.
    """
    output = record.outputs[0]
    edges = [edge for edge in record.columns if edge.output == output.dataset]
    by_name = {edge.output_column: edge for edge in edges}
    columns = [
        dg.TableColumn(field.name, field.type, _way(by_name.get(field.name)))
        for field in output.fields
    ]
    lineage = {
        edge.output_column: [dg.TableColumnDep(key, edge.input_column) for key in upstream]
        for edge in edges
    }
    counted = "dagster/partition_row_count" if is_partition else "dagster/row_count"
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        counted: record.rows_written,
        "rows_read": record.rows_read,
        "rows_written": record.rows_written,
        "rows_rejected": record.rows_rejected,
        "status": report.status,
        "run": record.job_run,
        "source": report.source,
        "target": report.target or "",
        "seconds": round(report.seconds, 3),
        **({"rejects": dg.MetadataValue.path(record.rejects)} if record.rejects else {}),
        **_tokens(edges),
    }


def _way(edge: ColumnEdge | None) -> str | None:
    if edge is None or edge.scheme is None:
        return None
    version = "several versions" if edge.key_version is None else f"version {edge.key_version}"
    return f"{edge.action}d as {edge.scheme}, key {edge.key or 'of several names'}, {version}"


def _tokens(edges: Sequence[ColumnEdge]) -> Mapping[str, Any]:
    """Show a table of what became of the values, where it was counted."""
    rows = [
        dg.TableRecord(
            {
                "column": edge.output_column,
                "scheme": edge.scheme or "",
                "key": edge.key or "",
                "version": -1 if edge.key_version is None else edge.key_version,
                "done": edge.counts.done,
                "null": edge.counts.null,
                "empty": edge.counts.empty,
                "literal": edge.counts.literal,
                "sealed": edge.counts.sealed,
                "invalid": sum(edge.counts.invalid.values()),
                "reasons": ", ".join(
                    f"{reason} {count}" for reason, count in edge.counts.invalid.items()
                ),
            }
        )
        for edge in edges
        if edge.counts is not None
    ]
    return {"columns": dg.MetadataValue.table(rows)} if rows else {}
