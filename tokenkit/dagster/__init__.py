"""Jobs in Dagster: assets made of job files, inboxes, checks, resources, and a job that rekeys.

:func:`job_definitions` makes everything that a folder of job files says.
"""

from importlib.util import find_spec

from tokenkit.errors import ConnectorMissing

if find_spec("dagster") is None:
    raise ConnectorMissing(
        "dagster isn't installed", hint="pip install 'tokenkit-vaultless[dagster]'"
    )

from tokenkit.dagster.definitions import job_definitions
from tokenkit.dagster.rekeying import rekey_job
from tokenkit.dagster.resources import KeyringResource, RecorderResource

__all__ = ["KeyringResource", "RecorderResource", "job_definitions", "rekey_job"]
