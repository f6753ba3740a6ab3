"""Asking about lineage: runs, one run explained, and the ways of columns up and down."""

from tokenkit.store.lineage.explaining import Integrity, check, load_run
from tokenkit.store.lineage.resolving import Found, resolve
from tokenkit.store.lineage.runs import Page, RunFilter, RunSummary, find_run, list_runs
from tokenkit.store.lineage.tracing import newest, trace

__all__ = [
    "Found",
    "Integrity",
    "Page",
    "RunFilter",
    "RunSummary",
    "check",
    "find_run",
    "list_runs",
    "load_run",
    "newest",
    "resolve",
    "trace",
]
