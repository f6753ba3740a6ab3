"""Batches: what was uploaded to be done, and what became of it.

No value stands in it, and the key of its files only as the keyring has sealed it.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from tokenkit.store.models.declarative import Base


class BatchRow(Base):
    """A batch."""

    __tablename__ = "batches"
    __table_args__ = (
        Index(None, "state", "is_small", "queued", "id"),
        Index(None, "owner_id", "created", "id"),
        Index(None, "expires"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id"))
    actor: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    operation: Mapped[str] = mapped_column(String(16))
    policy: Mapped[str] = mapped_column(String(64))
    policy_digest: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str | None] = mapped_column(String(255))
    input_suffix: Mapped[str] = mapped_column(String(16))
    output_suffix: Mapped[str] = mapped_column(String(16))
    text_options: Mapped[str] = mapped_column(Text)
    sealed_key: Mapped[str | None] = mapped_column(Text)
    size: Mapped[int | None]
    is_small: Mapped[bool]
    attempt: Mapped[int]
    deaths: Mapped[int]
    worker: Mapped[str | None] = mapped_column(String(64))
    held_until: Mapped[datetime | None]
    cancel_requested: Mapped[bool]
    rows_done: Mapped[int]
    rows_expected: Mapped[int | None]
    rows_read: Mapped[int | None]
    rows_written: Mapped[int | None]
    rows_rejected: Mapped[int | None]
    report: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(16))
    error_reason: Mapped[str | None] = mapped_column(String(64))
    error_text: Mapped[str | None] = mapped_column(Text)
    error_hint: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime]
    queued: Mapped[datetime | None]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    expires: Mapped[datetime | None]


class BatchTotalRow(Base):
    """How much of something all batches have come to so far; it only grows."""

    __tablename__ = "batch_totals"

    measure: Mapped[str] = mapped_column(String(16), primary_key=True)
    operation: Mapped[str] = mapped_column(String(16), primary_key=True)
    scheme: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)
    count: Mapped[int]
