"""The audit log: records in chained batches (token contract, "Audit chain")."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tokenkit.store.models.declarative import Base


class AuditHead(Base):
    """The end of the chain: one row, whose lock puts writers in order."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int]
    link: Mapped[bytes] = mapped_column(LargeBinary)


class AuditBatch(Base):
    """Some records that were written at once, and the link that holds them in their place."""

    __tablename__ = "audit_batches"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    written: Mapped[datetime]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    count: Mapped[int]
    last_hash: Mapped[bytes] = mapped_column(LargeBinary)
    link: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[int]
    check_value: Mapped[bytes] = mapped_column(LargeBinary)


class AuditEntry(Base):
    """A record of the audit log, and its hash in the chain; PostgreSQL has a partition a month."""

    __tablename__ = "audit_records"
    __table_args__ = (
        Index(None, "run"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    batch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    object: Mapped[str | None] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[int | None]
    count: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(Text)
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    detail: Mapped[str | None] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
