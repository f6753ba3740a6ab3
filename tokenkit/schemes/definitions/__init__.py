"""One module a scheme, each with a ``SCHEME``."""
