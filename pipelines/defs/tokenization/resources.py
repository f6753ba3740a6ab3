"""What jobs need of the process that does them, as the environment says."""

import dagster as dg

from tokenkit.dagster import KeyringResource, RecorderResource


@dg.definitions
def defs() -> dg.Definitions:
    """Take the keyring and the store that the environment names.

    A job is one step, and uses every core. So its run does it itself: a second process would have
    to load everything again.
    """
    return dg.Definitions(
        resources={"keyring": KeyringResource(), "recorder": RecorderResource()},
        executor=dg.in_process_executor,
    )
