"""Names, sizes and words of the source files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
# Put together here, so that this file doesn't name what it looks for.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("crates", "io"),
        ("npmjs", "org"),
        ("proxy", "golang", "org"),
        ("repo1", "maven", "org"),
        ("deb", "debian", "org"),
    ]
]
HOME_PATH = re.compile(r"(?<![\w.$)}/-])/(?:root|home|Users|work)/\w")
DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base", "core"}


def project_files() -> list[Path]:
    """What is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


FILES = project_files()
SOURCES = [path for path in FILES if path.suffix in {".py", ".pyi", ".rs"}]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_sources_were_found():
    """The checks below look at something."""
    assert {"tokenkit/errors/__init__.py", "native/algorithms/src/lib.rs"} <= set(
        map(shown, SOURCES)
    )


def test_no_module_is_a_drawer():
    """Modules are named for what they hold."""
    names = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert names & DRAWERS == set()


def test_files_stay_short():
    """No source file has more than 400 lines."""
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_no_file_names_a_registry_host_or_a_home_folder(path):
    """Nothing ties the project to a mirror or to a machine. Cargo.lock names its registry."""
    if path.name == "Cargo.lock" or path.suffix in {".gz", ".parquet"}:
        return
    text = path.read_text(encoding="utf-8")
    assert [host for host in REGISTRY_HOSTS if host in text] == []
    assert HOME_PATH.findall(text) == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=shown)
def test_requirements_are_pinned_with_hashes(path):
    """Every requirement has one version and hashes, and nothing says where to download it."""
    lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line.split()[0]
        assert "://" not in line


def test_the_oldest_polars_that_is_tested_is_the_one_that_is_claimed():
    """The floor of pyproject.toml is the version in requirements/oldest.txt."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    claimed = re.search(r'"polars>=([\d.]+),', project)
    pinned = re.search(
        r"^polars==(\S+)", (ROOT / "requirements" / "oldest.txt").read_text(), re.MULTILINE
    )
    assert claimed is not None
    assert pinned is not None
    assert claimed[1] == pinned[1]


def test_install_commands_name_the_right_distribution():
    """The bare name belongs to somebody else: nothing tells a user to install that."""
    bare = re.compile(r"pip install\s+[\"']?tokenkit(?![-\w])")
    texts = [path for path in FILES if path.suffix in {".py", ".md", ".rs", ".toml"}]
    assert [shown(path) for path in texts if bare.search(path.read_text(encoding="utf-8"))] == []
