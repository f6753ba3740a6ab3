"""Vaultless tokenization for dataframes.

Importing tokenkit adds the ``tk`` namespace to Polars expressions and frames:
``pl.col("card").tk.tokenize("credit-card", key="payments")``.
"""

from tokenkit import errors
from tokenkit.engines import detokenize, tokenize
from tokenkit.engines.polars import expressions as expr
from tokenkit.engines.polars import namespaces as _namespaces  # noqa: F401 - registers them
from tokenkit.keys import (
    Keyring,
    create_keyring,
    current_keyring,
    edit_keyring,
    open_keyring,
    use_keyring,
)
from tokenkit.policy import Policy, load_policy

__all__ = [
    "Keyring",
    "Policy",
    "create_keyring",
    "current_keyring",
    "detokenize",
    "edit_keyring",
    "errors",
    "expr",
    "load_policy",
    "open_keyring",
    "tokenize",
    "use_keyring",
]
