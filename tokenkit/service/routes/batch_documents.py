"""What the OpenAPI document says of batches, and what their endpoints take and give."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tokenkit.batches.batch import Batch, State

PARQUET: Final = "application/vnd.apache.parquet"
ANY: Final = "application/octet-stream"
MEDIA: Final = {".parquet": PARQUET, ".csv": "text/csv", ".tsv": "text/tab-separated-values"}
Format = Literal["csv", "csv.gz", "csv.zst", "tsv", "tsv.gz", "tsv.zst", "parquet"]


def file_answer(media: str, what: str) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is a file."""
    return {200: {"description": what, "content": {media: {}}}}


class BatchQuery(BaseModel):
    """What is to be done with the file that is the body."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    policy: str = Field(min_length=1, max_length=64, description="The policy's name.")
    operation: Literal["tokenize"] = Field(
        default="tokenize",
        description="What is done: files aren't detokenized here, since the ends and revocations "
        "of single tokens couldn't be kept.",
    )
    purpose: str | None = Field(default=None, min_length=1, max_length=255)
    format: Format = Field(default="csv", description="How the file is written.")
    output: Format | None = Field(default=None, description="The same of the result's.")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    header: bool = Field(default=True, description="Whether text begins with the columns' names.")
    encoding: str | None = Field(default=None, max_length=32, pattern=r"^[A-Za-z0-9_.:-]+$")


class BatchProgress(BaseModel):
    """How far a batch is."""

    rows: int = Field(description="Rows that are done.")
    of: int | None = Field(description="Of about how many; null if unknown.")


class BatchFailure(BaseModel):
    """Why a batch has failed. It quotes nothing of the file."""

    code: str
    reason: str | None
    detail: str
    hint: str | None


class BatchFacts(BaseModel):
    """A batch."""

    id: UUID
    state: State
    operation: Literal["tokenize", "detokenize"]
    policy: str
    purpose: str | None
    format: str
    output: str
    size: int | None = Field(description="Bytes that were uploaded.")
    progress: BatchProgress
    attempt: int = Field(description="How often it was begun.")
    rows_read: int | None
    rows_written: int | None
    rows_rejected: int | None
    columns: dict[str, Any] | None = Field(
        description="What became of each column's values, once it is complete."
    )
    failure: BatchFailure | None
    created: datetime
    queued: datetime | None
    started: datetime | None
    ended: datetime | None
    expires: datetime | None = Field(description="Until when the result is kept.")

    @classmethod
    def of(cls, batch: Batch) -> "BatchFacts":
        """Say how a batch stands."""
        failure = batch.failure
        return cls(
            id=batch.id,
            state=batch.state,
            operation=batch.operation,
            policy=batch.policy,
            purpose=batch.purpose,
            format=batch.input_suffix.removeprefix("."),
            output=batch.output_suffix.removeprefix("."),
            size=batch.size,
            progress=BatchProgress(rows=batch.rows_done, of=batch.rows_expected),
            attempt=batch.attempt,
            rows_read=batch.rows_read,
            rows_written=batch.rows_written,
            rows_rejected=batch.rows_rejected,
            columns=None if batch.report is None else batch.report.get("columns"),
            failure=None
            if failure is None
            else BatchFailure(
                code=failure.code, reason=failure.reason, detail=failure.text, hint=failure.hint
            ),
            created=batch.created,
            queued=batch.queued,
            started=batch.started,
            ended=batch.ended,
            expires=batch.expires,
        )


BATCH = {
    "id": "0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11",
    "state": "running",
    "operation": "tokenize",
    "policy": "orders",
    "purpose": None,
    "format": "csv",
    "output": "csv",
    "size": 48_000_000,
    "progress": {"rows": 250_000, "of": 1_000_000},
    "attempt": 1,
    "rows_read": None,
    "rows_written": None,
    "rows_rejected": None,
    "columns": None,
    "failure": None,
    "created": "2026-11-23T09:00:00Z",
    "queued": "2026-11-23T09:00:04Z",
    "started": "2026-11-23T09:00:04Z",
    "ended": None,
    "expires": None,
}
BODY = {
    "requestBody": {
        "required": True,
        "description": "The file, as it is.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("text/csv", PARQUET, ANY)
        },
    }
}
