"""Polars: the expression plugin, the ``tk`` namespaces, and frames by policy."""
