"""What a run did, as facts: the run record, its parts, and who takes them."""

from tokenkit.lineage.audit_record import AuditRecord
from tokenkit.lineage.current import current_recorder, use_recorder
from tokenkit.lineage.datasets import Dataset, DatasetUse, Field
from tokenkit.lineage.recorder import Recorder, Recording, Unrecorded
from tokenkit.lineage.run_record import ColumnCounts, ColumnEdge, RunRecord

__all__ = [
    "AuditRecord",
    "ColumnCounts",
    "ColumnEdge",
    "Dataset",
    "DatasetUse",
    "Field",
    "Recorder",
    "Recording",
    "RunRecord",
    "Unrecorded",
    "current_recorder",
    "use_recorder",
]
