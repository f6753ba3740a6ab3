"""``make demo``: a million customers tokenized from CSV to Parquet, brought back and compared.

Everything goes through the command line, as a user's would, and lands in build/demo.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import polars as pl
from rich.console import Console
from rich.table import Table

from tokenkit.testing import customers, write_customers

FOLDER = Path("build") / "demo"
POLICY = Path(os.path.relpath(Path(__file__).parent / "policy.yaml"))
SEED = 2026
TOKENIZED = ("email", "phone", "card", "ssn", "account")
DROPPED = "note"


class Step(NamedTuple):
    """What was done, in how many seconds, and how large the file is that came out."""

    title: str
    seconds: float
    output: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    console = Console()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    original, tokens = FOLDER / "customers.csv", FOLDER / "customers.parquet"
    restored = FOLDER / "restored.csv"
    # The passphrase lives as long as the demo; a real one would be in a secret store.
    os.environ["TOKENKIT_DEMO_PASSPHRASE"] = secrets.token_urlsafe(24)
    os.environ["TOKENKIT_KEK"] = "passphrase:env:TOKENKIT_DEMO_PASSPHRASE"
    os.environ["TOKENKIT_KEYRING"] = str(FOLDER / "keyring.json")
    os.environ["TOKENKIT_DATABASE_URL"] = f"sqlite:///{FOLDER.absolute()}/tokenkit.db"
    os.environ["XDG_DATA_HOME"] = str(FOLDER.absolute() / "data")

    start = time.perf_counter()
    write_customers(original, rows, seed=SEED)
    steps = [Step("make up customers", time.perf_counter() - start, original)]
    run(
        console,
        "keys",
        "create",
        str(FOLDER / "keyring.json"),
        "--key",
        "payments",
        "--key",
        "people",
    )
    # Detokenizing needs no policy: the Parquet file says how its tokens were made.
    for command, source, target, policy in [
        ("tokenize", original, tokens, ["--policy", str(POLICY)]),
        ("detokenize", tokens, restored, []),
    ]:
        start = time.perf_counter()
        run(console, command, str(source), "-o", str(target), *policy)
        steps.append(Step(command, time.perf_counter() - start, target))

    show_samples(console, original, tokens)
    same = compare(console, original, restored, rows)
    show_steps(console, steps, rows)
    if not same:
        console.print("The comparison failed.", style="bold red")
        sys.exit(1)


def run(console: Console, *arguments: str) -> None:
    """Run the real command, as the user's shell would."""
    console.print(f"$ tokenkit {' '.join(arguments)}", style="bold")
    command = [sys.executable, "-m", "tokenkit.cli.app", *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit(1)


def show_samples(console: Console, original: Path, tokens: Path) -> None:
    """Show a few rows before and after."""
    before = pl.read_csv(original, schema=customers(0).schema, n_rows=4)
    after = pl.read_parquet(tokens, n_rows=4)
    table = Table(title="Before and after", show_lines=True)
    columns = ("card", "ssn", "account", "email")
    for column in columns:
        table.add_column(column, overflow="fold")
    for old, new in zip(before.to_dicts(), after.to_dicts(), strict=True):
        table.add_row(*(f"{shown(old[c])}\n[green]{shown(new[c])}[/]" for c in columns))
    console.print(table)


def shown(value: object) -> str:
    text = "null" if value is None else str(value) or "(empty)"
    return text if len(text) < 34 else f"{text[:30]}..."


def compare(console: Console, original: Path, restored: Path, rows: int) -> bool:
    """Hold what came back against what went in, column by column.

    The customers are made once more without dirty values: where both differ, a null is what has to
    come back, and everywhere else the very same value.
    """
    schema = customers(0).schema
    given = pl.read_csv(original, schema=schema)
    clean = customers(rows, seed=SEED, dirty=0)
    found = pl.read_csv(
        restored, schema={name: dtype for name, dtype in schema.items() if name != DROPPED}
    )
    table = Table(title="What came back")
    for heading in ("column", "the same", "did not fit, now null", "wrong"):
        table.add_column(heading, justify="left" if heading == "column" else "right")
    total_wrong = abs(found.height - given.height)
    for column in found.columns:
        dirty = given[column].ne_missing(clean[column])
        same = int((given[column].eq_missing(found[column]) & ~dirty).sum())
        nulled = int((dirty & found[column].is_null()).sum())
        wrong = given.height - same - nulled
        total_wrong += wrong
        kept = "" if column in TOKENIZED else " (kept in clear)"
        counts = (same, nulled, wrong)
        table.add_row(column + kept, *(f"{count:,}" for count in counts))
    console.print(table)
    return total_wrong == 0


def show_steps(console: Console, steps: list[Step], rows: int) -> None:
    """Show what took how long. Processes start, and the keyring opens, within these times."""
    table = Table(title=f"{rows:,} customers")
    for heading in ("step", "seconds", "rows/s", "file", "MB"):
        table.add_column(heading, justify="left" if heading in {"step", "file"} else "right")
    for step in steps:
        size = step.output.stat().st_size / 1e6
        speed = f"{rows / step.seconds:,.0f}"
        table.add_row(step.title, f"{step.seconds:.2f}", speed, str(step.output), f"{size:,.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
