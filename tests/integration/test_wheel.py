"""The wheel holds what an installed tokenkit needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_makes_and_upgrades_a_database(tmp_path):
    """Every Python file is in it, the migrations too, and a database is made from it alone."""
    subprocess.run(
        [sys.executable, "-m", "maturin", "build", "--release", "--quiet", "--out", tmp_path],
        cwd=ROOT,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    listed = subprocess.run(
        ["git", "ls-files", "--", "tokenkit/*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(listed.stdout.splitlines()) <= held
    # Their import names would collide with those of users.
    assert [name for name in held if name.startswith(("pipelines/", "tests/"))] == []
    code = (
        "import sys, tokenkit; from tokenkit.store.database import Database\n"
        "assert tokenkit.__file__.startswith(sys.argv[1]), tokenkit.__file__\n"
        "Database.open(f'sqlite:///{sys.argv[1]}/store.db').close()"
    )
    installed = tmp_path / "installed"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    subprocess.run(
        [sys.executable, "-c", code, installed], cwd=tmp_path, env=environment, check=True
    )
