"""Where a job writes: a file, a folder as a whole, one more file of a folder, or its partitions."""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from tokenkit.jobs.aside import AsideFile, already_there, flush_folder, refusing
from tokenkit.jobs.connectors import (
    TextOptions,
    sidecar_of,
    suffix_of,
)
from tokenkit.jobs.inputs import find_inputs
from tokenkit.jobs.job import Job
from tokenkit.jobs.outlets import FileOutlet, Outlet, PartitionOutlet, StagedOutlet, metadata_line
from tokenkit.jobs.staging import AsideFolder
from tokenkit.keys.strict_json import compact


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a job has written.

    Attributes
    ----------
    files
        How many files.
    fingerprint
        What changes when one of them does; None if there are none.
    metadata
        The document of metadata, where the store has to keep it, since the output can't.
    """

    files: int = 1
    fingerprint: str | None = None
    metadata: str | None = None

    @classmethod
    def of_files(cls, files: Sequence[Path]) -> Self:
        """Describe files, in the order of their names."""
        return cls(files=len(files), fingerprint=digest_of(map(_changing, files)))


class Target(Protocol):
    """Where a job writes. A context manager: what isn't published by its end is removed."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

    def outlet(self, relative: Path) -> Outlet:
        """Give the output for the input of that name."""

    def flush(self) -> int:
        """Flush everything to the disk; gives the size in bytes."""

    def extent(self) -> Extent:
        """Say what has been written, before it gets its name."""

    def publish(self) -> None:
        """Give what was written its name."""

    def is_published(self) -> bool:
        """Whether something of it has its name."""


class FileTarget:
    """One file, and its sidecar if its format has no place for metadata.

    With ``make_folder`` also the folder that it stands in.
    """

    def __init__(
        self, path: Path, text: TextOptions, *, replace: bool, make_folder: bool = False
    ) -> None:
        self.path = path
        self._replace = replace
        self._text = text
        self._make_folder = make_folder

    def __enter__(self) -> Self:
        folder = self.path.parent
        with refusing(folder), contextlib.ExitStack() as stack:
            if self._make_folder and not folder.exists():
                stack.callback(_remove_empty, folder)
                folder.mkdir()
            self._outlet = FileOutlet(self.path, self._text)
            stack.push(self._outlet.aside)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def outlet(self, relative: Path) -> "FileOutlet":
        """Give the file; whatever the input is named, there is one."""
        del relative
        return self._outlet

    def flush(self) -> int:
        """Flush the file to the disk."""
        return self.outlet(self.path).aside.flush()

    def extent(self) -> Extent:
        """Say what has been written, before it gets its name."""
        return Extent.of_files([self._outlet.aside.path])

    def publish(self) -> None:
        """Give the file its name.

        A sidecar comes first, so that no tokens ever lack theirs; an old output goes before that,
        so that it's never found beside metadata that isn't its own.
        """
        outlet = self.outlet(self.path)
        if not outlet.sink.metadata_beside:
            outlet.aside.publish(replace=self._replace)
            return
        sidecar = sidecar_of(self.path)
        with contextlib.ExitStack() as stack:
            beside: AsideFile | None = None
            if outlet.metadata is not None:
                # Written before anything is taken away: the disk may be full.
                beside = stack.enter_context(AsideFile(sidecar))
                with refusing(sidecar), beside.writer() as file:
                    file.write(metadata_line(outlet.metadata))
                beside.flush()
            with refusing(self.path):
                if self.path.exists():
                    if not self._replace:
                        raise already_there(self.path)
                    self.path.unlink()
                sidecar.unlink(missing_ok=True)
                flush_folder(self.path.parent)
            try:
                if beside is not None:
                    beside.publish(replace=True)
                outlet.aside.publish(replace=self._replace)
            except BaseException:
                if not self.is_published():
                    with contextlib.suppress(OSError):
                        sidecar.unlink()
                raise

    def is_published(self) -> bool:
        """Whether the file has its name."""
        return self._outlet.aside.is_published()


