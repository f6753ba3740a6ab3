"""Runs migrations on the connection that it is given, in that connection's transaction."""

from alembic import context

from tokenkit.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
