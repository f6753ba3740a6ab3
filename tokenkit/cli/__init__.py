"""The command line: one module a command group, each importing its layer only when called."""
