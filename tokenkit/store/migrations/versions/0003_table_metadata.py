"""Metadata of tables: what made their tokens, which no file stands beside."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("run_outputs", sa.Column("table_metadata", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("run_outputs", "table_metadata")