class FolderTarget:
    """A folder that holds one file for each input, and nothing else."""

    def __init__(self, path: Path, suffix: str | None, text: TextOptions, *, replace: bool) -> None:
        self.path = path
        self._suffix = suffix
        self._replace = replace
        self._text = text
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._aside = self._stack.enter_context(AsideFolder(self.path))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def outlet(self, relative: Path) -> "StagedOutlet":
        """Give the file for an input, under the same name below the folder."""
        path = self._aside.path / renamed(relative, self._suffix)
        with refusing(self.path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return StagedOutlet(path, self._text, self.path)

    def flush(self) -> int:
        """Flush every file to the disk."""
        return self._aside.flush()

    def extent(self) -> Extent:
        """Say what has been written, before it gets its name."""
        return Extent.of_files([file.path for file in find_inputs(self._aside.path)])

    def publish(self) -> None:
        """Swap the folder in."""
        if self.path.exists() and not self._replace:
            # Another job has made it meanwhile.
            raise already_there(self.path)
        self._aside.publish()

    def is_published(self) -> bool:
        """Whether the folder has its name."""
        return self._aside.is_published()


class PartitionTarget:
    """A folder of Hive partitions, of which those that get rows are replaced."""

    def __init__(
        self, path: Path, suffix: str, text: TextOptions, columns: tuple[str, ...], run: str
    ) -> None:
        self.path = path
        self._name = f"part-{run}{suffix}"
        self._text = text
        self._columns = columns
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._aside = self._stack.enter_context(AsideFolder(self.path))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def outlet(self, relative: Path) -> "PartitionOutlet":
        """Give all partitions at once."""
        del relative
        # Polars takes a path that isn't absolute for one below the folder.
        folder = self._aside.path.absolute()
        return PartitionOutlet(folder, self._name, self._text, self._columns)

    def flush(self) -> int:
        """Flush every file to the disk."""
        return self._aside.flush()

    def extent(self) -> Extent:
        """Say what has been written, before it gets its name."""
        return Extent.of_files([file.path for file in find_inputs(self._aside.path)])

    def publish(self) -> None:
        """Swap each partition in."""
        self._aside.publish_folders()

    def is_published(self) -> bool:
        """Whether a partition has its name."""
        return self._aside.is_published()


def target_of(job: Job, run: str, default_suffix: str) -> Target:
    """Choose how a job's target is written.

    Raises
    ------
    JobError
        If mode and target don't fit each other.
    """
    path = job.output_path
    suffix = job.output_format or default_suffix
    if job.mode == "replace":
        if is_folder(job):
            return FolderTarget(path, job.output_format, job.text, replace=job.replaces)
        return FileTarget(path, job.text, replace=job.replaces)
    if job.mode == "append":
        part = path / f"part-{run}{suffix}"
        return FileTarget(part, job.text, replace=True, make_folder=True)
    return PartitionTarget(path, suffix, job.text, job.partition_by, run)


def is_folder(job: Job) -> bool:
    """Whether a job writes a folder: one that is there, or a name without a known suffix."""
    path = job.output_path
    if job.mode != "replace":
        return True
    if path.exists():
        return path.is_dir()
    return isinstance(job.source, Path) and job.source.is_dir() and not path.suffix


def digest_of(files: Iterable[Iterable[object]]) -> str:
    """Digest the sizes and times of change of files, in their order.

    Nothing of what is in them, nor of their names: a digest of a small file of values could be
    found by trying.
    """
    return hashlib.sha256(compact({"files": [list(file) for file in files]})).hexdigest()


def _changing(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def renamed(relative: Path, suffix: str | None) -> Path:
    """Give the output's name for an input's: the same, with the output format's suffix.

    Examples
    --------
    >>> renamed(Path("2026/a.csv.gz"), ".parquet")
    PosixPath('2026/a.parquet')
    """
    if suffix is None:
        return relative
    known = suffix_of(relative) or ""
    return relative.with_name(relative.name[: len(relative.name) - len(known)] + suffix)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
