"""Where jobs read and write: one module a format."""

from pathlib import Path

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import csv, parquet
from tokenkit.jobs.connectors.protocol import Format, Sink, Source

FORMATS: tuple[Format, ...] = (csv.FORMAT, parquet.FORMAT)

__all__ = ["FORMATS", "Format", "Sink", "Source", "format_of"]


def format_of(path: Path) -> Format:
    """Find the format of a file by its suffix.

    Raises
    ------
    JobError
        If no format has that suffix.

    Examples
    --------
    >>> format_of(Path("customers.PARQUET")).name
    'parquet'
    """
    suffix = path.suffix.lower()
    for found in FORMATS:
        if suffix in found.suffixes:
            return found
    known = ", ".join(suffix for found in FORMATS for suffix in found.suffixes)
    raise JobError(
        "the name does not end in a known format", file=str(path), hint=f"names end in {known}"
    )
