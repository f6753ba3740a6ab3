"""Errors of the store: lineage and the audit log."""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

from tokenkit.errors import TokenkitError


class StoreError(TokenkitError, code="TK700"):
    """Base class of what goes wrong with lineage and the audit log."""


class StoreUnavailable(StoreError, code="TK701"):
    """The store's database can't be reached, or broke off."""


class SchemaOutdated(StoreError, code="TK702"):
    """The store's tables are of another version of tokenkit."""


class NotRecorded(StoreError, LookupError, code="TK703"):
    """No such run, dataset or column is recorded."""


class AuditBroken(StoreError, code="TK704"):
    """The audit log was altered: a record is changed, missing, added or out of its place."""
