"""Objects that a job reads."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tokenkit.errors import InputNotFound, JobError
from tokenkit.jobs.aside import masked
from tokenkit.jobs.connectors import Source, TextOptions, format_of, suffix_of
from tokenkit.jobs.inlets import Inlet
from tokenkit.jobs.inputs import check_partitions, is_data, partition_of
from tokenkit.jobs.objects.files import StoredFile, below, find
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.lineage.datasets import Dataset


@dataclass(frozen=True, slots=True)
class ObjectInlet:
    """An object as one input of a job.

    Attributes
    ----------
    file
        The object.
    relative
        The way to it from the prefix that was named; just its name if the object itself was.
    partition
        The columns that stand in its key, ``name=value`` as Hive writes them.
    """

    file: StoredFile
    relative: Path
    partition: Mapping[str, str | None]

    @property
    def shown(self) -> str:
        """The way to it, with the values of partitions masked."""
        return masked(self.relative)

    @property
    def kind(self) -> str:
        """The name of its format."""
        return format_of(self.relative).name

    @property
    def suffix(self) -> str:
        """What its name ends in."""
        return suffix_of(self.relative) or ""

    @property
    def is_versioned(self) -> bool:
        """An object's fingerprint changes with it."""
        return True

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.file.size

    def open(self, text: TextOptions) -> Source:
        """Open it far enough to know its columns."""
        return format_of(self.relative).source(self.file, text)

    def fingerprint(self) -> list[object]:
        """Give what changes when the object does: size, time of change, and its version."""
        file = self.file
        if file.now() != file:
            # Its columns were read from what was there before.
            raise JobError(
                "the input was changed while it was read; nothing was written",
                file=self.shown,
                hint="run the job again when nothing writes to it",
            )
        version = hashlib.sha256(file.version.encode()).hexdigest()
        return [str(self.relative), file.size, int(file.changed.timestamp() * 1e9), version]


@dataclass(frozen=True, slots=True)
class ObjectOrigin:
    """An object, the objects below a prefix, or those that fit a pattern."""

    place: ObjectPlace

    @property
    def shown(self) -> str:
        """The URL, without the values of partitions."""
        return self.place.shown

    @property
    def dataset(self) -> Dataset:
        """The object, or the prefix."""
        return self.place.dataset

    def inlets(self) -> Sequence[Inlet]:
        """Find the objects, in the order of their names."""
        return find_objects(self.place)


def find_objects(place: ObjectPlace) -> list[ObjectInlet]:
    """Find the objects of a job's source, in the order of their names.

    Parameters
    ----------
    place
        An object, a prefix or a pattern. Below prefixes, parts of a key that begin with a dot or an
        underscore, sidecars, rejected rows and formats that aren't known are passed over.

    Raises
    ------
    InputNotFound
        If there is none.
    InputError
        If some objects have columns in their key that others lack.
    ConnectorFailed
        If the store can't be reached, or refuses.
    """
    # As of a file: a name that is there wins over the pattern that it could be.
    if not place.is_prefix and (found := find(place)) is not None:
        return [ObjectInlet(found, Path(place.name), MappingProxyType({}))]
    fits = _fitting(place.key) if place.is_pattern else None
    start = len(place.prefix) + 1 if place.prefix else 0
    inlets = []
    for file in below(place):
        relative = Path(file.place.key[start:])
        hidden = any(part.startswith((".", "_")) for part in relative.parts)
        if is_data(relative) and (
            not hidden if fits is None else fits.fullmatch(file.place.key) is not None
        ):
            inlets.append(ObjectInlet(file, relative, partition_of(relative)))
    if not inlets:
        raise InputNotFound(
            "there is no object of that name, nor one of a known format below it",
            file=place.shown,
            hint="check the URL and the suffixes; names that begin with . or _ are passed over",
        )
    if place.is_pattern:
        inlets.sort(key=lambda inlet: inlet.relative.parts)
    else:
        inlets.sort(key=lambda inlet: _order(inlet.relative))
    check_partitions(inlets)
    return inlets


def _order(relative: Path) -> tuple[tuple[bool, str], ...]:
    """Order as folders are walked through: what is in one, before what is in those below it."""
    parts = relative.parts
    return tuple((place < len(parts) - 1, part) for place, part in enumerate(parts))


def _fitting(pattern: str) -> re.Pattern[str]:
    r"""Give the keys that a pattern means.

    Examples
    --------
    >>> bool(_fitting("in/**/*.csv").fullmatch("in/2026/11/a.csv"))
    True
    >>> bool(_fitting("in/*.csv").fullmatch("in/2026/a.csv"))
    False
    """
    found = ""
    parts = pattern.split("/")
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            found += ".*" if last else "(?:[^/]+/)*"
            continue
        for piece in re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL):
            if piece == "*":
                found += "[^/]*"
            elif piece == "?":
                found += "[^/]"
            elif len(piece) > 2 and piece[0] == "[":
                inside = piece[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
                found += f"(?!/)[{'^' + inside[1:] if inside[0] == '!' else inside}]"
            else:
                found += re.escape(piece)
        found += "" if last else "/"
    return re.compile(found, re.DOTALL)
