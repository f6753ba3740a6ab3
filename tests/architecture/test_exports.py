"""What the package exports."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types

import pytest

import tokenkit

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(tokenkit.__path__, "tokenkit.")
    # Alembic runs its environment; nobody imports it.
    if not info.name.startswith(("tokenkit._", "tokenkit.store.migrations.env"))
)


@pytest.mark.parametrize("name", MODULES)
def test_lists_of_exports_hold(name):
    """Each name in a module's `__all__` exists, and stands there once."""
    module = importlib.import_module(name)
    exported = list(getattr(module, "__all__", []))
    assert [n for n in exported if not hasattr(module, n)] == []
    assert len(exported) == len(set(exported))


def test_the_package_exports_what_it_shows():
    """Every public name of `tokenkit` is in its `__all__`, and the other way round."""
    shown = {
        name
        for name, value in vars(tokenkit).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    modules = {n for n, v in vars(tokenkit).items() if isinstance(v, types.ModuleType)}
    exported = set(tokenkit.__all__)
    assert exported - modules - {"__version__"} == shown
    assert [name for name in exported if not hasattr(tokenkit, name)] == []


@pytest.mark.parametrize("name", MODULES)
def test_exports_are_documented(name):
    """Every exported class and function has a docstring."""
    module = importlib.import_module(name)
    exported = [(n, getattr(module, n)) for n in getattr(module, "__all__", [])]
    documented = [(n, v) for n, v in exported if inspect.isclass(v) or inspect.isfunction(v)]
    assert [n for n, v in documented if not inspect.getdoc(v)] == []
