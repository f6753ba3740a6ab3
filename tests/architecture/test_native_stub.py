"""The stub of the native module says what the built module exports, no more and no less."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from tokenkit import _native

STUB = Path(__file__).parents[2] / "tokenkit" / "_native.pyi"
TREE = ast.parse(STUB.read_text(encoding="utf-8"))


def is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def members(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}


FUNCTIONS = {node.name: node for node in TREE.body if isinstance(node, ast.FunctionDef)}
CLASSES = {n.name: n for n in TREE.body if isinstance(n, ast.ClassDef) and not is_protocol(n)}
CONSTANTS = {
    node.target.id
    for node in TREE.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
}
METHODS = [(name, method) for name, node in CLASSES.items() for method in members(node)]


def stub_parameters(node: ast.FunctionDef, *, bound: bool) -> list[tuple[str, bool]]:
    """Names of parameters, and whether they have a default."""
    names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
    with_default = [False] * (len(names) - len(node.args.defaults)) + [True] * len(
        node.args.defaults
    )
    found = list(zip(names, with_default, strict=True))[1 if bound else 0 :]
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return found + [(argument.arg, default is not None) for argument, default in keywords]


def built_parameters(callable_: object) -> list[tuple[str, bool]]:
    found = inspect.signature(callable_).parameters.values()  # type: ignore[arg-type]
    return [
        (parameter.name, parameter.default is not parameter.empty)
        for parameter in found
        if parameter.name != "self"
    ]


def is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)


def test_the_stub_names_every_export():
    """Every public name of the built module is in the stub, and every name of the stub is built."""
    exported = {name for name in dir(_native) if not name.startswith("_")}
    assert exported == set(FUNCTIONS) | set(CLASSES) | CONSTANTS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_the_signatures_of_the_stub(name):
    """Parameters have the stub's names, order and defaults."""
    built = built_parameters(getattr(_native, name))
    assert built == stub_parameters(FUNCTIONS[name], bound=False)


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_the_members_of_the_stub(name):
    """Public members agree; special methods that the stub names are defined by the class itself."""
    built = vars(getattr(_native, name))
    public = {member for member in built if not member.startswith("_")}
    listed = members(CLASSES[name])
    assert public == {member for member in listed if not member.startswith("_")}
    assert [m for m in listed if m.startswith("_") and m not in built] == []


@pytest.mark.parametrize(("name", "method"), METHODS, ids=str)
def test_methods_have_the_signatures_of_the_stub(name, method):
    """Methods take the stub's parameters; properties are no methods."""
    node = members(CLASSES[name])[method]
    built = vars(getattr(_native, name))[method]
    if is_property(node):
        assert inspect.isgetsetdescriptor(built)
    elif method == "__new__":
        found = built_parameters(getattr(_native, name))
        assert found == stub_parameters(node, bound=True)
    else:
        assert built_parameters(built) == stub_parameters(node, bound=True)
