"""Copies of a keyring beside its file: what crashed saves and editors leave there."""

import contextlib
import re
from pathlib import Path

from tokenkit.errors import KeyringError, KeyringFormatError
from tokenkit.keys import storage
from tokenkit.keys.file import read_container


def remove_remains(path: Path) -> None:
    """Remove the temporary files of saves that never ended. The caller holds the lock."""
    remains = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{16}\.tmp")
    # What can't be removed now is tried again at the next save.
    with contextlib.suppress(OSError):
        for place in list(path.parent.iterdir()):
            if remains.fullmatch(place.name):
                with contextlib.suppress(OSError):
                    place.unlink()


def purge(path: Path, keyring_id: str) -> tuple[Path, ...]:
    """Remove older copies of the keyring from its folder, so that no destroyed key stays there.

    These are files whose name holds the keyring file's (``keyring.json.bak``, ``keyring.json~``)
    and whose content has the keyring's id.

    Returns
    -------
    tuple of Path
        What was removed.

    Raises
    ------
    KeyringError
        If a copy is there and can't be removed.
    """
    remove_remains(path)
    removed = []
    try:
        for place in sorted(path.parent.iterdir()):
            if path.name in place.name and place != path and _is_copy(place, keyring_id):
                place.unlink(missing_ok=True)
                removed.append(place)
    except OSError as exc:
        raise KeyringError(
            "the keyring was saved and the key version is gone from it, but a copy beside it can't "
            f"be removed: {exc.strerror or type(exc).__name__}",
            hint=f"remove older copies of {path} yourself",
        ) from None
    return tuple(removed)


def _is_copy(place: Path, keyring_id: str) -> bool:
    if place.is_symlink() or not place.is_file():
        return False
    try:
        return read_container(storage.read(place)).keyring_id == keyring_id
    except KeyringFormatError:
        return False
