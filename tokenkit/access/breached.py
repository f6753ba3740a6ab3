"""Passwords that attackers try first: the list that is shipped, and a larger one of one's own.

The shipped list holds the entries of at least eight characters of Django's list of common passwords
(20,000 by Royce Williams, from breached data; BSD-3-Clause, see ``data/LICENSE``). A larger list
is a file in the form of "Pwned Passwords": lines of ``SHA-1:COUNT``, sorted by the hash. It is
searched on disk, so that its size doesn't matter; nothing is asked of any server.
"""

import gzip
import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from tokenkit.errors import InvalidAccess

LIST_VARIABLE = "TOKENKIT_BREACHED_PASSWORDS"
"""The environment variable that names a larger list."""

BreachedList: TypeAlias = Callable[[str], bool]
"""Says of a password, in NFC, whether it is on a list."""

_HEX_DIGITS = 40
_LONGEST_LINE = 128


@cache
def _shipped() -> frozenset[str]:
    packed = files("tokenkit.access").joinpath("data", "common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split("\n")[:-1])


def is_common(password: str) -> bool:
    """Whether the shipped list has a password, in whatever case.

    Examples
    --------
    >>> is_common("Password1"), is_common("kettle paper otter moss")
    (True, False)
    """
    return password.casefold() in _shipped()


class HashList:
    r"""A file of sorted SHA-1 hashes of breached passwords, one a line.

    Raises
    ------
    InvalidAccess
        If the file can't be opened, or a line that is met isn't one of such a list: a list that
        can't be searched must not pass for one that has nothing.

    Examples
    --------
    >>> import hashlib, tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "hashes.txt"
    >>> hashes = sorted(hashlib.sha1(p).hexdigest().upper() for p in (b"secret", b"letmein"))
    >>> _ = path.write_text("".join(f"{each}:9\n" for each in hashes))
    >>> known = HashList(path)
    >>> known("secret"), known("unknown")
    (True, False)
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path
        self("")  # A list that can't be read fails where it is named, and not at a user's password.

    def __call__(self, password: str) -> bool:
        """Whether the list has the password; reads some 40 lines of the largest list."""
        # SHA-1 is the key of the published list, and keeps nothing secret here.
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            with self._path.open("rb") as file:
                low, high = 0, os.fstat(file.fileno()).st_size
                while low < high:
                    middle = (low + high) // 2
                    file.seek(max(middle - 1, 0))
                    if middle:
                        file.readline(_LONGEST_LINE)
                    start = file.tell()
                    line = file.readline(_LONGEST_LINE)
                    if not line or start >= high:
                        high = middle
                        continue
                    found = self._hash_of(line)
                    if found == wanted:
                        return True
                    if found < wanted:
                        low = start + len(line)
                    else:
                        high = middle
        except OSError as exc:
            reason = exc.strerror
        else:
            return False
        raise InvalidAccess(
            f"the list of breached passwords can't be read: {reason}",
            reason="breached_list",
            hint=f"let {LIST_VARIABLE} name a file that is there, or unset it",
        )

    @staticmethod
    def _hash_of(line: bytes) -> bytes:
        found = line[:_HEX_DIGITS].upper()
        try:
            complete = len(bytes.fromhex(found.decode())) * 2 == _HEX_DIGITS
        except ValueError:
            complete = False
        if not complete:
            raise InvalidAccess(
                "the list of breached passwords has a line that is no SHA-1 hash",
                reason="breached_list",
                hint="use the list that is ordered by hash, unpacked",
            )
        return found


def breached_lists() -> tuple[BreachedList, ...]:
    """Give the lists to look into: the shipped one, and the one that the environment names.

    Examples
    --------
    >>> any(known("iloveyou") for known in breached_lists())
    True
    """
    path = os.environ.get(LIST_VARIABLE)
    return (is_common, HashList(Path(path))) if path else (is_common,)
