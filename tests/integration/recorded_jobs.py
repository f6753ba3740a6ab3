"""Rows, and what is done with them, in tests of recording."""

from typing import Any

COLUMNS: dict[str, dict[str, Any]] = {
    "card": {"scheme": "credit-card", "key": "payments", "on_invalid": "null"},
    "ssn": {"scheme": "us-ssn", "key": "people", "literals": ["N/A"]},
}
ROWS = "card,ssn,city\n4539578763621486,078-05-1120,Oslo\nnone,N/A,Rome\n,078-05-1121,\n"


def edges(record):
    """Give the ways of columns, by the column that they end in and what was done."""
    return {(edge.output_column, edge.action): edge for edge in record.columns}
