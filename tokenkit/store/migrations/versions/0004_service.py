"""The service's own tables: records of tokens, idempotency keys and quotas."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TABLES = ("token_records", "idempotency_keys", "quota_uses")
_READABLE_COLUMNS = {
    "token_records": "id, caller_id, key, key_id, domain, scheme, created, expires, revoked, "
    "purged, version",
    "quota_uses": "subject_id, day, used",
}


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    _make_tables()
    if op.get_context().dialect.name == "postgresql":
        # Whoever reads sees what is kept and until when, and no token, sealed or not.
        op.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(_TABLES)} TO tokenkit_service"
        )
        for table, columns in _READABLE_COLUMNS.items():
            op.execute(f"GRANT SELECT ({columns}) ON {table} TO tokenkit_reader")


def downgrade() -> None:
    """Take the tables away."""
    for table in _TABLES:
        op.drop_table(table)


def _make_tables() -> None:
    op.create_table(
        "token_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("domain", sa.String(length=64), nullable=False),
        sa.Column("scheme", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=21), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_under", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["caller_id"], ["users.id"], name="fk_token_records_caller_id"),
        sa.PrimaryKeyConstraint("id", name="pk_token_records"),
        sa.UniqueConstraint(
            "caller_id", "key_id", "domain", "fingerprint", name="uq_token_records_token"
        ),
    )
    op.create_index(
        "ix_token_records_caller_id_created_id", "token_records", ["caller_id", "created", "id"]
    )
    op.create_index("ix_token_records_expires", "token_records", ["expires"])
    op.create_index("ix_token_records_sealed_under_id", "token_records", ["sealed_under", "id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request", sa.LargeBinary(length=32), nullable=False),
        sa.Column("attempt", sa.Uuid(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expires", "idempotency_keys", ["expires"])
    op.create_table(
        "quota_uses",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "day", name="pk_quota_uses"),
    )
    op.create_index("ix_quota_uses_day", "quota_uses", ["day"])
