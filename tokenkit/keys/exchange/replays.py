"""Which exchanges this user has imported into which keyring, so that none is imported twice.

One small file each in ``$XDG_STATE_HOME/tokenkit/exchanges`` (``~/.local/state`` without that
variable). Where that place can't be kept, the keyring itself still refuses to take back a version
that it destroyed, and an exchange still expires.
"""

import contextlib
import os
from pathlib import Path

from tokenkit.errors import ExchangeRefused, KeyringError
from tokenkit.keys import storage
from tokenkit.keys.exchange.document import Exchange
from tokenkit.keys.strict_json import written_moment


def check(exchange: Exchange, keyring_id: str) -> None:
    """Refuse an exchange that was imported into this keyring before.

    Raises
    ------
    ExchangeRefused
        If it was.
    """
    mark = _mark(exchange, keyring_id)
    if mark is not None and mark.exists():
        raise ExchangeRefused(
            "the exchange was imported into this keyring before, and is imported once",
            hint="tokenkit keys list shows its versions; for others, ask for a new export",
        )


def note(exchange: Exchange, keyring_id: str) -> None:
    """Remember an exchange that was imported."""
    mark = _mark(exchange, keyring_id)
    if mark is None:
        return
    # A mark that can't be made is one that the next process can't read either.
    with contextlib.suppress(OSError, KeyringError):
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        storage.create_private(mark, f"{written_moment(exchange.expires)}\n".encode())


def _mark(exchange: Exchange, keyring_id: str) -> Path | None:
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return folder / "tokenkit" / "exchanges" / f"{keyring_id}-{exchange.id}"
