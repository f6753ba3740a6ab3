"""Policies: which column gets which scheme, key and domain, and what becomes of what doesn't fit.

Also the metadata beside tokens, which says what a policy came down to when they were made.
"""

from tokenkit.policy.column_metadata import ColumnMetadata
from tokenkit.policy.file import PolicySource, load_policy, read_policy
from tokenkit.policy.metadata import METADATA_KEY, Metadata, VerifiedMetadata
from tokenkit.policy.model import Fate, Policy, RejectsRule
from tokenkit.policy.resolve import resolve
from tokenkit.policy.rule import ColumnRule

__all__ = [
    "METADATA_KEY",
    "ColumnMetadata",
    "ColumnRule",
    "Fate",
    "Metadata",
    "Policy",
    "PolicySource",
    "RejectsRule",
    "VerifiedMetadata",
    "load_policy",
    "read_policy",
    "resolve",
]
