"""The documents of metadata beside tokens, found again."""

from pathlib import Path

from tokenkit.errors import JobError, translated
from tokenkit.jobs.aside import refusing
from tokenkit.jobs.connectors import TextOptions, format_of, suffix_of
from tokenkit.jobs.connectors.remote import AnyFile
from tokenkit.jobs.connectors.sidecar import read_sidecar


def document_of(path: AnyFile) -> bytes | str | None:
    """Give the document of a file, unread and not to be trusted; None if it has none.

    Raises
    ------
    JobError, InputError
        If the file can't be read.
    """
    if isinstance(path, Path) and not path.is_file():
        return None
    with translated(), refusing(str(path)):
        try:
            found = format_of(path)
            if found.sink(suffix_of(path) or "", TextOptions()).metadata_beside:
                return read_sidecar(path)
            return found.source(path, TextOptions()).metadata
        except JobError:
            return None
