"""The service's own tables: records of tokens, idempotency keys and quotas.

No value and no token stands in them: tokens and what callers note beside them are sealed, and what
is only looked for is a keyed hash.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from tokenkit.store.models.declarative import Base


class TokenRecordRow(Base):
    """What a caller asked to be kept of a token, and until when it may be turned back."""

    __tablename__ = "token_records"
    __table_args__ = (
        UniqueConstraint(
            "caller_id", "key_id", "domain", "fingerprint", name="uq_token_records_token"
        ),
        Index(None, "caller_id", "created", "id"),
        Index(None, "expires"),
        Index(None, "sealed_under", "id"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    caller_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[int]
    domain: Mapped[str] = mapped_column(String(64))
    scheme: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(21))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_under: Mapped[int]
    details: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    purged: Mapped[datetime | None]
    version: Mapped[int]


class IdempotencyKeyRow(Base):
    """A request that was made under an idempotency key: both as keyed hashes, and how it ended."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "expires"),)

    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request: Mapped[bytes] = mapped_column(LargeBinary(32))
    attempt: Mapped[UUID] = mapped_column(Uuid)
    held_until: Mapped[datetime]
    expires: Mapped[datetime]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    reference: Mapped[str | None] = mapped_column(String(255))


class QuotaUseRow(Base):
    """How many values an API key, or a user without one, has taken of a day's quota."""

    __tablename__ = "quota_uses"
    __table_args__ = (Index(None, "day"),)

    subject_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    used: Mapped[int]
