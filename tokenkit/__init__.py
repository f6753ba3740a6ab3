"""Vaultless tokenization for dataframes.

Importing tokenkit adds the ``tk`` namespace to Polars expressions and frames:
``pl.col("card").tk.tokenize("credit-card", key="payments")``.
"""

from tokenkit import errors
from tokenkit.engines.polars import expressions as expr
from tokenkit.keys import Keyring, create_keyring, open_keyring, use_keyring

__all__ = ["Keyring", "create_keyring", "errors", "expr", "open_keyring", "use_keyring"]
