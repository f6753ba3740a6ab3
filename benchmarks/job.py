"""The jobs: one column of three tokenized, beside the same job that only copies.

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
POLICIES = {
    "tokenize": "columns:\n  value: {scheme: digits, key: payments}\nunlisted: keep\n",
    "copy": "columns:\n  value: {action: keep}\nunlisted: keep\n",
    "reject": "columns:\n  value: {scheme: digits, key: payments, on_invalid: reject}\n"
    "unlisted: keep\n",
}
# Every how many rows a value of the dirty source doesn't fit: 3 %.
_DIRTY_EVERY = 33
PASSPHRASE = "BENCHMARKPASSPHRASE"


@dataclasses.dataclass(frozen=True)
class JobRun:
    """Medians of a kind of job over a number of rows: seconds, and the peak in bytes."""

    format: str
    kind: str
    rows: int
    wall: float
    cpu: float
    peak: int


def measure(rows: int, repeats: int = 3, suffix: str = "parquet") -> list[JobRun]:
    """Run the kinds of job in turns, then bring the tokens back and compare."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder:
        place = Path(folder)
        os.environ[PASSPHRASE] = os.urandom(16).hex()
        here(__spec__.name, "make", str(rows), folder, suffix)
        os.environ |= {
            "TOKENKIT_KEYRING": str(place / "keyring.json"),
            "TOKENKIT_KEK": f"passphrase:env:{PASSPHRASE}",
            # Runs are recorded as anybody's are, but not among the user's own.
            "TOKENKIT_DATABASE_URL": f"sqlite:///{place.absolute()}/tokenkit.db",
            "XDG_DATA_HOME": str(place / "data"),
        }
        for name, text in POLICIES.items():
            (place / f"{name}.yaml").write_text(text, encoding="utf-8")
        commands = {
            "Polars alone, copying": [
                *(sys.executable, "-m", __spec__.name, "polars", folder, suffix)
            ],
            "copy": _tokenkit(place, "source", "copy", suffix),
            "tokenize": _tokenkit(place, "source", "tokenize", suffix),
            "tokenize, proved": [*_tokenkit(place, "source", "tokenize", suffix), "--prove"],
            "tokenize, 3 % rejected": _tokenkit(place, "dirty", "reject", suffix),
        }
        found: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in commands}
        for _ in range(repeats):
            for kind, command in commands.items():
                found[kind].append(timed(command))
        here(__spec__.name, "verify", folder, suffix)
    return [
        JobRun(
            suffix,
            kind,
            rows,
            statistics.median(wall for wall, _, _ in runs),
            statistics.median(cpu for _, cpu, _ in runs),
            max(peak for _, _, peak in runs),
        )
        for kind, runs in found.items()
    ]


def _tokenkit(place: Path, source: str, policy: str, suffix: str) -> list[str]:
    files = [str(place / f"{source}.{suffix}"), "-o", str(place / f"{policy}.{suffix}")]
    arguments = ["tokenize", *files, "--force", "--policy", str(place / f"{policy}.yaml")]
    return [sys.executable, "-m", "tokenkit.cli.app", *arguments]


def here(module: str, *arguments: str) -> None:
    """Run a step of a module in a process of its own."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def timed(command: list[str]) -> tuple[float, float, int]:
    """Run a command; gives seconds, CPU seconds and the peak in bytes."""
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


def make(rows: int, place: Path, suffix: str) -> None:
    """Make the sources, and a keyring that opens at once, so that scrypt isn't measured."""
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks import inputs
    from tokenkit.keys import create_keyring
    from tokenkit.keys.providers.passphrase import PassphraseProvider

    provider = PassphraseProvider(f"env:{PASSPHRASE}", cost=2**10)
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
    source = pl.scan_parquet(place / "source.parquet")
    misfit = pl.when(pl.col("id") % _DIRTY_EVERY == 0).then(pl.lit("none given"))
    dirty = source.with_columns(misfit.otherwise(pl.col("value")).alias("value"))
    if suffix == "csv":
        source.sink_csv(place / "source.csv")
        dirty.sink_csv(place / "dirty.csv")
    else:
        dirty.sink_parquet(place / "dirty.parquet")


def copy_with_polars(place: Path, suffix: str) -> None:
    """Copy the source with Polars alone, which is what any job in it costs."""
    import polars as pl

    if suffix == "csv":
        # As text, since nothing else keeps every value as it's written.
        pl.scan_csv(place / "source.csv", infer_schema=False).sink_csv(place / "polars.csv")
    else:
        pl.scan_parquet(place / "source.parquet").sink_parquet(place / "polars.parquet")


def verify(place: Path, suffix: str) -> None:
    """Compare with what the command line brings back; and no token may equal its value."""
    import polars as pl

    from benchmarks.peers import require

    command = [sys.executable, "-m", "tokenkit.cli.app"]
    names = (f"source.{suffix}", f"tokenize.{suffix}")
    files = [str(place / name) for name in names]
    subprocess.run([*command, "verify", *files, "--quiet"], check=True)
    scan = pl.scan_parquet if suffix == "parquet" else pl.scan_csv
    source, tokens, kept, rejected = (
        scan(place / name).select("id", pl.col("value").cast(pl.String))
        for name in (*names, f"reject.{suffix}", f"dirty.{suffix}")
    )
    same = pl.concat([source.select(a="value"), tokens.select(b="value")], how="horizontal").select(
        (pl.col("a") == pl.col("b")).sum()
    )
    require(same.collect(engine="streaming").item() == 0, "a token")
    rows = rejected.filter(pl.col("id") % _DIRTY_EVERY != 0).select(pl.len()).collect().item()
    require(kept.select(pl.len()).collect().item() == rows, "the rejected rows")


def main() -> None:
    what, *arguments = sys.argv[1:]
    if what == "make":
        make(int(arguments[0]), Path(arguments[1]), arguments[2])
    elif what == "polars":
        copy_with_polars(Path(arguments[0]), arguments[1])
    else:
        verify(Path(arguments[0]), arguments[1])


if __name__ == "__main__":
    main()
