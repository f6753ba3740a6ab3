"""The schemes that there are."""

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from tokenkit.errors import SchemeError
from tokenkit.schemes import definitions
from tokenkit.schemes.scheme import Scheme


@cache
def _catalogue() -> dict[str, Scheme]:
    modules = (
        import_module(f"{definitions.__name__}.{module.name}")
        for module in iter_modules(definitions.__path__)
    )
    return {scheme.name: scheme for module in modules for scheme in [module.SCHEME]}


def all_schemes() -> list[Scheme]:
    """List every scheme, by name.

    Examples
    --------
    >>> [scheme.name for scheme in all_schemes()]
    ['alphanumeric', 'credit-card', 'custom', 'digits', 'text', 'us-ssn']
    """
    return sorted(_catalogue().values(), key=lambda scheme: scheme.name)


def find_scheme(name: object) -> Scheme:
    """Find a scheme by its name.

    Raises
    ------
    SchemeError
        If there is none of that name.

    Examples
    --------
    >>> find_scheme("credit-card").algorithm.value
    'FF1'
    """
    found = _catalogue().get(name) if isinstance(name, str) else None
    if found is None:
        close = get_close_matches(str(name), _catalogue(), n=1, cutoff=0.5)
        known = ", ".join(sorted(_catalogue()))
        raise SchemeError(
            "there is no scheme of that name",
            hint=f"did you mean {close[0]}?" if close else f"schemes are {known}",
        )
    return found
