"""Any database that SQLAlchemy has a dialect for: tables and queries to read.

Rows come through Python's database drivers, so this is the slow way; where there is a connector of
the system's own, that one is better.
"""

from tokenkit.jobs.connectors import Connector, Opening
from tokenkit_connectors.sqlalchemy.options import SourceOptions
from tokenkit_connectors.sqlalchemy.source import SQLAlchemySource

__all__ = ["CONNECTOR", "SourceOptions"]

CONNECTOR = Connector(
    name="sqlalchemy",
    summary="tables and queries of any SQLAlchemy URL; read only",
    source=Opening(SourceOptions, SQLAlchemySource),
)
