"""The audit log: records in a keyed chain, and checkpoints outside the database."""

from tokenkit.store.audit.checkpoints import Checkpoint, CheckpointFile, Retention
from tokenkit.store.audit.export import export
from tokenkit.store.audit.keys import audit_key, verifying_keys
from tokenkit.store.audit.log import AuditLog
from tokenkit.store.audit.pages import AuditPage, Place, page
from tokenkit.store.audit.retention import Retained, retain
from tokenkit.store.audit.tail import tail
from tokenkit.store.audit.verification import Fault, Verification, verify

__all__ = [
    "AuditLog",
    "AuditPage",
    "Checkpoint",
    "CheckpointFile",
    "Fault",
    "Place",
    "Retained",
    "Retention",
    "Verification",
    "audit_key",
    "export",
    "page",
    "retain",
    "tail",
    "verify",
    "verifying_keys",
]
