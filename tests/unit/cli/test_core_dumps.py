"""The command line leaves no core dump, which would hold keys and values."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
from tokenkit.cli import app
sys.argv = ["tokenkit", "--version"]
try:
    app.main()
finally:
    print(resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_core_dumps_are_off() -> None:
    """The limit is zero before any command runs."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "(0, 0)"
