"""The formats that there are: a module each in ``formats``."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import formats
from tokenkit.jobs.connectors.protocol import Format
from tokenkit.jobs.connectors.remote import AnyFile


@cache
def all_formats() -> tuple[Format, ...]:
    """List every format, by name.

    Examples
    --------
    >>> [found.name for found in all_formats()]
    ['csv', 'ipc', 'ndjson', 'parquet']
    """
    modules = (
        import_module(f"{formats.__name__}.{module.name}")
        for module in iter_modules(formats.__path__)
    )
    found = (module.FORMAT for module in modules if hasattr(module, "FORMAT"))
    return tuple(sorted(found, key=lambda each: each.name))


def suffix_of(path: AnyFile) -> str | None:
    """Give the suffix that says a file's format, in small letters.

    Examples
    --------
    >>> from pathlib import Path
    >>> suffix_of(Path("2024.customers.CSV.GZ"))
    '.csv.gz'
    """
    name = path.name.lower()
    ends = (suffix for found in all_formats() for suffix in found.suffixes if name.endswith(suffix))
    return max(ends, key=len, default=None)


def known_suffix(path: AnyFile) -> bool:
    """Say whether a file's name ends in a known format."""
    return suffix_of(path) is not None


def format_of(path: AnyFile) -> Format:
    """Find the format of a file by its suffix.

    Raises
    ------
    JobError
        If no format has that suffix.

    Examples
    --------
    >>> from pathlib import Path
    >>> format_of(Path("customers.PARQUET")).name
    'parquet'
    """
    suffix = suffix_of(path)
    for found in all_formats():
        if suffix in found.suffixes:
            return found
    known = ", ".join(suffix for found in all_formats() for suffix in found.suffixes)
    raise JobError(
        "the name does not end in a known format", file=str(path), hint=f"names end in {known}"
    )
