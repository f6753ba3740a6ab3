"""Jobs of every shape, and what may stand under final names while one is disturbed."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tokenkit.jobs import Job
from tokenkit.jobs.rejects import read_rejects
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

POLICY: dict[str, Any] = {
    "columns": {
        "id": {"scheme": "digits", "key": "people", "on_invalid": "reject"},
        "name": {"scheme": "text", "key": "people"},
    },
    "unlisted": "keep",
}
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
SIDECAR = ".tokenkit.json"
State = dict[str, str]
"""Files by their names, and what is in each."""


@dataclass(frozen=True)
class Shape:
    """A job whose output is disturbed.

    Attributes
    ----------
    name
        What it's called.
    source, target
        What is read and written.
    old
        Whether another run's output is there.
    options
        What else the job is told.
    """

    name: str
    source: str
    target: str
    options: Mapping[str, Any]
    old: bool = False

    def prepare(self, folder: Path, ring: Keyring, rows: int) -> None:
        """Write the input, and first another run's output where there is to be one."""
        if self.old:
            self._write(folder, rows // 2, start=rows)
            run_quietly(self.job(folder, ring, rejects="old"))
            old = folder / f"{self.target}.old.parquet"
            if old.exists() and self.options.get("mode") != "append":
                old.rename(folder / f"{self.target}.rejects.parquet")
        self._write(folder, rows, start=0)

    def job(self, folder: Path, ring: Keyring, rejects: str = "rejects") -> Job:
        """Give the job."""
        return Job(
            operation="tokenize",
            source=folder / self.source,
            target=folder / self.target,
            policy=Policy.from_mapping(POLICY),
            keyring=ring,
            rejects=folder / f"{self.target}.{rejects}.parquet",
            **self.options,
        )

    def command(self) -> list[str]:
        """Give the same as a command."""
        words = ["tokenize", self.source, "-o", self.target, "-p", "policy.yaml"]
        words += ["--rejects", f"{self.target}.rejects.parquet", "--json"]
        if mode := self.options.get("mode"):
            words += ["--mode", mode]
        for column in self.options.get("partition_by", ()):
            words += ["--partition-by", column]
        if suffix := self.options.get("output_format"):
            words += ["--format", suffix]
        return [*words, *(["--force"] if self.options.get("force") else [])]

    def _write(self, folder: Path, rows: int, start: int) -> None:
        source = folder / self.source
        if source.suffix:
            write(source, rows, start)
            return
        for number, name in enumerate(["a.parquet", "deep/b.parquet"]):
            write(source / name, rows // 2, start + number * rows)

    def unit(self, name: str) -> str:
        """Say with which other files a file appears and goes."""
        if name.startswith((f"{self.target}.rejects", f"{self.target}.old")):
            return name.partition("/")[0]
        if self.options.get("mode") == "partition":
            return name.rpartition("/")[0]
        if self.options.get("mode") == "append":
            return name.removesuffix(SIDECAR)
        return self.target


FORCE = {"force": True}
PARTITION = {"mode": "partition", "partition_by": ("country",), "force": True}
SHAPES = [
    Shape("csv", "in.csv", "out.csv", {}),
    Shape("csv over another", "in.csv", "out.csv", FORCE, old=True),
    Shape("parquet", "in.parquet", "out.parquet", {}),
    Shape("parquet over another", "in.parquet", "out.parquet", FORCE, old=True),
    Shape("folder", "in", "out", {"output_format": ".csv"}),
    Shape("append", "in.csv", "out", {"mode": "append"}, old=True),
    Shape("partitions over others", "in.parquet", "out", PARTITION, old=True),
]
MORE_SHAPES = [
    *SHAPES,
    Shape("append the first", "in.csv", "out", {"mode": "append"}),
    Shape("first partitions", "in.parquet", "out", {**PARTITION, "force": False}),
    Shape("folder over another", "in", "out", {"output_format": ".csv", **FORCE}, old=True),
]


def write(path: Path, rows: int, start: int) -> None:
    """Write rows, every tenth of which doesn't fit."""
    n = pl.int_range(start, start + rows, eager=True).alias("n")
    fits = (10**9 + pl.col("n")).cast(pl.String)
    frame = n.to_frame().select(
        id=pl.when(pl.col("n") % 10 == 7).then(pl.lit("none")).otherwise(fits),
        name=pl.format("Person {}", pl.col("n") % 100),
        country=pl.format("C{}", (pl.col("n") // 3 + start // 2) % 3),
        n=pl.col("n").cast(pl.String),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)


def run_quietly(job: Job) -> None:
    """Run a job that nothing disturbs."""
    from tokenkit.jobs import run

    run(job)


def temporary(folder: Path) -> list[str]:
    """List what stands under temporary names."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if any(TEMPORARY.fullmatch(part) for part in path.relative_to(folder).parts)
    )


def finals(folder: Path, shape: Shape, ring: Keyring) -> State:
    """Read every file of the output completely, and give a digest of what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        hidden = any(TEMPORARY.fullmatch(part) for part in Path(name).parts)
        if name.startswith(shape.target) and path.is_file() and not hidden:
            found[name] = digest(path, ring)
    return found


def digest(path: Path, ring: Keyring) -> str:
    """Give a digest of a file's content, rejected rows opened."""
    content = path.read_bytes()
    if path.name.endswith((".rejects.parquet", ".old.parquet")):
        rejects = read_rejects(path)
        opened = rejects.open(ring).hstack(rejects.places())
        content = (rejects.description.to_text() + opened.write_csv()).encode()
    elif path.suffix == ".parquet":
        metadata = pl.read_parquet_metadata(path).get("tokenkit", "")
        content = (metadata + pl.read_parquet(path, hive_partitioning=False).write_csv()).encode()
    return hashlib.sha256(content).hexdigest()


def check_whole(shape: Shape, found: State, old: State, new: State) -> None:
    """Check that each output is the old one or the new one, beside its own metadata and rejects."""
    units = {shape.unit(name) for name in {**found, **old, **new}}
    for unit in units:
        files, before, after = (_of(shape, unit, state) for state in (found, old, new))
        # Metadata comes before its tokens; alone, it describes nothing.
        alone = all(name.endswith(SIDECAR) for name in files)
        possible = [before, after, *([{}] if shape.options.get("force") else [])]
        known = files.items() <= after.items() or files.items() <= before.items()
        assert files in possible or (alone and known), unit
        rejects = f"{shape.target}.rejects.parquet"
        if files and files == after != before:
            assert found.get(rejects) == new[rejects], "tokens without their rejected rows"


def _of(shape: Shape, unit: str, state: State) -> State:
    return {name: content for name, content in state.items() if shape.unit(name) == unit}
