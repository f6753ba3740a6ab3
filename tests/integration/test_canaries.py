"""Marked values in every column come out nowhere but where the policy keeps them."""

import base64
import gzip
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import tokenkit as tk
from tests.integration.canaries import (
    INVALID,
    KEPT,
    REGION,
    VALID,
    Walk,
    cells,
    forms,
    rows,
    write,
)
from tokenkit.cli.app import app
from tokenkit.errors import TokenkitError
from tokenkit.jobs import Job, run
from tokenkit.jobs.aside import AsideFile
from tokenkit.jobs.staging import AsideFolder
from tokenkit.keys import create_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider
from tokenkit.policy import Policy

ROOT = Path(__file__).parents[2]
RUNNER = CliRunner()
SUFFIXES = ["csv", "csv.gz", "tsv", "ndjson", "parquet", "arrow"]
MODES = ["error", "null", "reject", "seal"]


def policy(mode: str) -> dict[str, Any]:
    """Tokenize four columns and one of the path, drop one, keep one."""
    rules = {"card": "credit-card", "ssn": "us-ssn", "account": "alphanumeric"}
    columns: dict[str, dict[str, Any]] = {
        name: {"scheme": scheme, "key": "people", "on_invalid": mode}
        for name, scheme in rules.items()
    }
    columns["email"] = {"scheme": "text", "key": "people"}
    return {
        "columns": {**columns, "tenant": {"action": "drop"}, "note": {"action": "keep"}},
        "unlisted": "keep",
    }


@pytest.fixture
def walk(monkeypatch, caplog):
    """Look at everything that is aside, too, just before it's published or removed."""
    found = Walk()
    caplog.set_level(logging.DEBUG)
    for kind in (AsideFile, AsideFolder):
        for name in ("flush", "__exit__"):
            monkeypatch.setattr(kind, name, looking_first(getattr(kind, name), found))
    yield found
    for record in caplog.records:
        found.look("log", f"{record.getMessage()} {record.args!r} {record.exc_info!r}")
    assert found.found == []
    assert found.seen > 0


def looking_first(method: Callable[..., Any], found: Walk) -> Callable[..., Any]:
    """Look at what is aside before it's gone."""

    def looking(self: Any, *arguments: Any) -> Any:
        paths = [self.path, *self.path.rglob("*")] if self.path.is_dir() else [self.path]
        for path in paths:
            found.file(path)
        return method(self, *arguments)

    return looking


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with a keyring; whatever else writes temporary files does it there."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("TMPDIR", "POLARS_TEMP_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "scratch"))
    monkeypatch.setenv("KEYRING_PASSPHRASE", "correct horse")
    monkeypatch.setenv("TOKENKIT_KEK", "passphrase:env:KEYRING_PASSPHRASE")
    monkeypatch.setenv("TOKENKIT_KEYRING", str(tmp_path / "keyring.json"))
    provider = PassphraseProvider("env:KEYRING_PASSPHRASE", cost=2)
    create_keyring("keyring.json", ["people"], provider).close()
    for mode in MODES:
        (tmp_path / f"{mode}.yaml").write_text(json.dumps(policy(mode)))
    return tmp_path


def tokenize(source: str, target: str, mode: str, walk: Walk, *more: str) -> int:
    """Run the command with a progress bar; give its exit code."""
    command = ["tokenize", source, "-o", target, "-p", f"{mode}.yaml", *more]
    done = RUNNER.invoke(app, command)
    walk.look("stdout", done.stdout)
    walk.look("stderr", done.stderr)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    walk.error(done.exception)
    return done.exit_code


def raised(source: str, target: str, mode: str, walk: Walk, folder: Path) -> bool:
    """Do the same from Python, and look at what is raised."""
    with tk.open_keyring(folder / "keyring.json") as ring:
        job = Job(
            operation="tokenize",
            source=folder / source,
            target=folder / target,
            policy=Policy.from_mapping(policy(mode)),
            keyring=ring,
        )
        try:
            walk.look("report", json.dumps(run(job).to_json()))
        except TokenkitError as exc:
            assert exc.__cause__ is exc.__context__ is None
            walk.error(exc)
            walk.look("report", getattr(exc, "report", None))
            return True
    return False


