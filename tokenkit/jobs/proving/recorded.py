"""The digests that runs have recorded."""

from collections.abc import Mapping

from tokenkit.jobs.proving.inputs import WHOLE_JOB
from tokenkit.lineage import Dataset, current_recorder


def recorded_proofs(run: str, output: Dataset) -> Mapping[str, str]:
    """Find the digests of a run that wrote a dataset, by column; none if none are recorded.

    Parameters
    ----------
    run
        The run's id, which its output names.
    output
        What it wrote.

    Raises
    ------
    StoreError
        If the store isn't there.
    """
    return current_recorder().proofs_of(run, output).get(WHOLE_JOB, {})
