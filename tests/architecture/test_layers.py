"""Which layer may import which; read from the source, so imports inside functions count too."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "tokenkit"

# Lowest first: a layer imports from itself and from layers that stand before it.
LAYERS = (
    "errors",
    "keys",
    "schemes",
    "policy",
    "engines",
    "hazmat",
    "lineage",
    "jobs",
    "store",
    "access",
    "batches",
    "service",
    "dagster",
    "cli",
    "client",
    "testing",
)
TOUCH_NATIVE = {"keys", "engines", "hazmat"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


class Import(NamedTuple):
    """An import of something of ours, and whether it waits for a call or is for types alone."""

    module: str
    line: int
    target: str
    deferred: bool
    types_only: bool


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    """The second part of a module's name; the package itself has none."""
    return module.split(".")[1] if "." in module else ""


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert not node.level, "imports are absolute"
    assert node.module is not None
    if node.module == "tokenkit":
        return [f"tokenkit.{alias.name}" for alias in node.names]
    return [node.module]


def imports(path: Path) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, deferred: bool, types_only: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend(
                Import(module_of(path), node.lineno, target, deferred, types_only)
                for target in targets(node)
                if target.split(".")[0] == "tokenkit"
            )
        deferred = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        types_only = types_only or is_type_checking(node)
        for child in ast.iter_child_nodes(node):
            visit(child, deferred, types_only)

    visit(ast.parse(path.read_text(encoding="utf-8")), deferred=False, types_only=False)
    return found


ALL_IMPORTS = [found for path in SOURCES for found in imports(path)]


def shown(found: Import) -> str:
    return f"{found.module}, line {found.line}: {found.target}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_module_belongs_to_a_layer(path):
    """No module stands beside the layers, where the rules wouldn't reach it."""
    layer = layer_of(module_of(path))
    assert not layer or layer in LAYERS


def test_no_layer_imports_a_higher_one():
    """A layer imports only from itself and lower ones; `client` knows the errors alone."""
    wrong = []
    for found in ALL_IMPORTS:
        layer, target = layer_of(found.module), layer_of(found.target)
        if not layer or target in {"_native", layer}:
            continue
        known = {"errors"} if layer in {"client", "errors"} else set(LAYERS[: LAYERS.index(layer)])
        # The package as a whole imports every layer, so nothing in it may import the package.
        if target not in known:
            wrong.append(shown(found))
    assert wrong == []


def test_only_three_layers_touch_the_native_module():
    """Key bytes and columns go through keys, engines and hazmat; nothing else reaches below."""
    touching = [
        found
        for found in ALL_IMPORTS
        if found.target.split(".")[:2] == ["tokenkit", "_native"] and not found.types_only
    ]
    assert touching, "the layers that touch the native module were not found at all"
    assert [shown(f) for f in touching if layer_of(f.module) not in TOUCH_NATIVE] == []


def test_the_command_line_imports_layers_only_when_a_command_runs():
    """`tokenkit --help` loads the command line and the errors, and nothing below."""
    eager = [
        shown(found)
        for found in ALL_IMPORTS
        if layer_of(found.module) == "cli"
        and layer_of(found.target) not in {"cli", "errors"}
        and not (found.deferred or found.types_only)
    ]
    assert eager == []


def test_imports_inside_functions_are_seen(tmp_path, monkeypatch):
    """The rules above can't be got around by importing late."""
    package = tmp_path / "tokenkit"
    (package / "keys").mkdir(parents=True)
    module = package / "keys" / "late.py"
    module.write_text("def f():\n    from tokenkit.cli import app\n    import tokenkit.jobs.run\n")
    monkeypatch.setitem(globals(), "PACKAGE", package)
    assert [(f.target, f.deferred) for f in imports(module)] == [
        ("tokenkit.cli", True),
        ("tokenkit.jobs.run", True),
    ]
