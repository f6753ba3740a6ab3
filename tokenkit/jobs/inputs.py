"""Which files a job reads: a file, the files of a folder, or those that fit a pattern."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

from tokenkit.errors import InputError, InputNotFound
from tokenkit.jobs.aside import masked, refusing, walk
from tokenkit.jobs.connectors import Source, TextOptions, format_of, known_suffix, suffix_of
from tokenkit.jobs.connectors.remote import AnyFile
from tokenkit.jobs.inlets import Inlet

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""What Hive writes for null in a path."""
REJECTS_SUFFIX = ".rejects.parquet"
_WILD = frozenset("*?[")
_EDGE = 64 * 1024


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a job reads.

    Attributes
    ----------
    path
        Where it is.
    relative
        The way to it from the folder that was named; just its name if the file itself was.
    partition
        The columns that stand in its path, ``name=value`` as Hive writes them.
    shown
        ``relative`` for messages and records, with the values of partitions masked.
    """

    path: Path
    relative: Path
    partition: "MappingProxyType[str, str | None]" = field(
        default_factory=lambda: MappingProxyType({})
    )

    @property
    def shown(self) -> str:
        """The way to it, with the values of partitions masked."""
        return masked(self.relative)

    @property
    def file(self) -> AnyFile:
        """What a format reads."""
        return self.path

    @property
    def kind(self) -> str:
        """The name of its format."""
        return format_of(self.path).name

    @property
    def suffix(self) -> str:
        """What its name ends in."""
        return suffix_of(self.path) or ""

    @property
    def is_versioned(self) -> bool:
        """A file's fingerprint changes with it."""
        return True

    @property
    def size(self) -> int:
        """Its size in bytes."""
        with refusing(self.path):
            return self.path.stat().st_size

    def open(self, text: TextOptions) -> Source:
        """Open it far enough to know its columns."""
        with refusing(self.path):
            return format_of(self.path).source(self.path, text)

    def fingerprint(self) -> list[object]:
        """Give what changes when the file does: size, time of change, and a digest of both ends."""
        with refusing(self.path), self.path.open("rb") as file:
            state = os.fstat(file.fileno())
            digest = hashlib.sha256(file.read(_EDGE))
            if state.st_size > _EDGE:
                file.seek(max(_EDGE, state.st_size - _EDGE))
                digest.update(file.read(_EDGE))
        return [str(self.relative), state.st_size, state.st_mtime_ns, digest.hexdigest()]


def find_inputs(source: Path) -> list[InputFile]:
    """Find the files of a job's source, in the order of their names.

    Parameters
    ----------
    source
        A file, a folder or a pattern. In folders, names that begin with a dot or an underscore,
        sidecars, files of rejected rows and formats that aren't known are passed over.

    Raises
    ------
    InputNotFound
        If there is none.
    InputError
        If some files have columns in their path that others lack.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.csv", "a.csv", "_SUCCESS", "notes.txt"):
    ...         _ = Path(folder, name).write_text("x")
    ...     [file.shown for file in find_inputs(Path(folder))]
    ['a.csv', 'b.csv']
    """
    with refusing(source):
        if source.is_file():
            return [InputFile(source, Path(source.name))]
        if source.is_dir():
            return _checked(source, [_input(path, source) for path in _files(source)])
        if _WILD & set(str(source)):
            root = _root(source)
            found = root.glob(str(source.relative_to(root)))
            files = sorted(path for path in found if path.is_file() and is_data(path))
            return _checked(source, [_input(path, root) for path in files])
    raise InputNotFound("there is no such input file", file=str(source), hint="check the path")


def folder_of(source: Path) -> Path | None:
    """Give the folder that a job's source means, itself or by a pattern; None if it is a file."""
    if source.is_dir():
        return source
    return None if source.is_file() or not _WILD & set(str(source)) else _root(source)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in walk(folder):
        linked = next((name for name in folders if Path(place, name).is_symlink()), None)
        if linked is not None:
            # Following could go in circles, and passing over would lose rows.
            raise InputError(
                "a folder in it is a symbolic link, which isn't followed",
                file=masked(Path(place, linked)),
                hint="name the folder that it points to, or take the link away",
            )
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        yield from (Path(place, name) for name in sorted(names) if is_data(Path(place, name)))


def is_data(path: Path) -> bool:
    """Say whether a file's name is one of rows: not hidden, no sidecar, of a known format."""
    hidden = path.name.startswith((".", "_")) or path.name.endswith(REJECTS_SUFFIX)
    return not hidden and known_suffix(path)


def _root(pattern: Path) -> Path:
    """Give the folder that a pattern's first wildcard stands in."""
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if _WILD & set(part):
            break
        parts.append(part)
    return Path(*parts)


def _input(path: Path, root: Path) -> InputFile:
    relative = path.relative_to(root)
    return InputFile(path, relative, partition_of(relative))


def partition_of(relative: Path) -> "MappingProxyType[str, str | None]":
    """Give the columns that stand in a path, ``name=value`` as Hive writes them.

    Raises
    ------
    InputError
        If one stands there twice.
    """
    partition: dict[str, str | None] = {}
    for part in relative.parts[:-1]:
        name, equals, value = part.partition("=")
        if equals and name:
            if unquote(name) in partition:
                raise InputError(
                    "a column stands twice in the path",
                    file=masked(relative),
                    column=unquote(name),
                    hint="rename one of the folders",
                )
            partition[unquote(name)] = None if value == NULL_PARTITION else unquote(value)
    return MappingProxyType(partition)


def _checked(source: Path, files: list[InputFile]) -> list[InputFile]:
    if not files:
        raise InputNotFound(
            "there is no file of a known format",
            file=str(source),
            hint="check the path and the suffixes; names that begin with . or _ are passed over",
        )
    check_partitions(files)
    return files


def check_partitions(files: Sequence[Inlet]) -> None:
    """Refuse files of which some have columns in their path that others lack.

    Raises
    ------
    InputError
        If some do.
    """
    first = files[0]
    for file in files:
        if list(file.partition) != list(first.partition):
            raise InputError(
                "its path has other partition columns than the first file's",
                file=file.shown,
                hint="all files of a folder have the same NAME=VALUE folders above them",
            )
