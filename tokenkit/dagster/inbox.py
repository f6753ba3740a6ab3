"""Inboxes: folders into which files are put, each to be done once.

A file's key is its name and a digest of its name, size and time of change. So a file that takes
another's place has another key, and a key says which file was meant.
"""

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tokenkit.dagster.witness import replaced
from tokenkit.errors import InputNotFound
from tokenkit.jobs.aside import refusing
from tokenkit.jobs.inputs import is_data
from tokenkit.jobs.targets import digest_of
from tokenkit.keys.strict_json import compact
from tokenkit.lineage.naming import storable

_DIGITS: Final = 16
# Dagster takes neither control characters nor three dots in the key of a partition.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f%/\\]|\.(?=\.\.)")
# Names of files have 255 bytes, and outputs are named after the key.
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class InboxFile:
    """A file of an inbox, as it was when it was looked at.

    Attributes
    ----------
    path
        Where it is.
    size, changed
        Its size in bytes, and when it was changed last, in nanoseconds.
    """

    path: Path
    size: int
    changed: int

    @property
    def key(self) -> str:
        """What names it, and changes when it does.

        Examples
        --------
        >>> InboxFile(Path("in/customers.csv"), 120, 1_700_000_000_000_000_000).key
        'customers.csv@322bf8c61370d7a2'
        """
        described = [storable(self.path.name), self.size, self.changed]
        digest = hashlib.sha256(compact({"file": described})).hexdigest()[:_DIGITS]
        return f"{_usable(self.path.name)}@{digest}"

    @property
    def fingerprint(self) -> str:
        """What a run record says of it as an input."""
        return digest_of([(self.size, self.changed)])


@dataclass(frozen=True, slots=True)
class Looks:
    """What earlier looks into an inbox have found, by key.

    Attributes
    ----------
    waiting
        Files that are to be there, unchanged, at the next look.
    taken
        Files that have been given to a run, as long as they stay.
    """

    waiting: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """Read a sensor's cursor; whatever isn't one counts as none.

        A file that has a run isn't given to a second one, even if every look is forgotten.

        Examples
        --------
        >>> Looks.read(Looks(frozenset({"a.csv@1"})).cursor).waiting, Looks.read("{").waiting
        (frozenset({'a.csv@1'}), frozenset())
        """
        try:
            found = json.loads(cursor or "{}")
            return cls(frozenset(found["waiting"]), frozenset(found["taken"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    @property
    def cursor(self) -> str:
        """Both lists, as a sensor's cursor."""
        return json.dumps({"waiting": sorted(self.waiting), "taken": sorted(self.taken)})

    def settled(self, files: list[InboxFile]) -> list[InboxFile]:
        """Give the files that stand there as they did at the last look, and aren't taken."""
        return [file for file in files if file.key in self.waiting - self.taken]

    def after(self, files: list[InboxFile], taken: frozenset[str]) -> "Looks":
        """Give what is to be known at the next look: of files that are gone, nothing."""
        there = frozenset(file.key for file in files)
        done = there & (self.taken | taken)
        return Looks(waiting=there - done, taken=done)


def look_into(folder: Path) -> list[InboxFile]:
    """List the files of an inbox, by name.

    Passed over are folders, names that begin with a dot or an underscore, sidecars, and names that
    don't end in a known format: so ``a.csv.part`` is none.

    Raises
    ------
    InputNotFound
        If there is no such folder.
    JobError
        If it can't be read.
    """
    with refusing(folder):
        if not folder.is_dir():
            raise InputNotFound(
                "there is no such inbox", file=str(folder), hint="make the folder, or mount it"
            )
        return sorted(_files(folder), key=lambda file: file.path.name)


def find(folder: Path, key: str) -> InboxFile:
    """Find the file of a key.

    Raises
    ------
    InputNotFound
        If it is gone, or another one is in its place.
    """
    for file in look_into(folder):
        if file.key == key:
            return file
    raise replaced()


def _files(folder: Path) -> Iterator[InboxFile]:
    for path in folder.iterdir():
        if not is_data(path):
            continue
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield InboxFile(path, found.st_size, found.st_mtime_ns)


def _usable(name: str) -> str:
    shown = _UNUSABLE.sub(lambda one: f"%{ord(one[0]):02X}", storable(name))
    return shown.encode()[:_LONGEST].decode(errors="ignore")
