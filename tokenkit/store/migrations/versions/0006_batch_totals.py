"""What batches have come to so far: rows of batches are forgotten, these counts aren't."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, and say who may do what."""
    op.create_table(
        "batch_totals",
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("scheme", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "measure", "operation", "scheme", "key", "outcome", name="pk_batch_totals"
        ),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("GRANT SELECT, INSERT, UPDATE ON batch_totals TO tokenkit_service")
        op.execute("GRANT SELECT ON batch_totals TO tokenkit_reader")


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("batch_totals")
