"""The tables of the store.

Those of users and rights are in :mod:`tokenkit.store.models.access`: a job that records needn't
wait for them.
"""

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
    "AuditBatch",
    "AuditEntry",
    "AuditHead",
    "Base",
    "ColumnEdgeRow",
    "ColumnRunRow",
    "DatasetRow",
    "PolicyRow",
    "RunInputRow",
    "RunOutputRow",
    "RunRow",
]
