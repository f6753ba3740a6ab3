"""What job files say of Delta Lake."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tokenkit.jobs.connectors import LocalPath
from tokenkit_connectors.naming import RUN_COLUMN


class PlaceOptions(BaseModel):
    """Where a table is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: LocalPath | None = Field(None, description="The table's folder.")
    url: str | None = Field(None, description="In place of a path: s3://, gs://, az://, abfss://.")
    storage_options: dict[str, SecretStr] = Field(
        default_factory=dict, description="What the object store needs, as delta-rs takes it."
    )


class SourceOptions(PlaceOptions):
    """A table to read."""

    version: int | None = Field(None, ge=0, description="The version; the newest by default.")


class SinkOptions(PlaceOptions):
    """A table to write."""

    run_column: str = Field(
        RUN_COLUMN, min_length=1, description="The column of append that names a row's run."
    )
