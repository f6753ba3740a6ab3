"""Delta Lake: tables to read and to write, on local disks and in object stores.

The sink makes one commit: a table that is replaced is overwritten, columns too; rows that are added
take the place of those of the same run. Files that a killed process has left belong to no version,
so nobody reads them; VACUUM removes them.
"""

from tokenkit.jobs.connectors import Connector, Opening
from tokenkit_connectors.delta.options import SinkOptions, SourceOptions
from tokenkit_connectors.delta.sink import DeltaSink
from tokenkit_connectors.delta.source import DeltaSource

__all__ = ["CONNECTOR", "SinkOptions", "SourceOptions"]

CONNECTOR = Connector(
    name="delta",
    summary="tables of Delta Lake; written by one commit",
    source=Opening(SourceOptions, DeltaSource),
    sink=Opening(SinkOptions, DeltaSink),
)
