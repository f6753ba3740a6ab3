"""Access: users and their secrets, sessions, API keys, roles and grants.

Secrets stand in tables of their own, or in columns that the reading role isn't given.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
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

from tokenkit.store.models.declarative import Base, BigId

_DIGEST = LargeBinary(32)


def _user(*, primary_key: bool = False) -> Mapped[UUID]:
    return mapped_column(Uuid, ForeignKey("users.id"), primary_key=primary_key)


class AccessStateRow(Base):
    """One row: the version of the rights, which every change counts up, and the bootstrap."""

    __tablename__ = "access_state"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    version: Mapped[int]
    bootstrapped: Mapped[datetime | None]


class UserRow(Base):
    """A person who signs in, or a service that has API keys."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("kind IN ('person', 'service')", name="kind"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Text)
    disabled: Mapped[datetime | None]


class UserPasswordRow(Base):
    """The argon2id hash of a user's password."""

    __tablename__ = "user_passwords"

    user_id: Mapped[UUID] = _user(primary_key=True)
    hash: Mapped[str] = mapped_column(Text)
    changed: Mapped[datetime]
    must_change: Mapped[bool]


class UserTotpRow(Base):
    """A user's TOTP secret, sealed; one that isn't confirmed yet; and the last step used."""

    __tablename__ = "user_totp"

    user_id: Mapped[UUID] = _user(primary_key=True)
    secret: Mapped[str | None] = mapped_column(Text)
    confirmed: Mapped[datetime | None]
    last_step: Mapped[int | None]
    pending: Mapped[str | None] = mapped_column(Text)
    pending_since: Mapped[datetime | None]


class RecoveryCodeRow(Base):
    """The hash of a recovery code, and when it was used."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = _user(primary_key=True)
    digest: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    created: Mapped[datetime]
    used: Mapped[datetime | None]


class SessionRow(Base):
    """A session; its token is kept as a hash."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "user_id"), Index(None, "ends"))

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID] = _user()
    digest: Mapped[bytes] = mapped_column(_DIGEST, unique=True)
    created: Mapped[datetime]
    last_used: Mapped[datetime]
    ends: Mapped[datetime]
    stepped_up: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class ApiKeyRow(Base):
    """An API key; the key itself is kept as a hash, beside the few characters that are shown."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID] = _user()
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[bytes] = mapped_column(_DIGEST, unique=True)
    shown: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Text)
    ends: Mapped[datetime | None]
    last_used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    successor_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("api_keys.id"))


class RoleRow(Base):
    """A role."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str] = mapped_column(Text)
    requires_mfa: Mapped[bool]
    created: Mapped[datetime]


class RoleMemberRow(Base):
    """Who has which role."""

    __tablename__ = "role_members"
    __table_args__ = (Index(None, "role_id"),)

    user_id: Mapped[UUID] = _user(primary_key=True)
    role_id: Mapped[int] = mapped_column(BigId, ForeignKey("roles.id"), primary_key=True)
    granted: Mapped[datetime]
    granted_by: Mapped[str] = mapped_column(Text)


class GrantRow(Base):
    """A rule of a role. No purposes: none need be stated; an empty list: any must be."""

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint("effect IN ('allow', 'masked', 'deny')", name="effect"),
        UniqueConstraint("role_id", "effect", "action", "kind", "name"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    role_id: Mapped[int] = mapped_column(BigId, ForeignKey("roles.id"))
    effect: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(256))
    purposes: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    created: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Text)


class AttemptRow(Base):
    """Attempts to sign in that failed, by a keyed fingerprint of whom they were counted for."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index(None, "last"),)

    subject: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    failures: Mapped[int]
    last: Mapped[datetime]
    blocked_until: Mapped[datetime | None]


class KnownNetworkRow(Base):
    """An address from which a user has signed in, by its keyed fingerprint."""

    __tablename__ = "known_networks"
    __table_args__ = (Index(None, "last"),)

    subject: Mapped[bytes] = mapped_column(_DIGEST, primary_key=True)
    last: Mapped[datetime]
