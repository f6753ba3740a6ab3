"""The keyring that a command works with, and how it ends when it's told to."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tokenkit.keys import Keyring

_TERMINATED = 128 + signal.SIGTERM


@contextlib.contextmanager
def opened(keyring: Path | None, kek: str | None) -> "Iterator[Keyring]":
    """Open the keyring that was named, or take the one that the environment names."""
    from tokenkit.keys import current_keyring, open_keyring
    from tokenkit.keys.current import configured_access

    with _termination_unwinds():
        if keyring is None:
            yield current_keyring()
        else:
            with open_keyring(keyring, kek or None, access=configured_access()) as ring:
                yield ring


def warn_of_rotations(ring: "Keyring") -> None:
    """Say on standard error which keys' cryptoperiods are over."""
    import typer

    now = datetime.now(UTC)
    for name in ring:
        due = ring[name].rotation_due
        if due is not None and due <= now:
            typer.echo(
                f"warning: {name} was due for rotation on {due:%Y-%m-%d}: "
                f"tokenkit keys rotate {ring.path or 'FILE'} {name}",
                err=True,
            )


@contextlib.contextmanager
def _termination_unwinds() -> Iterator[None]:
    """Let SIGTERM end the command like an interrupt does, so that temporary files are removed."""

    def unwind(_number: int, _frame: object) -> NoReturn:
        sys.exit(_TERMINATED)

    previous = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
