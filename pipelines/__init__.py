"""The Dagster code location of this repository. It is no part of the wheel."""
