"""What files say of themselves: rows, columns, and who made their tokens."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tokenkit.errors import KeyringError, MetadataError, translated
from tokenkit.jobs.aside import refusing
from tokenkit.jobs.connectors import TextOptions, format_of
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.origins import found_files
from tokenkit.keys import Keyring
from tokenkit.policy import Metadata

Authenticity: TypeAlias = Literal["authentic", "not checked", "no metadata", "refused"]
"""Whether a file's metadata holds: its MACs do, there is no key to check them, or they don't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What :func:`inspect` found in one file.

    Attributes
    ----------
    file
        Its name, the values of partitions masked.
    format
        ``csv``, ``parquet``, ...
    rows
        How many there are, if the format says so.
    bytes
        The file's size.
    types
        The columns and their types.
    authenticity
        Whether its metadata holds.
    problem
        Why it doesn't, or can't be checked.
    run, policy
        The run that wrote it, and the digest of the run's policy.
    columns
        For each column of tokens: scheme, domain, key, version, and what else is recorded.
    """

    file: str
    format: str
    rows: int | None
    bytes: int
    types: Mapping[str, str]
    authenticity: Authenticity
    problem: str | None = None
    run: str | None = None
    policy: str | None = None
    columns: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Give the findings as plain values, for JSON."""
        return asdict(self)


def inspect(
    path: Path | ObjectPlace, *, keyring: Keyring | None = None, text: TextOptions | None = None
) -> list[Inspection]:
    """Say what files hold, without reading their rows.

    Parameters
    ----------
    path
        A file, a folder or a pattern; of an object store too.
    keyring
        Checks the metadata; without one it's only shown.
    text
        How text files are written.

    Raises
    ------
    InputNotFound, InputError
        If a file can't be read.
    """
    found = []
    for file in found_files(path):
        format_ = format_of(file.file)
        with translated(), refusing(str(file.file)):
            source = format_.source(file.file, text or TextOptions())
            size = file.size
        described = _described(source.metadata, keyring, format_.name)
        found.append(
            Inspection(
                file=file.shown,
                format=format_.name,
                rows=source.rows,
                bytes=size,
                types={name: str(dtype.base_type()) for name, dtype in source.schema.items()},
                **described,
            )
        )
    return found


def _described(document: bytes | str | None, keyring: Keyring | None, file: str) -> dict[str, Any]:
    if document is None:
        return {"authenticity": "no metadata", "columns": {}}
    try:
        metadata = Metadata.parse(document)
    except MetadataError as error:
        return {"authenticity": "refused", "problem": error.message, "columns": {}}
    said: dict[str, Any] = {
        "run": metadata.run or None,
        "policy": metadata.policy,
        "columns": {name: column.to_json() for name, column in metadata.columns.items()},
    }
    if keyring is None:
        return {**said, "authenticity": "not checked", "problem": "no keyring was given"}
    try:
        metadata.verify(keyring, file)
    except KeyringError as exc:
        return {**said, "authenticity": "not checked", "problem": exc.message}
    except MetadataError as exc:
        return {**said, "authenticity": "refused", "problem": exc.message}
    return {**said, "authenticity": "authentic"}
