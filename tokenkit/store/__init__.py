"""The store: lineage and the audit log, in PostgreSQL or on SQLite."""
