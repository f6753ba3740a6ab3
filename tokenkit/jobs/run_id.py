"""The id of a run: a digest of what is done, with which keys, to which files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

from tokenkit.jobs.calls import Calls
from tokenkit.jobs.job import Job
from tokenkit.jobs.preparation import Input
from tokenkit.keys.strict_json import compact

RUN_BYTES: Final = 16
"""How many bytes a run id has; it is written as twice as many hexadecimal digits."""


def fingerprints(inputs: Sequence[Input]) -> list[list[object]]:
    """Give what changes when one of the files does."""
    return [item.inlet.fingerprint() for item in inputs]


def run_id(job: Job, inputs: Sequence[Input], prints: Sequence[list[object]]) -> str:
    """Give the id of a job's run: the same job over unchanged files has the same id.

    Parameters
    ----------
    job
        What is done.
    inputs
        The input files, and what is done with the columns of each.
    prints
        Their fingerprints.

    Returns
    -------
    str
        32 hexadecimal digits, out of SHA-256.
    """
    described = {
        "operation": job.operation,
        "policy": "" if job.policy is None else job.policy.digest,
        "mode": job.mode,
        "partition_by": list(job.partition_by),
        "format": job.output_format or "",
        "text": _plain({field.name: getattr(job.text, field.name) for field in fields(job.text)}),
        "replay": job.replay,
        "limit": -1 if job.limit is None else job.limit,
        "inputs": [
            {"file": found, "keys": _keys(item.calls)}
            for item, found in zip(inputs, prints, strict=True)
        ],
    }
    return hashlib.sha256(compact(described)).hexdigest()[: 2 * RUN_BYTES]


def _keys(calls: Calls) -> dict[str, list[object]]:
    return {
        name: [call.version.name, call.version.id, call.version.check_value.hex()]
        for name, call in calls.transformed.items()
    }


def _plain(value: object) -> object:
    """Turn mappings and tuples into what JSON has."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
