"""Rejected rows: sealed cell by cell, in a file of their own.

A row whose value doesn't fit a column with ``on_invalid: reject`` isn't written with the others. It
goes, whole, to a Parquet file beside the output: where it stood, which column didn't fit and why in
clear, and every cell of the source sealed under its own column's key (token contract, "Rejected
rows"). Who holds the keys can open the rows, or tokenize them again under another policy.
"""

from tokenkit.jobs.rejects.description import REJECTS_KEY, RejectsDescription
from tokenkit.jobs.rejects.rows import Rejects, open_rejects, read_rejects

__all__ = ["REJECTS_KEY", "Rejects", "RejectsDescription", "open_rejects", "read_rejects"]
