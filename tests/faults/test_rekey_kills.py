"""Jobs that are killed: what they leave behind, and what running them again makes of it."""

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import tokenkit as tk
from tokenkit.jobs import Job, run
from tokenkit.keys import create_keyring, edit_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.policy import Policy

POLICY = {"columns": {"id": {"scheme": "digits", "key": "people", "on_invalid": "seal"}}}
FILES = ("a.parquet", "b.csv", "c.arrow", "deep/d.csv", "deep/e.parquet", "f.ndjson")
# Imports take longer than the rekey, so the clock starts behind them.
CHILD = """
import sys
from pathlib import Path
import tokenkit.jobs.rekeying as rekeying
from tokenkit.keys import open_keyring
source, target = sys.argv[1:]
with open_keyring("keyring.json") as ring:
    request = rekeying.RekeyRequest(
        source=Path(source), target=Path(target) if target else None, keyring=ring)
    print("begun", flush=True)
    rekeying.rekey_files(request)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write files of tokens of the first version, and rotate their key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("PYTHONPATH", str(Path(tk.__file__).parents[1]))
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    with create_keyring("keyring.json", ["people"], provider) as ring:
        for number, name in enumerate(FILES):
            ids = [f"{number}{row:011}" for row in range(60_000)]
            rows = pl.DataFrame({"id": [*ids, "not digits", None, ""]})
            rows.write_parquet("rows.parquet")
            target = tmp_path / "old" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            policy = Policy.from_mapping(POLICY)
            source = Path("rows.parquet")
            run(
                Job(operation="tokenize", source=source, target=target, policy=policy, keyring=ring)
            )
    with edit_keyring("keyring.json") as ring:
        ring.rotate("people")
    return tmp_path


@contextlib.contextmanager
def begun(source: str, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a rekey, and wait until it has begun."""
    command = [sys.executable, "-c", CHILD, source, target]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        yield child


def finish(source: str, target: str) -> float:
    """Run a rekey to its end; gives the seconds behind its imports."""
    with begun(source, target) as child:
        start = time.perf_counter()
        assert child.wait(60) == 0
        return time.perf_counter() - start


def contents(folder: Path) -> dict[str, object]:
    """Read every file below a folder: bytes, or rows and metadata where bytes may differ."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix in {".parquet", ".arrow"}:
            rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ipc(path)
            found[name] = (rows["id"].to_list(), tk.read_metadata(path))
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize(("in_place", "kills"), [(False, 5), (True, 10)])
def test_a_killed_rekey_resumed_equals_an_undisturbed_one(folder, in_place, kills):
    """Killed at random moments and run again, files and metadata are as if nothing had been."""
    draw = random.Random()
    copies = iter(range(100))

    def copy() -> tuple[str, str, Path]:
        # Times of change are copied too, since a run's id depends on them.
        place = folder / f"copy{next(copies)}"
        shutil.copytree(folder / "old", place / "old")
        target = "" if in_place else str(place / "new")
        return str(place / "old"), target, Path(target or place / "old")

    source, target, place = copy()
    seconds = finish(source, target)
    undisturbed = contents(place)
    assert len(undisturbed) == len(FILES) + 3
    killed = 0
    for number in range(kills):
        source, target, place = copy()
        with begun(source, target) as child:
            time.sleep(seconds * (number + draw.random()) / kills)
            child.send_signal(signal.SIGKILL)
            killed += child.wait() == -signal.SIGKILL
        finish(source, target)
        assert contents(place) == undisturbed
        if not in_place:
            assert contents(Path(source)) == contents(folder / "old")
        shutil.rmtree(place.parent)
    assert killed >= kills // 2
