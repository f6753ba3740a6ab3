"""Datasets as lineage names them: files, folders and tables that runs read and write."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Dataset:
    """A dataset by the naming rules of OpenLineage.

    Attributes
    ----------
    namespace
        The system that holds it: ``file``, ``s3://bucket``, ``postgres://host:5432`` ...
    name
        Where it is in there: an absolute path, an object's key, ``database.schema.table``.

    Examples
    --------
    >>> str(Dataset("file", "/data/customers.parquet"))
    'file:/data/customers.parquet'
    """

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a dataset, and its type as Polars names it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetUse:
    """A dataset as one run found or left it.

    Attributes
    ----------
    dataset
        Which one.
    fields
        Its columns, in order.
    fingerprint
        What changes when one of its files does; None where it wasn't taken.
    files
        How many files it is made of.
    rows, bytes
        Its size; None if unknown.
    metadata
        The document that says how a table's tokens were made. Files carry their own.
    """

    dataset: Dataset
    fields: tuple[Field, ...]
    fingerprint: str | None = None
    files: int = 1
    rows: int | None = None
    bytes: int | None = None
    metadata: str | None = None
