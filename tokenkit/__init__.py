"""Vaultless tokenization for dataframes.

Importing tokenkit adds the ``tk`` namespace to Polars expressions and frames:
``pl.col("card").tk.tokenize("credit-card", key="payments")``.
"""

from tokenkit import errors
from tokenkit.engines import detokenize, rekey, tokenize
from tokenkit.engines.polars import expressions as expr
from tokenkit.engines.polars import namespaces as _namespaces  # noqa: F401 - registers them
from tokenkit.engines.search import search_tokens
from tokenkit.jobs import Outcome, apply
from tokenkit.jobs.reading import read_metadata, scan
from tokenkit.jobs.rejects import open_rejects
from tokenkit.keys import (
    Keyring,
    create_keyring,
    current_keyring,
    edit_keyring,
    open_keyring,
    use_keyring,
)
from tokenkit.lineage import Recorder as _Recorder
from tokenkit.lineage import current_recorder, use_recorder
from tokenkit.lineage.current import record_by_default as _record_by_default
from tokenkit.policy import Policy, load_policy

__all__ = [
    "Keyring",
    "Outcome",
    "Policy",
    "apply",
    "create_keyring",
    "current_keyring",
    "current_recorder",
    "detokenize",
    "edit_keyring",
    "errors",
    "expr",
    "load_policy",
    "open_keyring",
    "open_rejects",
    "read_metadata",
    "rekey",
    "scan",
    "search_tokens",
    "tokenize",
    "use_keyring",
    "use_recorder",
]


def _stored() -> _Recorder:
    # The store's libraries take longer to import than everything else: not before a job records.
    from tokenkit.store.recording import default_recorder  # noqa: PLC0415

    return default_recorder()


_record_by_default(_stored)
