"""What job files say of Delta Lake."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tokenkit_connectors.naming import RUN_COLUMN


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str = Field(min_length=1, description="The table's folder: a path, s3://, gs://, az://.")
    storage_options: dict[str, SecretStr] = Field(
        default_factory=dict, description="What the object store needs, as delta-rs takes it."
    )


class SourceOptions(_Options):
    """A table to read."""

    version: int | None = Field(None, ge=0, description="The version; the newest by default.")


class SinkOptions(_Options):
    """A table to write."""

    run_column: str = Field(
        RUN_COLUMN, min_length=1, description="The column of append that names a row's run."
    )
