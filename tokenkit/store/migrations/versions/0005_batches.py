"""Batches: files that are uploaded to be worked on, and their states."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_READABLE = (
    "id, owner_id, actor, state, operation, policy, policy_digest, purpose, input_suffix, "
    "output_suffix, size, is_small, attempt, deaths, worker, held_until, cancel_requested, "
    "rows_done, rows_expected, rows_read, rows_written, rows_rejected, error_code, error_reason, "
    "created, queued, started, ended, expires"
)


def upgrade() -> None:
    """Make the table, and say who may do what."""
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("policy_digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=255), nullable=True),
        sa.Column("input_suffix", sa.String(length=16), nullable=False),
        sa.Column("output_suffix", sa.String(length=16), nullable=False),
        sa.Column("text_options", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("is_small", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("deaths", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_expected", sa.BigInteger(), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), nullable=True),
        sa.Column("rows_written", sa.BigInteger(), nullable=True),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=16), nullable=True),
        sa.Column("error_reason", sa.String(length=64), nullable=True),
        sa.Column("error_text", sa.Text(), nullable=True),
        sa.Column("error_hint", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_batches_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index(
        "ix_batches_state_is_small_queued_id", "batches", ["state", "is_small", "queued", "id"]
    )
    op.create_index("ix_batches_owner_id_created_id", "batches", ["owner_id", "created", "id"])
    op.create_index("ix_batches_expires", "batches", ["expires"])
    if op.get_context().dialect.name == "postgresql":
        # Whoever reads sees how batches go, and neither their keys nor what errors say.
        op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON batches TO tokenkit_service")
        op.execute(f"GRANT SELECT ({_READABLE}) ON batches TO tokenkit_reader")


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("batches")
