"""Files that no path leads to: what formats need of an object in an object store."""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias

import polars as pl

from tokenkit.errors import InputError


class RemoteFile(Protocol):
    """A file of an object store, as it was when it was found.

    Its text is its URL, for messages.
    """

    @property
    def name(self) -> str:
        """Its name, whose end says the format."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    @property
    def url(self) -> str | None:
        """What Polars scans; None if it can't reach the file by itself."""

    def storage_options(self) -> Mapping[str, str | int]:
        """Give what Polars has to know of the store: secrets among it."""

    def open(self) -> BinaryIO:
        """Open it to be read; reading fails if it was changed since it was found.

        Raises
        ------
        InputError
            When the store doesn't give a part of it.
        """

    def sidecar(self) -> bytes | None:
        """Read its sidecar, if it has one."""


AnyFile: TypeAlias = Path | RemoteFile
_OF_THE_STORE: Final = "object-store error"
"""How Polars' errors begin that come from a store and not from what is in a file."""


def size_of(file: AnyFile) -> int:
    """Give the size of a file in bytes."""
    return file.stat().st_size if isinstance(file, Path) else file.size


def refused_by_store(file: AnyFile, text: str) -> InputError | None:
    """Say that a store doesn't give a file, if an error of Polars says so; None if it doesn't."""
    if isinstance(file, Path) or _OF_THE_STORE not in text.lower():
        return None
    return InputError(
        "the object store can't be reached, or refuses to give the object",
        file=str(file),
        hint="check the credentials and the connection, and run the job again",
    )


def scan_arguments(file: AnyFile) -> dict[str, Any]:
    """Give what Polars' scans take: where the file is, and how it's reached.

    Raises
    ------
    InputError
        If Polars can't reach it by itself.
    """
    if isinstance(file, Path):
        return {"source": file, "glob": False}
    if file.url is None:
        raise InputError(
            "files of this format can't be read from there", file=str(file), hint="use Parquet"
        )
    options: dict[str, str | int] = dict(file.storage_options())
    if "retries" in signature(pl.scan_parquet).parameters:
        # Older versions of Polars take text alone.
        options = {name: str(value) for name, value in options.items()}
    return {
        "source": file.url,
        "glob": False,
        "storage_options": options,
        # What finds credentials for the writing side finds them here.
        "credential_provider": None,
    }
