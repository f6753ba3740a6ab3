"""A test that skips itself fails: nothing passes by not running."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\n\ndef test_a():\n    pytest.skip('no server')\n",
        "import pytest\n\n@pytest.mark.skip\ndef test_a():\n    pass\n",
        "import pytest\n\npytest.importorskip('no_such_module')\n\ndef test_a():\n    pass\n",
    ],
    ids=["while it runs", "by a marker", "while it is collected"],
)
def test_a_skip_is_a_failure(tmp_path, source):
    """pytest's exit code is the one of failure, however a test skips itself."""
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_skipping.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode not in {0, 5}, done.stdout
    assert "a test that cannot run fails here" in done.stdout


def test_an_expected_failure_stays_one(tmp_path):
    """`xfail` is no skip."""
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    source = "import pytest\n\n@pytest.mark.xfail\ndef test_a():\n    raise AssertionError\n"
    (tmp_path / "test_failing.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
