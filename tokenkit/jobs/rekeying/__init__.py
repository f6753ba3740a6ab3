"""Files of tokens moved to another key version, each proved before it takes its place."""

from tokenkit.jobs.rekeying.execution import rekey_files
from tokenkit.jobs.rekeying.report import RekeyedColumn, RekeyedFile, RekeyReport
from tokenkit.jobs.rekeying.request import RekeyRequest
from tokenkit.jobs.rekeying.verification import RekeyVerification, verify_rekey

__all__ = [
    "RekeyReport",
    "RekeyRequest",
    "RekeyVerification",
    "RekeyedColumn",
    "RekeyedFile",
    "rekey_files",
    "verify_rekey",
]
