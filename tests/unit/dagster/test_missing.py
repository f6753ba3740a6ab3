"""Without Dagster."""

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["dagster"] = None
from tokenkit.errors import ConnectorMissing
import tokenkit
try:
    import tokenkit.dagster
except ConnectorMissing as error:
    print(error)
"""


def test_the_error_says_how_to_install_it():
    """Importing tokenkit needs no Dagster; its Dagster parts say which extra they need."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert "pip install 'tokenkit-vaultless[dagster]'" in done.stdout
