"""The job files, as assets with what starts and checks them."""

import os
from pathlib import Path
from typing import Final

import dagster as dg

from tokenkit.dagster import job_definitions

JOBS: Final = Path(__file__).parents[2] / "jobs"
"""Where the job files are, unless ``TOKENKIT_JOBS`` says otherwise."""


@dg.definitions
def defs() -> dg.Definitions:
    """Make an asset of every job file; its sensor or schedule runs from the beginning."""
    return job_definitions(os.environ.get("TOKENKIT_JOBS") or JOBS, running=True)
