"""Lineage: datasets, runs, what they read and wrote, and the way of each column."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from tokenkit.store.models.declarative import Base, BigId


class DatasetRow(Base):
    """A dataset that a run has read or written."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("namespace", "name"), Index(None, "name"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    namespace: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    first_seen: Mapped[datetime]


class PolicyRow(Base):
    """A policy by its digest, so that a run can be explained years later."""

    __tablename__ = "policies"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    first_seen: Mapped[datetime]


class RunRow(Base):
    """One run of a job."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("status IN ('running', 'publishing', 'complete', 'failed')", name="status"),
        Index(None, "job_run"),
        Index(None, "started"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    job_run: Mapped[str] = mapped_column(String(32))
    operation: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    actor: Mapped[str] = mapped_column(Text)
    tokenkit_version: Mapped[str] = mapped_column(String(64))
    policy_digest: Mapped[str | None] = mapped_column(ForeignKey("policies.digest"))
    rows_read: Mapped[int]
    rows_written: Mapped[int]
    rows_rejected: Mapped[int]
    rejects: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(16))
    proofs: Mapped[dict[str, Any]] = mapped_column(JSON)


class _Use:
    """What a run found or left of a dataset.

    The run's start is repeated, so that the newest use of a dataset is one probe of an index.
    """

    run_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("runs.id"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(BigId, ForeignKey("datasets.id"), primary_key=True)
    started: Mapped[datetime]
    fields: Mapped[list[Any]] = mapped_column(JSON)
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    files: Mapped[int]
    rows: Mapped[int | None]
    bytes: Mapped[int | None]


class RunInputRow(_Use, Base):
    """A dataset that a run read."""

    __tablename__ = "run_inputs"
    __table_args__ = (Index(None, "dataset_id", "started", "run_id"),)


class RunOutputRow(_Use, Base):
    """A dataset that a run wrote; the metadata of its tokens, if it is a table."""

    __tablename__ = "run_outputs"
    __table_args__ = (Index(None, "dataset_id", "started", "run_id"),)

    table_metadata: Mapped[str | None] = mapped_column(Text)


class ColumnEdgeRow(Base):
    """A way that values take, from column to column; kept once, however many runs take it."""

    __tablename__ = "column_edges"
    __table_args__ = (
        UniqueConstraint(
            "output_dataset_id",
            "output_column",
            "input_dataset_id",
            "input_column",
            "action",
            name="uq_column_edges_way",
        ),
        Index(None, "input_dataset_id", "input_column"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    input_dataset_id: Mapped[int] = mapped_column(BigId, ForeignKey("datasets.id"))
    input_column: Mapped[str] = mapped_column(Text)
    output_dataset_id: Mapped[int] = mapped_column(BigId, ForeignKey("datasets.id"))
    output_column: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(16))


class ColumnRunRow(Base):
    """What one run did on one of these ways; no counts if the values stay as they are.

    The run's start is repeated, so that the newest run of a way is one probe of an index.
    """

    __tablename__ = "column_runs"
    __table_args__ = (Index(None, "edge_id", "started", "run_id"),)

    run_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("runs.id"), primary_key=True)
    edge_id: Mapped[int] = mapped_column(BigId, ForeignKey("column_edges.id"), primary_key=True)
    started: Mapped[datetime]
    scheme: Mapped[str | None] = mapped_column(String(64))
    key: Mapped[str | None] = mapped_column(String(64))
    key_version: Mapped[int | None]
    key_id: Mapped[int | None]
    domain: Mapped[str | None] = mapped_column(String(64))
    done: Mapped[int | None]
    null: Mapped[int | None] = mapped_column("nulls")
    empty: Mapped[int | None]
    literal: Mapped[int | None]
    sealed: Mapped[int | None]
    invalid: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
