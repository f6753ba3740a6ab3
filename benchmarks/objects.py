"""Parquet into an object store: two columns of four tokenized, beside the same job that copies.

``python -m benchmarks.objects [ROWS] [REPEATS]`` starts moto's S3 in a process of its own and runs
the real command line against it, each run a process whose CPU seconds and peak memory the system
counts. moto keeps objects in memory or in temporary files, and shares the processor with the job:
what counts is the ratio, and that the peak stays where it is.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.job import PASSPHRASE, JobRun, here, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 5_000_000
_REPEATS = 3
_BUCKET = "bench"
_CHUNK_ROWS = 131_072
_PATIENCE = 60
POLICIES = {
    "copy": "columns: {}\nunlisted: keep\n",
    "tokenize": "columns:\n  value: {scheme: digits, key: payments}\n"
    "  other: {scheme: digits, key: payments, domain: other}\nunlisted: keep\n",
}


def measure(rows: int = _ROWS, repeats: int = _REPEATS) -> list[JobRun]:
    """Run the kinds of job in turns, then bring the tokens back and compare."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder, served() as endpoint:
        place = Path(folder)
        os.environ |= {
            PASSPHRASE: os.urandom(16).hex(),
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "TOKENKIT_KEYRING": str(place / "keyring.json"),
            "TOKENKIT_KEK": f"passphrase:env:{PASSPHRASE}",
            "TOKENKIT_DATABASE_URL": f"sqlite:///{place.absolute()}/tokenkit.db",
            "XDG_DATA_HOME": str(place / "data"),
        }
        here(__spec__.name, "make", str(rows), folder)
        for name, text in POLICIES.items():
            (place / f"{name}.yaml").write_text(text, encoding="utf-8")
        source = str(place / "source.parquet")
        commands = {
            "Polars alone, copying": [sys.executable, "-m", __spec__.name, "polars", source],
            **{name: _tokenkit(source, place / f"{name}.yaml", name) for name in POLICIES},
        }
        found: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in commands}
        for _ in range(repeats):
            for kind, command in commands.items():
                found[kind].append(timed(command))
        target = f"s3://{_BUCKET}/tokenize.parquet"
        command = [sys.executable, "-m", "tokenkit.cli.app"]
        subprocess.run([*command, "verify", source, target, "--quiet"], check=True)
    return [
        JobRun(
            "to S3",
            kind,
            rows,
            statistics.median(wall for wall, _, _ in runs),
            statistics.median(cpu for _, cpu, _ in runs),
            max(peak for _, _, peak in runs),
        )
        for kind, runs in found.items()
    ]


def _tokenkit(source: str, policy: Path, name: str) -> list[str]:
    target = f"s3://{_BUCKET}/{name}.parquet"
    arguments = ["tokenize", source, "-o", target, "--force", "--policy", str(policy)]
    return [sys.executable, "-m", "tokenkit.cli.app", *arguments]


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve moto's S3 with an empty bucket, and give its address."""
    command = [sys.executable, "-m", __spec__.name, "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            endpoint = server.stdout.readline().decode().strip()
            made = urllib.request.Request(f"{endpoint}/{_BUCKET}", method="PUT")
            urllib.request.urlopen(made, timeout=_PATIENCE).close()
            yield endpoint
        finally:
            server.terminate()


def serve() -> None:
    """Be the server, until the process is ended."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    while True:
        time.sleep(_PATIENCE)


def make(rows: int, place: Path) -> None:
    """Make the source, and a keyring that opens at once, so that scrypt isn't measured."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks import inputs
    from tokenkit.keys import create_keyring
    from tokenkit.keys.providers.passphrase import PassphraseProvider

    provider = PassphraseProvider(f"env:{PASSPHRASE}", cost=2**10)
    create_keyring(place / "keyring.json", ["payments"], provider).close()
    names = {"id": pa.int64(), "value": pa.string(), "other": pa.string(), "amount": pa.float64()}
    schema = pa.schema(list(names.items()))
    generator = np.random.default_rng()
    with pq.ParquetWriter(place / "source.parquet", schema) as writer:
        for start in range(0, rows, _CHUNK_ROWS):
            count = min(_CHUNK_ROWS, rows - start)
            columns = [
                pa.array(np.arange(start, start + count)),
                inputs.digit_strings(count),
                inputs.digit_strings(count),
                pa.array(generator.integers(0, 10**6, size=count) / 100),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def copy_with_polars(source: str) -> None:
    """Copy the source with Polars alone, whose own upload isn't withheld."""
    import polars as pl

    pl.scan_parquet(source).sink_parquet(f"s3://{_BUCKET}/polars.parquet", credential_provider=None)


def main() -> None:
    what, *arguments = sys.argv[1:] or [str(_ROWS)]
    if what == "serve":
        serve()
    elif what == "make":
        make(int(arguments[0]), Path(arguments[1]))
    elif what == "polars":
        copy_with_polars(arguments[0])
    else:
        for run in measure(int(what), *map(int, arguments)):
            sys.stdout.write(
                f"{run.kind}: {run.rows:,} rows, {run.wall:.2f} s, {run.cpu:.2f} CPU s, "
                f"{run.peak / 1e6:.0f} MB\n"
            )


if __name__ == "__main__":
    main()
