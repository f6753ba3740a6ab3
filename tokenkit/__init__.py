"""Vaultless tokenization for dataframes.

Importing tokenkit adds the ``tk`` namespace to Polars expressions and frames:
``pl.col("card").tk.tokenize("credit-card", key="payments")``.
"""

from tokenkit import errors
from tokenkit.engines import detokenize, tokenize
from tokenkit.engines.polars import expressions as expr
from tokenkit.engines.polars import namespaces as _namespaces  # noqa: F401 - registers them
from tokenkit.keys import Keyring, create_keyring, open_keyring, use_keyring
from tokenkit.policy import Policy

__all__ = [
    "Keyring",
    "Policy",
    "create_keyring",
    "detokenize",
    "errors",
    "expr",
    "open_keyring",
    "tokenize",
    "use_keyring",
]
