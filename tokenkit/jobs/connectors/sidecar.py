"""Sidecars: the metadata of files whose format has no place for it."""

from pathlib import Path

from tokenkit.jobs.connectors.remote import AnyFile

SUFFIX = ".tokenkit.json"
MOST_METADATA = 64 * 2**20


def sidecar_of(path: Path) -> Path:
    """Give the place of a file's sidecar.

    Examples
    --------
    >>> sidecar_of(Path("customers.csv")).name
    'customers.csv.tokenkit.json'
    """
    return path.with_name(path.name + SUFFIX)


def read_sidecar(path: AnyFile) -> bytes | None:
    """Read the sidecar of a file, if it has one."""
    if not isinstance(path, Path):
        return path.sidecar()
    try:
        with sidecar_of(path).open("rb") as file:
            return file.read(MOST_METADATA)
    except FileNotFoundError:
        return None
