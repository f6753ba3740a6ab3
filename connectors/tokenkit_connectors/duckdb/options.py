"""What job files say of DuckDB."""

from pydantic import BaseModel, ConfigDict, Field

from tokenkit.jobs.connectors import LocalPath
from tokenkit_connectors.naming import RUN_COLUMN


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: LocalPath = Field(description="The database file.")
    wait: float = Field(
        60, ge=0, description="How many seconds to wait while another process has it open."
    )


class SourceOptions(_Options):
    """A table, a view or a query to read."""

    table: str | None = Field(None, description="The table or view: NAME, or SCHEMA.NAME.")
    query: str | None = Field(None, description="A SELECT, in place of a table.", repr=False)


class SinkOptions(_Options):
    """A table to write."""

    table: str = Field(description="The table: NAME, or SCHEMA.NAME.")
    run_column: str = Field(
        RUN_COLUMN, min_length=1, description="The column of append that names a row's run."
    )
