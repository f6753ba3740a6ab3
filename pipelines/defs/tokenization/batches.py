"""The job that does a batch of the service."""

import dagster as dg

from tokenkit.dagster.batches import batch_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """Take store, files, policies and keyring from the environment, as the service does."""
    return batch_definitions()
