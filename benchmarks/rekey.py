"""Rekeying a Parquet file of 16-digit tokens, proof included, beside tokenizing it.

``python -m benchmarks.rekey [ROWS] [REPEATS]`` prints the CPU seconds of both jobs, each a process
of its own, and their ratio; issue the command on an idle machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.job import PASSPHRASE, POLICIES, here, timed

_ROWS = 10_000_000


def measure(rows: int, repeats: int) -> dict[str, list[float]]:
    """Run both jobs in turns; gives the CPU seconds of each run."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder:
        place = Path(folder)
        os.environ[PASSPHRASE] = os.urandom(16).hex()
        here("benchmarks.job", "make", str(rows), folder, "parquet")
        os.environ |= {
            "TOKENKIT_KEYRING": str(place / "keyring.json"),
            "TOKENKIT_KEK": f"passphrase:env:{PASSPHRASE}",
            # Runs are recorded as anybody's are, but not among the user's own.
            "TOKENKIT_DATABASE_URL": f"sqlite:///{place.absolute()}/tokenkit.db",
            "XDG_DATA_HOME": str(place / "data"),
        }
        (place / "tokenize.yaml").write_text(POLICIES["tokenize"], encoding="utf-8")
        source, old, new = (str(place / f"{name}.parquet") for name in ("source", "old", "new"))
        command = [sys.executable, "-m", "tokenkit.cli.app"]
        commands = {
            "tokenize": [
                *command,
                "tokenize",
                "--force",
                source,
                "-o",
                str(place / "again.parquet"),
                "--policy",
                str(place / "tokenize.yaml"),
            ],
            "rekey": [*command, "rekey", old, "-o", new, "--force"],
        }
        tokenize_old = [*commands["tokenize"]]
        tokenize_old[tokenize_old.index("-o") + 1] = old
        timed(tokenize_old)
        here("benchmarks.rekey", "rotate", str(place / "keyring.json"))
        found: dict[str, list[float]] = {kind: [] for kind in commands}
        for _ in range(repeats):
            for kind, words in commands.items():
                found[kind].append(timed(words)[1])
    return found


def rotate(keyring: str) -> None:
    """Give the key a second version."""
    from tokenkit.keys import edit_keyring

    with edit_keyring(keyring) as ring:
        ring.rotate("payments")


def main() -> None:
    """Measure and print, or do a step in a process of its own."""
    if sys.argv[1:2] == ["rotate"]:
        rotate(sys.argv[2])
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    found = {kind: statistics.median(runs) for kind, runs in measure(rows, repeats).items()}
    for kind, seconds in found.items():
        print(f"{kind}: {seconds:.2f} CPU seconds for {rows:,} rows")
    print(f"ratio: {found['rekey'] / found['tokenize']:.2f}")


if __name__ == "__main__":
    main()
