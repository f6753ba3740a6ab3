"""The tables of the store."""

from tokenkit.store.models.access import (
    AccessStateRow,
    ApiKeyRow,
    AttemptRow,
    GrantRow,
    KnownNetworkRow,
    RecoveryCodeRow,
    RoleMemberRow,
    RoleRow,
    SessionRow,
    UserPasswordRow,
    UserRow,
    UserTotpRow,
)
from tokenkit.store.models.audit import AuditBatch, AuditEntry, AuditHead
from tokenkit.store.models.declarative import Base
from tokenkit.store.models.lineage import (
    ColumnEdgeRow,
    ColumnRunRow,
    DatasetRow,
    PolicyRow,
    RunInputRow,
    RunOutputRow,
    RunRow,
)

__all__ = [
    "AccessStateRow",
    "ApiKeyRow",
    "AttemptRow",
    "AuditBatch",
    "AuditEntry",
    "AuditHead",
    "Base",
    "ColumnEdgeRow",
    "ColumnRunRow",
    "DatasetRow",
    "GrantRow",
    "KnownNetworkRow",
    "PolicyRow",
    "RecoveryCodeRow",
    "RoleMemberRow",
    "RoleRow",
    "RunInputRow",
    "RunOutputRow",
    "RunRow",
    "SessionRow",
    "UserPasswordRow",
    "UserRow",
    "UserTotpRow",
]
