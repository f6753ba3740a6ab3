"""The fields of a job file."""

from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

NAME: Final = r"^[a-z][a-z0-9_]{0,63}$"
Name: TypeAlias = Annotated[str, Field(pattern=NAME)]
"""Small letters, digits and underscores, as assets of pipelines are named."""


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FileSource(_Fields):
    """Files to read."""

    path: str = Field(
        description="A file, a folder, a pattern such as in/*.csv, or s3://bucket/key."
    )
    storage_options: dict[str, str] = Field(
        {}, description="What an object store has to be told: ${SECRETS} too.", repr=False
    )
    delimiter: str | None = Field(None, description="What stands between the fields of a text.")
    quote: str | None = Field('"', description="What stands around fields that need it.")
    encoding: str = Field("utf-8", description="The encoding of a text.")
    header: bool = Field(True, description="Whether the first record holds the columns' names.")
    names: tuple[str, ...] | None = Field(None, description="The columns' names.")
    types: dict[str, str] = Field({}, description="What columns of a text are: {amount: int64}.")


class FileSink(_Fields):
    """Files to write."""

    path: str = Field(description="A file, a folder, or s3://bucket/key.")
    storage_options: dict[str, str] = Field(
        {}, description="What an object store has to be told: ${SECRETS} too.", repr=False
    )
    format: str | None = Field(None, description="The format of files in a folder: parquet ...")
    mode: Literal["replace", "append", "partition"] = Field(
        "replace", description="Whether a folder is replaced, added to, or written by partitions."
    )
    partition_by: tuple[str, ...] = Field((), description="The columns that make the partitions.")


class TablePlace(_Fields):
    """A table that a connector reads or writes; the other fields are the connector's."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)
    connector: str = Field(description="The connector: postgresql, duckdb, delta ...")

    @property
    def options(self) -> dict[str, Any]:
        """What the connector is told."""
        return dict(self.__pydantic_extra__ or {})


class TableTarget(TablePlace):
    """A table that a connector writes."""

    mode: Literal["replace", "append"] = Field(
        "replace", description="Whether the table is replaced or added to."
    )


def _kind(place: object) -> str:
    if isinstance(place, dict):
        return "table" if "connector" in place else "files"
    return "table" if isinstance(place, TablePlace) else "files"


def _spelled_out(place: object) -> object:
    return {"path": place} if isinstance(place, str) else place


Source: TypeAlias = Annotated[
    Annotated[FileSource, Tag("files")] | Annotated[TablePlace, Tag("table")],
    Discriminator(_kind),
    BeforeValidator(_spelled_out),
]
Sink: TypeAlias = Annotated[
    Annotated[FileSink, Tag("files")] | Annotated[TableTarget, Tag("table")],
    Discriminator(_kind),
    BeforeValidator(_spelled_out),
]


class Options(_Fields):
    """How the job is done."""

    limit: int | None = Field(None, ge=0, description="Read only so many rows of each input.")
    overwrite: bool = Field(
        True, description="Replace what another run has left in the sink; false makes it an error."
    )
    prove: bool = Field(
        False, description="Record a keyed digest of each tokenized column, to check the output by."
    )


class DailyPartitions(_Fields):
    """A job that is done for each day, which ${PARTITION} names."""

    daily: date = Field(description="The first day.")


class InboxPartitions(_Fields):
    """A job that is done for each file of a folder, which ${FILE} names."""

    inbox: str = Field(description="The folder that files are put into.")


def _partitioning(partitions: object) -> str:
    if isinstance(partitions, dict):
        return "folder" if "inbox" in partitions else "days"
    return "folder" if isinstance(partitions, InboxPartitions) else "days"


Partitions: TypeAlias = Annotated[
    Annotated[DailyPartitions, Tag("days")] | Annotated[InboxPartitions, Tag("folder")],
    Discriminator(_partitioning),
]


class JobFields(_Fields):
    """A job file."""

    name: Name | None = Field(None, description="By default the file's name.")
    description: str = Field("", description="What the job is for.")
    operation: Literal["tokenize", "detokenize"] = Field(
        "tokenize", description="What is done with the columns."
    )
    source: Source = Field(description="What is read: a path, or a connector's table.")
    policy: str | dict[str, Any] | None = Field(
        None, description="The path of a policy file, or the policy itself."
    )
    sink: Sink = Field(description="What is written: a path, or a connector's table.")
    rejects: str | None = Field(None, description="Where rejected rows go, sealed.")
    options: Options = Field(Options(), description="How the job is done.")
    tags: dict[str, str] = Field({}, description="Labels for a pipeline.")
    owners: tuple[str, ...] = Field((), description="ann@example.org, or team:crm.")
    partitions: Partitions | None = Field(
        None,
        description="{daily: 2026-01-01}, or {inbox: FOLDER}: what it is done for, one by one.",
    )
    schedule: str | None = Field(None, description="When it is done, as cron says: 0 3 * * *")
