"""Schemes: how one kind of value becomes a token.

Each scheme is a module of :mod:`tokenkit.schemes.definitions` with a ``SCHEME`` in it; the
catalogue finds them by the folder.
"""

from tokenkit.schemes.catalogue import all_schemes, find_scheme
from tokenkit.schemes.method import Characters, Method, Sealed
from tokenkit.schemes.parameters import CheckDigit, Keep, Parameters
from tokenkit.schemes.scheme import Algorithm, Scheme

__all__ = [
    "Algorithm",
    "Characters",
    "CheckDigit",
    "Keep",
    "Method",
    "Parameters",
    "Scheme",
    "Sealed",
    "all_schemes",
    "find_scheme",
]
