"""The documentation is true: its Python runs, its policies load, its commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer.main

from tokenkit.cli.app import app
from tokenkit.testing import write_customers

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(
    r"(?P<illustrative><!-- illustrative -->\n+)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#\s]+)(?:#[^)]*)?\)")
ENVIRONMENT = {
    "TOKENKIT_KEK": "passphrase:env:DOCS_PASSPHRASE",
    "DOCS_PASSPHRASE": "correct horse battery staple",
}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    language: str
    text: str
    illustrative: bool


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, found["language"], found["text"], found["illustrative"] is not None)
        for found in FENCE.finditer(text)
    ]


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


BLOCKS = [block for page in PAGES for block in blocks(page)]
PYTHON_PAGES = sorted({b.page for b in BLOCKS if b.language == "python" and not b.illustrative})
YAML_BLOCKS = [b for b in BLOCKS if b.language == "yaml" and not b.illustrative]


def test_the_blocks_were_found():
    """The checks below look at something."""
    assert ROOT / "README.md" in PYTHON_PAGES
    assert len(YAML_BLOCKS) > 0


@pytest.fixture(scope="module")
def keyring(tmp_path_factory):
    """A keyring file with the keys that the pages use."""
    path = tmp_path_factory.mktemp("keys") / "keyring.json"
    command = [sys.executable, "-m", "tokenkit.cli.app", "keys", "create", str(path)]
    keys = ["--key", "payments", "--key", "people"]
    subprocess.run([*command, *keys], env=os.environ | ENVIRONMENT, check=True, capture_output=True)
    return path


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=shown)
def test_python_runs(page, tmp_path, keyring):
    """A page's Python blocks run, one after the other, in a process of their own.

    They may count on a keyring, a policy and customers in the working folder.
    """
    (tmp_path / "keyring.json").write_bytes(keyring.read_bytes())
    write_customers(tmp_path / "customers.csv", 200, dirty=0)
    policy = ROOT / "examples" / "policy.yaml"
    (tmp_path / "policy.yaml").write_text(policy.read_text(encoding="utf-8"), encoding="utf-8")
    chosen = [b.text for b in blocks(page) if b.language == "python" and not b.illustrative]
    script = tmp_path / "page.py"
    script.write_text("\n".join(chosen), encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | ENVIRONMENT | {"TOKENKIT_KEYRING": "keyring.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_keys_are_handed_over(tmp_path):
    """The commands of docs/keys.md, from a new keyring to an imported keyset, run one by one."""
    page = ROOT / "docs" / "keys.md"
    upto = page.read_text(encoding="utf-8").partition("\n## Opened for tokenizing only")[0]
    environment = dict(os.environ)
    ran = set()
    for found in FENCE.finditer(upto):
        for line in found["text"].splitlines() if found["language"] == "console" else ():
            words = shlex.split(line)
            if words[0] == "export":
                environment |= dict(word.split("=", 1) for word in words[1:])
                continue
            start = [sys.executable, "-m", "tokenkit.cli.app"] if words[0] == "tokenkit" else []
            done = subprocess.run(
                [*start, *words[1:]] if start else words,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            ran.add(" ".join(words[:3]))
    assert {"tokenkit keys export", "tokenkit keys import", "openssl genpkey -algorithm"} <= ran


@pytest.mark.parametrize("number", range(len(YAML_BLOCKS)))
def test_policies_and_job_files_load(number, tmp_path):
    """Every YAML block is a policy or a job file that loads."""
    from tokenkit.jobs.job_file import read_job_file
    from tokenkit.policy import load_policy

    text = YAML_BLOCKS[number].text
    path = tmp_path / "block.yaml"
    path.write_text(text, encoding="utf-8")
    is_job = re.search(r"^source:", text, re.MULTILINE) is not None
    (read_job_file if is_job else load_policy)(path)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page):
    """Links to files of the project lead to files that are there."""
    targets = [found["target"] for found in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_make_commands_are_targets():
    """Every `make X` of a page is a target of the Makefile that `make help` lists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    named = {
        name
        for page in PAGES
        for name in re.findall(
            r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert {"demo", "test"} <= named
    assert named <= targets


def leaves(command: Any, words: list[str]) -> list[tuple[list[str], Any]]:
    """Every command below one, with its words."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(words, command)]
    return [found for name, child in below.items() for found in leaves(child, [*words, name])]


COMMANDS = leaves(typer.main.get_command(app), ["tokenkit"])


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(w) for w, _ in COMMANDS])
def test_commands_are_documented(words, command):
    """Every command, and each of its options, appears in docs/cli.md."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert " ".join(words) in page
    options = [o for p in command.params for o in p.opts if o.startswith("--") and o != "--help"]
    assert [option for option in options if f"`{option}" not in page] == []


def test_documented_commands_exist():
    """Every `tokenkit ...` that a page shows in a console block is a command."""
    known = {" ".join(words) for words, _ in COMMANDS}
    used = {
        line.strip()
        for block in BLOCKS
        if block.language == "console" and not block.illustrative
        for line in block.text.splitlines()
        if line.startswith("tokenkit ")
    }
    assert used
    unknown = [line for line in used if not any(f"{line} ".startswith(f"{k} ") for k in known)]
    assert unknown == []
