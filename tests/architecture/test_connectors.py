"""The connectors' distribution stands on tokenkit's public names, and loads no system early."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "connectors" / "tokenkit_connectors"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# What authors of connectors are told to use.
PUBLIC = {
    "tokenkit.errors",
    "tokenkit.jobs.connectors",
    "tokenkit.lineage",
    "tokenkit.lineage.naming",
}
SYSTEMS = {
    "adbc_driver_manager", "adbc_driver_postgresql", "deltalake", "duckdb", "psycopg", "sqlalchemy",
}  # fmt: skip


def shown(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_only_public_names_of_tokenkit_are_used(path):
    """A connector imports the few modules that authors are told of, and what they export."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wrong += [a.name for a in node.names if a.name.split(".")[0] == "tokenkit"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tokenkit":
            module = importlib.import_module(node.module or "")
            exported = getattr(module, "__all__", [n for n in vars(module) if n[0] != "_"])
            wrong += [a.name for a in node.names if a.name not in exported]
            wrong += [] if node.module in PUBLIC else [str(node.module)]
    assert wrong == []


def test_every_connector_is_found_and_loads_no_system():
    """The installed entry points are those of the distribution; loading them imports no package."""
    names = sorted(point.name for point in entry_points(group="tokenkit.connectors"))
    assert names == sorted(
        path.name for path in PACKAGE.iterdir() if (path / "options.py").exists()
    )
    code = (
        "import sys; from tokenkit.jobs.connectors import connector_names, find_connector\n"
        "found = [find_connector(name).name for name in connector_names()]\n"
        "assert found == connector_names(), found\n"
        f"print(sorted({SYSTEMS!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
