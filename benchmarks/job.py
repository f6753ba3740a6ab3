"""The Parquet job: one column of three tokenized, beside the same job that only copies.

Every run is a process of its own, the real command line, whose CPU seconds and peak memory the
system counts. This module stays small in memory, since a child's peak includes its parent's.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Rows of a row group, about what Polars writes by default.
_CHUNK_ROWS = 131_072
_POLICIES = {
    "tokenize": "columns:\n  value: {scheme: digits, key: payments}\nunlisted: keep\n",
    "copy": "columns:\n  value: {action: keep}\nunlisted: keep\n",
}
_PASSPHRASE = "BENCHMARK_PASSPHRASE"


@dataclasses.dataclass(frozen=True)
class JobRun:
    """Medians of a kind of job over a number of rows: seconds, and the peak in bytes."""

    kind: str
    rows: int
    wall: float
    cpu: float
    peak: int


def measure(rows: int, repeats: int = 3) -> list[JobRun]:
    """Run the kinds of job in turns, then bring the tokens back and compare."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder:
        place = Path(folder)
        os.environ[_PASSPHRASE] = os.urandom(16).hex()
        _here("make", str(rows), folder)
        os.environ |= {
            "TOKENKIT_KEYRING": str(place / "keyring.json"),
            "TOKENKIT_KEK": f"passphrase:env:{_PASSPHRASE}",
        }
        for name, text in _POLICIES.items():
            (place / f"{name}.yaml").write_text(text, encoding="utf-8")
        commands = {
            "Polars alone, copying": [sys.executable, "-m", __spec__.name, "polars", folder],
            "copy": _tokenkit(place, "tokenize", "copy"),
            "tokenize": _tokenkit(place, "tokenize", "tokenize"),
        }
        found: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in commands}
        for _ in range(repeats):
            for kind, command in commands.items():
                found[kind].append(_timed(command))
        _here("verify", folder)
    return [
        JobRun(
            kind,
            rows,
            statistics.median(wall for wall, _, _ in runs),
            statistics.median(cpu for _, cpu, _ in runs),
            max(peak for _, _, peak in runs),
        )
        for kind, runs in found.items()
    ]


def _tokenkit(place: Path, command: str, policy: str) -> list[str]:
    files = [str(place / "source.parquet"), "-o", str(place / f"{policy}.parquet")]
    arguments = [command, *files, "--policy", str(place / f"{policy}.yaml")]
    return [sys.executable, "-m", "tokenkit.cli.app", *arguments]


def _here(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", __spec__.name, *arguments], check=True)


def _timed(command: list[str]) -> tuple[float, float, int]:
    target = command[command.index("-o") + 1] if "-o" in command else None
    if target is not None:
        Path(target).unlink(missing_ok=True)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.stderr.write(output.decode(errors="replace"))
        raise subprocess.CalledProcessError(process.returncode, command)
    kilobytes = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    return wall, usage.ru_utime + usage.ru_stime, kilobytes * 1024


def make(rows: int, place: Path) -> None:
    """Make the source, and a keyring that opens at once, so that scrypt isn't measured."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks import inputs
    from tokenkit.keys import create_keyring
    from tokenkit.keys.providers.passphrase import PassphraseProvider

    provider = PassphraseProvider(f"env:{_PASSPHRASE}", cost=2**10)
    create_keyring(place / "keyring.json", ["payments"], provider).close()
    fields = [("id", pa.int64()), ("value", pa.string()), ("amount", pa.float64())]
    schema = pa.schema(fields)
    generator = np.random.default_rng()
    with pq.ParquetWriter(place / "source.parquet", schema) as writer:
        for start in range(0, rows, _CHUNK_ROWS):
            count = min(_CHUNK_ROWS, rows - start)
            columns = [
                pa.array(np.arange(start, start + count)),
                inputs.digit_strings(count),
                pa.array(generator.integers(0, 10**6, size=count) / 100),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def copy_with_polars(place: Path) -> None:
    """Copy the source with Polars alone, which is what any job in it costs."""
    import polars as pl

    pl.scan_parquet(place / "source.parquet").sink_parquet(place / "polars.parquet")


def verify(place: Path) -> None:
    """Bring the tokens back with the command line, and compare column by column."""
    import polars as pl
    import pyarrow.parquet as pq

    from benchmarks.peers import require

    policy = str(place / "tokenize.yaml")
    files = [str(place / "tokenize.parquet"), "-o", str(place / "back.parquet")]
    command = [sys.executable, "-m", "tokenkit.cli.app", "detokenize", *files, "--policy", policy]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = ("source", "back", "copy", "tokenize")
    rows = [pq.read_metadata(place / f"{name}.parquet").num_rows for name in names]
    require(len(set(rows)) == 1, "the number of rows")
    for column in ("id", "value", "amount"):
        source, back, copy, tokens = (
            pl.read_parquet(place / f"{name}.parquet", columns=[column])[column] for name in names
        )
        require(source.equals(back), "the round trip")
        require(source.equals(copy), "the copy")
        if column == "value":
            require((source == tokens).sum() == 0, "a token")


def main() -> None:
    what, *arguments = sys.argv[1:]
    if what == "make":
        make(int(arguments[0]), Path(arguments[1]))
    elif what == "polars":
        copy_with_polars(Path(arguments[0]))
    else:
        verify(Path(arguments[0]))


if __name__ == "__main__":
    main()
