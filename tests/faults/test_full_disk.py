"""A real file system without space: a clear error, and nothing left."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.shapes import write

ROOT = Path(__file__).parents[2]
ROWS = 20_000
SCRIPT = """\
mount -t tmpfs -o size="$1",mode=700 tokenkit-test disk || exit 90
shift
"$@"
code=$?
find disk -mindepth 1 > left
umount disk
exit $code
"""
JOBS = {
    "csv": ["in.csv", "-o", "disk/out.csv"],
    "tsv": ["in.csv", "-o", "disk/out.tsv"],
    "csv.gz": ["in.csv", "-o", "disk/out.csv.gz"],
    "csv.zst": ["in.csv", "-o", "disk/out.csv.zst"],
    "parquet": ["in.parquet", "-o", "disk/out.parquet"],
    "arrow": ["in.parquet", "-o", "disk/out.arrow"],
    "ndjson": ["in.parquet", "-o", "disk/out.ndjson"],
    "folder": ["in", "-o", "disk/out"],
    "folder of csv": ["in", "-o", "disk/out", "--format", "csv"],
    "append": ["in.csv", "-o", "disk/out", "--mode", "append"],
    "partitions": "in.parquet -o disk/out --mode partition --partition-by country".split(),
    "rejects alone": ["in.csv", "-o", "out.csv", "--rejects", "disk/out.rejects.parquet"],
}


@pytest.fixture(scope="module")
def namespace():
    """Give the command that makes a mount namespace; this test can't do without."""
    if shutil.which("unshare") is None:
        pytest.fail("unshare is missing: sudo apt-get install util-linux")
    command = ["unshare", "--mount"]
    if os.geteuid():
        command += ["--user", "--map-root-user"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.fail("namespaces are refused: sudo sysctl -w kernel.unprivileged_userns_clone=1")
    return command


@pytest.fixture
def inputs(folder, keyring_file):
    """Write the inputs, outside of the small disk."""
    (folder / "disk").mkdir()
    for name in ("in.csv", "in.parquet", "in/a.parquet", "in/b.parquet"):
        write(folder / name, ROWS, 0)
    return folder


def on_a_disk(
    namespace: list[str], folder: Path, size: str, job: list[str]
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a job beside a disk of some size; give what came out, and what was left on it."""
    command = [sys.executable, "-m", "tokenkit.cli.app", "tokenize", *job, "-p", "policy.yaml"]
    done = subprocess.run(
        [*namespace, "sh", "-c", SCRIPT, "sh", size, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 90, f"tmpfs can't be mounted: {done.stderr}"
    return done, (folder / "left").read_text().split()


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_no_space_is_left(namespace, inputs, name):
    """Whatever is written, and wherever Polars is when it finds out."""
    before = sorted(inputs.iterdir())
    for size in ("16k", "64k"):
        done, left = on_a_disk(namespace, inputs, size, JOBS[name])
        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith("error: no space is left on the disk"), done.stderr
        assert "free some space" in done.stderr
        assert "Traceback" not in done.stderr
        assert left == []
        (inputs / "left").unlink()
        assert sorted(inputs.iterdir()) == before


@pytest.mark.slow
def test_every_size_is_enough_or_not(namespace, inputs):
    """As the disk grows, the job fails cleanly until everything fits, sidecar and all."""
    write(inputs / "in.csv", 300, 0)
    codes = []
    for pages in range(1, 16):
        done, left = on_a_disk(namespace, inputs, f"{4 * pages}k", JOBS["csv"])
        codes.append(done.returncode)
        if done.returncode:
            assert done.stderr.startswith("error: no space is left on the disk"), done.stderr
            assert left == []
        else:
            assert sorted(left) == [
                "disk/out.csv",
                "disk/out.csv.rejects.parquet",
                "disk/out.csv.tokenkit.json",
            ]
    assert sorted(codes, reverse=True) == codes
    assert set(codes) == {0, 1}


@pytest.mark.slow
def test_the_same_disk_takes_the_job_once_there_is_space(namespace, inputs):
    """A disk that is large enough gets the whole output."""
    done, left = on_a_disk(namespace, inputs, "32m", [*JOBS["csv"], "--json"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_read"] == ROWS
    assert len(left) == 3