@pytest.fixture
def terminal(monkeypatch):
    """Let commands take standard error for a terminal, and show progress at once."""
    monkeypatch.setattr("tokenkit.cli.progress_bar._PATIENCE", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_every_format(folder, walk, suffix, mode):
    """Valid and invalid values, in every mode: files, reports, progress, errors and logs."""
    for kind, records in (("valid", [VALID]), ("dirty", [VALID, INVALID])):
        write(rows(*records), folder / "in" / f"{kind}.{suffix}")
        source = f"in/{kind}.{suffix}"
        refused = mode == "error" and kind == "dirty"
        code = tokenize(source, f"{kind}.{suffix}", mode, walk)
        assert code == (3 if refused else 0)
        assert tokenize(source, f"{kind}2.{suffix}", mode, walk, "--json") == code
        assert tokenize(source, f"{kind}.{suffix}", mode, walk, "--dry-run") == code
        assert raised(source, f"{kind}3.{suffix}", mode, walk, folder) == refused
        assert (folder / f"{kind}.{suffix}").exists() != refused
        for name in (f"{kind}.{suffix}", f"{kind}.{suffix}.rejects.parquet"):
            if (folder / name).exists():
                for command in (["inspect", name], ["inspect", name, "--json"]):
                    walk.look("inspect", RUNNER.invoke(app, command).output)
        if (folder / f"{kind}.{suffix}.rejects.parquet").exists():
            for command in (["rejects", "show"], ["rejects", "show", "--json"]):
                shown = RUNNER.invoke(app, [*command, f"{kind}.{suffix}.rejects.parquet"])
                walk.look("show", shown.output)
    walk.folder(folder)


def broken(suffix: str) -> dict[str, Callable[[bytes], bytes]]:
    """Give files of a format in which something is wrong beside a marked value."""
    good: Callable[[bytes], bytes] = gzip.decompress if suffix == "csv.gz" else bytes
    back: Callable[[bytes], bytes] = gzip.compress if suffix == "csv.gz" else bytes
    comma = b"\t" if suffix == "tsv" else b","
    card = INVALID["card"].encode()

    def text(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        return lambda content: back(change(good(content)))

    if suffix == "ndjson":
        return {
            "not JSON": lambda content: content + b'{"card": ' + card + b"oops\n",
            "a list": lambda content: content + b'{"card": ["' + card + b'"]}\n',
            "no text": lambda content: content + b'{"card": "' + card + b'\xff"}\n',
            "a surrogate": lambda content: content + b'{"card": "' + card + b'\\ud800"}\n',
        }
    if suffix in ("parquet", "arrow"):
        return {
            "cut short": lambda content: content[:-20],
            "half": lambda content: content[: len(content) // 2],
            "other bytes": lambda content: damaged(content, -60 if suffix == "arrow" else 40),
            "no such file": lambda content: b"PAR1" + card + b"PAR1",
        }
    found = {
        "ragged": text(lambda content: content + card + comma + card + b"\n"),
        "too long": text(lambda content: content + (card + comma) * 8 + b"\n"),
        "an open quote": text(lambda content: content + b'"' + card + comma * 5 + b"\n"),
        "a stray quote": text(lambda content: content + b'"' + card + b'"x' + comma * 5 + b"\n"),
        "no text": text(lambda content: content + card + b"\xff" + comma * 5 + b"\n"),
        "a doubled name": text(lambda content: content.replace(b"ssn", b"card", 1)),
        "no header": text(lambda content: content.partition(b"\n")[2]),
    }
    if suffix == "csv.gz":
        found["cut short"] = lambda content: content[:-12]
        found["another check sum"] = lambda content: content[:-8] + bytes(8)
    return found


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_malformed_files(folder, walk, suffix):
    """What is wrong with a file is said without anything that stands in it; nothing stays."""
    for number, (what, change) in enumerate(broken(suffix).items()):
        for mode in MODES:
            path = folder / "in" / f"{number}.{suffix}"
            write(rows(VALID, INVALID), path)
            path.write_bytes(change(path.read_bytes()))
            before = sorted(folder.iterdir())
            code = tokenize(f"in/{path.name}", f"out.{suffix}", mode, walk)
            failed = raised(f"in/{path.name}", f"out2.{suffix}", mode, walk, folder)
            assert (code, failed) == (1, True), what
            assert sorted(folder.iterdir()) == before
            walk.error(caught(partial(scan_all, path, policy(mode))))
    walk.folder(folder)


def scan_all(path: Path, fields: dict[str, Any]) -> pl.DataFrame:
    """Detokenize a file without metadata."""
    return tk.scan(path, fields).collect()


def damaged(content: bytes, place: int) -> bytes:
    """Change some bytes."""
    place %= len(content)
    return content[:place] + bytes(30) + content[place + 30 :]


def caught(action: Callable[[], object]) -> BaseException | None:
    """Give what is raised."""
    try:
        action()
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it's looked at
        return exc
    return None


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_values_in_paths(folder, walk, suffix, mode):
    """Partition values are tokenized in paths, and masked in errors, reports and rejected rows."""
    fields = policy(mode)
    fields["columns"]["region"] = {"scheme": "text", "key": "people"}
    (folder / f"{mode}.yaml").write_text(json.dumps(fields))
    records = [VALID] if mode == "error" else [VALID, INVALID]
    place = folder / "in" / f"region={REGION}"
    write(rows(*records), place / f"a.{suffix}")
    write(rows(*records), place / f"b.{suffix}")
    assert tokenize("in", "out", mode, walk) == 0
    assert tokenize("in", "out2", mode, walk, "--json") == 0
    assert tokenize("in", f"one.{suffix}", mode, walk, "--json") == 0
    assert tokenize("in/**/*", f"two.{suffix}", mode, walk, "--json") == 0
    walk.look("inspect", RUNNER.invoke(app, ["inspect", "in"]).output)
    broken_file = place / f"c.{suffix}"
    broken_file.write_bytes(b'card,note\n"' + VALID["card"].encode())
    assert tokenize("in", "out3", mode, walk) == 1
    assert raised("in", "out4", mode, walk, folder)
    assert tokenize("in/*/c*", "out5.csv", mode, walk) == 1
    for action in (lambda: tk.scan("in"), lambda: tk.read_metadata("in")):
        walk.error(caught(action))
    walk.look("inspect", RUNNER.invoke(app, ["inspect", "in"]).output)
    walk.folder(folder)


@pytest.mark.parametrize("mode", MODES)
def test_frames_and_plans(folder, walk, mode):
    """apply, tokenize, detokenize and scan: rejects, reports, plans and errors."""
    fields = policy(mode)
    dirty = rows(VALID, INVALID)
    with tk.open_keyring(folder / "keyring.json") as ring, tk.use_keyring(ring):
        for frame in (dirty, dirty.lazy(), dirty.to_arrow()):
            try:
                outcome = tk.apply(frame, fields, keyring=ring)
            except TokenkitError as exc:
                assert mode == "error"
                walk.error(exc)
                continue
            found = outcome.frame
            found = found.collect() if isinstance(found, pl.LazyFrame) else found
            found = found if isinstance(found, pl.DataFrame) else pl.DataFrame(found)
            walk.look("frame", b"\n".join(cells(found)), kept=True)
            walk.look("report", f"{outcome.report!r} {outcome.report.to_json()}")
            if outcome.rejects is not None:
                walk.look("rejects", b"\n".join(cells(outcome.rejects.rows.collect())))
                walk.look("rejects", f"{outcome.rejects!r} {outcome.rejects.description!r}")
                walk.look("plan", outcome.rejects.scan(ring).explain())
        walk.error(caught(lambda: tk.tokenize(dirty, fields)))
        walk.error(caught(lambda: tk.tokenize(dirty.lazy(), fields).collect()))
        walk.error(caught(lambda: tk.detokenize(dirty, fields)))
        write(rows(VALID), folder / "in" / "a.parquet")
        assert tokenize("in/a.parquet", "b.parquet", mode, walk) == 0
        plan = tk.scan("b.parquet")
        walk.look("plan", plan.explain() + plan.explain(optimized=False))
        walk.look("plan", f"{plan!r} {plan.serialize()!r}")
        assert plan.collect()["card"].to_list() == rows(VALID)["card"].to_list()
        # Values where tokens should be.
        tokens = pl.read_parquet("b.parquet").with_columns(card=pl.lit(INVALID["card"]))
        tokens.write_parquet("in/c.parquet", metadata=pl.read_parquet_metadata("b.parquet"))
        walk.error(caught(lambda: tk.scan("in/c.parquet").collect()))
    walk.folder(folder)


def test_a_terminal(folder, walk):
    """A process on a terminal of its own: what it draws, byte by byte."""
    write(rows(*[VALID, INVALID] * 500), folder / "in" / "a.csv")
    program = (
        "import tokenkit.cli.progress_bar as bar; bar._PATIENCE = 0.0; "
        "from tokenkit.cli.app import main; main()"
    )
    for mode, code in (("reject", 0), ("error", 3)):
        words = f"tokenize in/a.csv -o {mode}.csv -p {mode}.yaml".split()
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        drawn = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:
                # Linux says so when the other end is closed.
                break
            if not block:
                break
            drawn += block
        os.close(ours)
        assert process.wait() == code
        assert b"Tokenizing" in drawn
        walk.look("terminal", drawn)
    walk.folder(folder)


def test_the_walk_finds_what_it_looks_for(tmp_path):
    """Each form of a marked value is found, and the inputs hold them."""
    value = VALID["card"]
    for form in forms(value):
        found = Walk()
        found.look("x", b"before" + form + b"after")
        assert ("x", value) in found.found
    for shift in range(3):
        found = Walk()
        found.look("x", base64.b64encode(b"a" * shift + value.encode() + b"rest"))
        assert found.found
    for suffix in SUFFIXES:
        path = tmp_path / f"a.{suffix}"
        write(rows(VALID, INVALID), path)
        found = Walk()
        found.file(path)
        assert {value for _, value in found.found} >= {*VALID.values(), *INVALID.values()} - KEPT
