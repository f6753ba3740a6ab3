"""Where a passphrase, a PIN or an access token is read from: a variable, a file or the terminal."""

import getpass
import os
import sys
from pathlib import Path

from tokenkit.errors import KekNotConfigured, KeyProviderError

_MAX_FILE_BYTES = 65_536


class SecretSource:
    """A place that holds a secret. Only the place is ever shown.

    Parameters
    ----------
    source
        ``env:NAME``, ``file:PATH`` (one newline at the end doesn't count) or ``prompt`` (on a
        terminal only).
    what
        What the secret is, for people: ``"passphrase"``, ``"PIN"``, ...
    prompt
        What the terminal shows.

    Raises
    ------
    KeyProviderError
        If the source isn't one of these.

    Examples
    --------
    >>> SecretSource("env:HSM_PIN", what="PIN").describe()
    'env:HSM_PIN'
    """

    __slots__ = ("_kind", "_place", "_prompt", "_what")

    def __init__(self, source: str, *, what: str, prompt: str | None = None) -> None:
        kind, _, place = source.partition(":")
        if (kind, bool(place)) not in {("env", True), ("file", True), ("prompt", False)}:
            raise KeyProviderError(
                f"the {what} needs a source",
                hint=f"use env:NAME, file:PATH or prompt; the {what} itself never stands there",
            )
        self._kind = kind
        self._place = place
        self._what = what
        self._prompt = prompt or f"{what}: "

    @property
    def asks(self) -> bool:
        """Whether somebody types the secret."""
        return self._kind == "prompt"

    def describe(self) -> str:
        """Name the place."""
        return f"{self._kind}:{self._place}" if self._place else self._kind

    def read(self, *, twice: bool = False) -> bytes:
        """Read the secret; ``twice`` asks a second time, where somebody types a new one.

        Raises
        ------
        KekNotConfigured
            If there is none.
        """
        if self._kind == "env":
            found = self._from_environment()
        elif self._kind == "file":
            found = self._from_file()
        else:
            found = self._from_terminal(twice=twice)
        if not found:
            raise KekNotConfigured(f"the {self._what} from {self.describe()} is empty")
        return found

    def _from_environment(self) -> bytes:
        value = os.environ.get(self._place)
        if value is None:
            raise KekNotConfigured(
                f"the environment variable {self._place} that should hold the {self._what} "
                "is not set",
                hint=f"export {self._place}=..., or name another source: file:PATH or prompt",
            )
        return os.fsencode(value)

    def _from_file(self) -> bytes:
        try:
            with Path(self._place).open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "no path"
        else:
            if len(content) > _MAX_FILE_BYTES:
                raise KekNotConfigured(f"the {self._what} file {self._place} is larger than 64 KiB")
            return content.removesuffix(b"\r\n" if content.endswith(b"\r\n") else b"\n")
        raise KekNotConfigured(
            f"the {self._what} file {self._place} can't be read: {reason}",
            hint=f"write the {self._what} to that file, readable by you alone, or name another "
            "source",
        )

    def _from_terminal(self, *, twice: bool) -> bytes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise KekNotConfigured(
                f"the {self._what} can't be asked for: there is no terminal",
                hint="name a file:PATH or an env:NAME instead",
            )
        typed = None
        try:
            typed = getpass.getpass(self._prompt)
            again = getpass.getpass("The same again: ") if twice else typed
        except EOFError:
            again = None
        if typed is None or again is None:
            raise KekNotConfigured(f"no {self._what} was typed")
        if typed != again:
            raise KekNotConfigured("the two differ", hint="try again")
        return typed.encode("utf-8", "surrogateescape")
