"""Run records for tests."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from tokenkit.lineage import (
    ColumnCounts,
    ColumnEdge,
    Dataset,
    DatasetUse,
    Field,
    RunRecord,
)

SOURCE, OUTPUT = Dataset("file", "/data/a.csv"), Dataset("s3://lake", "tokens/b.parquet")
REJECTS = Dataset("file", "/data/b.parquet.rejects.parquet")
FIELDS = (Field("card", "String"), Field("amount", "Decimal(precision=10, scale=2)"))
STARTED = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)

BEGUN = RunRecord(
    id=UUID("0193f3c2-5d1e-4a39-9c41-2f2b7c0e9d11"),
    job_run="0f" * 16,
    operation="tokenize",
    status="running",
    started=STARTED,
    actor="ann@host",
    tokenkit_version="1.0.0",
    policy_digest="ab" * 32,
    policy="{}",
    inputs=(DatasetUse(dataset=SOURCE, fields=FIELDS, fingerprint="cd" * 32, bytes=100),),
    outputs=(DatasetUse(dataset=OUTPUT, fields=FIELDS),),
)


def way(column, output, action, **more):
    """Give a column's way."""
    return ColumnEdge(
        input=SOURCE,
        input_column=column,
        output=output,
        output_column=column,
        action=action,
        **more,
    )


WHOLE = replace(
    BEGUN,
    status="complete",
    ended=datetime(2026, 11, 23, 10, 1, tzinfo=UTC),
    inputs=(replace(BEGUN.inputs[0], rows=10),),
    outputs=(
        replace(BEGUN.outputs[0], rows=9, bytes=90, fingerprint="ef" * 32),
        DatasetUse(dataset=REJECTS, fields=FIELDS, rows=1),
    ),
    columns=(
        way(
            "card",
            OUTPUT,
            "tokenize",
            scheme="credit-card",
            key="payments",
            key_version=2,
            key_id=77,
            domain="credit-card",
            counts=ColumnCounts(done=8, null=1, empty=0, invalid={"length": 1}),
        ),
        way("amount", OUTPUT, "keep"),
        way("card", REJECTS, "seal", key="payments", key_version=2, key_id=77),
    ),
    rows_read=10,
    rows_written=9,
    rows_rejected=1,
    rejects=REJECTS.name,
    proofs={"a.csv": {"card": "00" * 32}},
)
