"""The highest generation of each keyring that this user has seen, so that none goes back unnoticed.

One small file per keyring in ``$XDG_STATE_HOME/tokenkit/generations`` (``~/.local/state`` without
that variable), named by the keyring's id. A place that can't be read or written holds no marks: a
container without a home sees every keyring for the first time, and pins are the means there.
"""

import contextlib
import re
from pathlib import Path

from tokenkit.errors import KeyringError, KeyringExists, KeyringOutdated
from tokenkit.keys import storage
from tokenkit.keys.state_folder import state_folder

_WRITTEN = re.compile(rb"[1-9][0-9]{0,18}\n")


def check(path: Path, keyring_id: str, generation: int) -> None:
    """Refuse a file that is older than one seen before; remember one that is newer.

    Raises
    ------
    KeyringOutdated
        If the file's generation is below the highest one seen.
    KeyringError
        If the mark is damaged.
    """
    mark = _mark(keyring_id)
    seen = 0 if mark is None else _seen(mark)
    if generation < seen:
        raise KeyringOutdated(
            f"{path} is generation {generation} of its keyring, and generation {seen} was here "
            "before: it was replaced by an older file",
            hint="restore the newer file; if going back is meant: "
            f"tokenkit keys inspect {path} --accept-older",
        )
    if generation > seen:
        note(keyring_id, generation)


def note(keyring_id: str, generation: int) -> None:
    """Remember a generation, if it's the highest so far."""
    _write(keyring_id, generation, lower=False)


def accept(keyring_id: str, generation: int) -> None:
    """Take a generation for the highest, even if a higher one was seen."""
    _write(keyring_id, generation, lower=True)


def _mark(keyring_id: str) -> Path | None:
    folder = state_folder("generations")
    return None if folder is None else folder / keyring_id


def _seen(mark: Path) -> int:
    try:
        content = mark.read_bytes()
    except OSError:
        return 0
    if _WRITTEN.fullmatch(content) is None:
        raise KeyringError(
            f"the record of the keyring's highest generation is damaged: {mark}",
            hint="remove that file, once you know that the keyring is the newest",
        )
    return int(content)


def _write(keyring_id: str, generation: int, *, lower: bool) -> None:
    mark = _mark(keyring_id)
    if mark is None:
        return
    content = b"%d\n" % generation
    # A mark that can't be made is one that the next process can't read either.
    with contextlib.suppress(OSError, KeyringError):
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(KeyringExists):
            storage.create(mark, content)
            return
        with storage.exclusive(mark) as locked:
            if lower or generation > _seen(mark):
                locked.replace(content)
