"""A run record as an OpenLineage event: plain values, for JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from tokenkit.lineage.datasets import DatasetUse
from tokenkit.lineage.run_record import ColumnEdge, RunRecord

EventType: TypeAlias = Literal["START", "COMPLETE", "FAIL", "ABORT"]

PRODUCER: Final = "urn:tokenkit-vaultless"
OWN: Final = "urn:tokenkit-vaultless:openlineage:1:"
"""What the ids of our own facets' schemas begin with; see the folder ``schemas``."""
_SPEC: Final = "https://openlineage.io/spec/"
_EVENT: Final = f"{_SPEC}2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS: Final = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "ErrorMessageRunFacet": "1-0-1",
    "InputStatisticsInputDatasetFacet": "1-0-0",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
}
_MASKING: Final = frozenset({"tokenize", "rekey", "seal"})


def event(
    record: RunRecord, kind: EventType, at: datetime, *, namespace: str = "tokenkit"
) -> dict[str, Any]:
    """Write a run, as far as it has come, as an event.

    Parameters
    ----------
    record
        The run.
    kind
        ``START``, and at the end ``COMPLETE``, ``FAIL``, or ``ABORT`` if it was interrupted.
    at
        When.
    namespace
        The namespace of the job.

    Examples
    --------
    >>> from uuid import UUID
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> record = RunRecord(id=UUID(int=1), job_run="00" * 16, operation="tokenize", actor="ann",
    ...     status="running", started=now, tokenkit_version="1.0")
    >>> event(record, "START", now)["eventTime"]
    '2026-01-01T00:00:00.000000Z'
    """
    output = f" {record.outputs[0].dataset}" if record.outputs else ""
    return {
        "eventType": kind,
        "eventTime": _moment(at),
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": str(record.id), "facets": _run_facets(record, kind)},
        "job": {
            "namespace": namespace,
            "name": f"{record.operation}{output}",
            "facets": {
                "jobType": _facet(
                    "JobTypeJobFacet",
                    processingType="BATCH",
                    integration="TOKENKIT",
                    jobType=record.operation.upper(),
                )
            },
        },
        "inputs": [_input(use) for use in record.inputs],
        "outputs": [_output(use, record) for use in record.outputs],
    }


def _run_facets(record: RunRecord, kind: EventType) -> dict[str, Any]:
    found = {
        "processing_engine": _facet(
            "ProcessingEngineRunFacet", name="tokenkit", version=record.tokenkit_version
        ),
        "tokenkit_run": _own(
            "TokenkitRunFacet",
            jobRun=record.job_run,
            actor=record.actor,
            policyDigest=record.policy_digest,
            rowsRead=record.rows_read,
            rowsWritten=record.rows_written,
            rowsRejected=record.rows_rejected,
            rejects=record.rejects,
            proofs={file: dict(columns) for file, columns in record.proofs.items()} or None,
        ),
    }
    if kind in ("FAIL", "ABORT"):
        found["errorMessage"] = _facet(
            "ErrorMessageRunFacet",
            # The code alone: what a message may hold is for this machine's eyes.
            message=record.error_code or "interrupted",
            programmingLanguage="PYTHON",
        )
    return found


def _input(use: DatasetUse) -> dict[str, Any]:
    statistics = _facet("InputStatisticsInputDatasetFacet", **_statistics(use))
    return {**_dataset(use, {}), "inputFacets": {"inputStatistics": statistics}}


def _output(use: DatasetUse, record: RunRecord) -> dict[str, Any]:
    edges = [edge for edge in record.columns if edge.output == use.dataset]
    facets: dict[str, Any] = {}
    if edges:
        lineage: dict[str, dict[str, Any]] = {}
        columns: dict[str, list[Mapping[str, Any]]] = {}
        for edge in edges:
            into = lineage.setdefault(edge.output_column, {"inputFields": []})
            into["inputFields"].append(_input_field(edge))
            columns.setdefault(edge.output_column, []).append(_column(edge))
        facets["columnLineage"] = _facet("ColumnLineageDatasetFacet", fields=lineage)
        facets["tokenkit_columns"] = _own("TokenkitColumnsDatasetFacet", columns=columns)
    statistics = _facet("OutputStatisticsOutputDatasetFacet", **_statistics(use))
    return {**_dataset(use, facets), "outputFacets": {"outputStatistics": statistics}}


def _dataset(use: DatasetUse, facets: Mapping[str, Any]) -> dict[str, Any]:
    fields = [
        {"name": field.name, "type": field.type, "ordinal_position": position}
        for position, field in enumerate(use.fields, start=1)
    ]
    found = {"schema": _facet("SchemaDatasetFacet", fields=fields), **facets}
    if use.fingerprint is not None:
        found["version"] = _facet("DatasetVersionDatasetFacet", datasetVersion=use.fingerprint)
    return {"namespace": use.dataset.namespace, "name": use.dataset.name, "facets": found}


def _statistics(use: DatasetUse) -> dict[str, int | None]:
    return {"rowCount": use.rows, "size": use.bytes, "fileCount": use.files}


def _input_field(edge: ColumnEdge) -> dict[str, Any]:
    how = {
        "type": "DIRECT",
        "subtype": "IDENTITY" if edge.action == "keep" else "TRANSFORMATION",
        "description": edge.action if edge.scheme is None else f"{edge.action} {edge.scheme}",
        "masking": edge.action in _MASKING,
    }
    return {
        "namespace": edge.input.namespace,
        "name": edge.input.name,
        "field": edge.input_column,
        "transformations": [how],
    }


def _column(edge: ColumnEdge) -> dict[str, Any]:
    told = {
        "action": edge.action,
        "scheme": edge.scheme,
        "key": edge.key,
        "keyVersion": edge.key_version,
        "keyId": edge.key_id,
        "domain": edge.domain,
        **({} if edge.counts is None else edge.counts.to_mapping()),
    }
    return {name: value for name, value in told.items() if value is not None}


def _facet(kind: str, /, **fields: object) -> dict[str, Any]:
    return _with_schema(f"{_SPEC}facets/{_FACETS[kind]}/{kind}.json#/$defs/{kind}", fields)


def _own(kind: str, /, **fields: object) -> dict[str, Any]:
    return _with_schema(f"{OWN}{kind}", fields)


def _with_schema(url: str, fields: Mapping[str, object]) -> dict[str, Any]:
    told = {name: value for name, value in fields.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": url, **told}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
