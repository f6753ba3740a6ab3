"""Which exchanges this user has imported into which keyring, so that none is imported twice.

One small file each in ``$XDG_STATE_HOME/tokenkit/exchanges`` (``~/.local/state`` without that
variable), until the exchange expires. Where that place can't be kept, the keyring itself still
refuses to take back a version that it destroyed, and an exchange still expires.
"""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from tokenkit.errors import ExchangeRefused, KeyringError
from tokenkit.keys import storage
from tokenkit.keys.exchange.document import Exchange
from tokenkit.keys.state_folder import state_folder
from tokenkit.keys.strict_json import MalformedError, moment, written_moment


def check(exchange: Exchange, keyring_id: str) -> None:
    """Refuse an exchange that was imported into this keyring before.

    Raises
    ------
    ExchangeRefused
        If it was.
    """
    mark = _mark(exchange, keyring_id)
    try:
        found = mark is not None and mark.lstat() is not None
    except OSError:
        # A place that can't be read holds no marks.
        found = False
    if found:
        raise ExchangeRefused(
            "the exchange was imported into this keyring before, and is imported once",
            hint="tokenkit keys list shows its versions; for others, ask for a new export",
        )


def note(exchange: Exchange, keyring_id: str) -> None:
    """Remember an exchange that was imported, and forget those that have expired."""
    mark = _mark(exchange, keyring_id)
    if mark is None:
        return
    # A mark that can't be made is one that the next process can't read either.
    with contextlib.suppress(OSError, KeyringError):
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        storage.create_private(mark, f"{written_moment(exchange.expires)}\n".encode())
        for other in mark.parent.iterdir():
            if _is_over(other):
                other.unlink(missing_ok=True)


def _is_over(mark: Path) -> bool:
    try:
        written = mark.read_text(encoding="ascii")
        return moment(written.removesuffix("\n"), "the mark") <= datetime.now(UTC)
    except (OSError, UnicodeDecodeError, MalformedError):
        return False


def _mark(exchange: Exchange, keyring_id: str) -> Path | None:
    folder = state_folder("exchanges")
    return None if folder is None else folder / f"{keyring_id}-{exchange.id}"
