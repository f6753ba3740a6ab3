"""DuckDB files: tables and queries to read, tables to write.

The sink works in one transaction of DuckDB: rows go into the new table, or into the old one, and
nobody else sees them until it is committed; a process that is killed leaves the file as it was.
"""

from tokenkit.jobs.connectors import Connector, Opening
from tokenkit_connectors.duckdb.options import SinkOptions, SourceOptions
from tokenkit_connectors.duckdb.sink import open_sink
from tokenkit_connectors.duckdb.source import open_source

__all__ = ["CONNECTOR", "SinkOptions", "SourceOptions"]

CONNECTOR = Connector(
    name="duckdb",
    summary="tables and queries of a DuckDB file; written in one transaction",
    source=Opening(SourceOptions, open_source),
    sink=Opening(SinkOptions, open_sink),
)
