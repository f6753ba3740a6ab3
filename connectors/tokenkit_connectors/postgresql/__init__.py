"""PostgreSQL: tables and queries to read, tables to write.

Rows are read by ADBC, which streams a binary COPY as Arrow, and written by COPY. The sink works in
one transaction: a table that is replaced is made anew beside the old one and swapped in, rows that
are added are seen when it is committed, and what a killed process leaves the server rolls back.
"""

from tokenkit.jobs.connectors import Connector, Opening
from tokenkit_connectors.postgresql.options import SinkOptions, SourceOptions
from tokenkit_connectors.postgresql.sink import PostgresSink
from tokenkit_connectors.postgresql.source import PostgresSource

__all__ = ["CONNECTOR", "SinkOptions", "SourceOptions"]

CONNECTOR = Connector(
    name="postgresql",
    summary="tables and queries of PostgreSQL; swapped in, or added to, in one transaction",
    source=Opening(SourceOptions, PostgresSource),
    sink=Opening(SinkOptions, PostgresSink),
)
