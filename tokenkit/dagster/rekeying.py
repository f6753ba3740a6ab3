"""The job that moves outputs to another key version."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from tokenkit.dagster.failures import RETRIES, Attempt, failing
from tokenkit.dagster.names import lies_in
from tokenkit.dagster.resources import KEYRING, RECORDER
from tokenkit.errors import JobError
from tokenkit.jobs.rekeying import RekeyReport, RekeyRequest, rekey_files
from tokenkit.lineage import Dataset, use_recorder
from tokenkit.lineage.naming import of_file, of_folder


class RekeyConfig(dg.Config):
    """What is rekeyed.

    Attributes
    ----------
    path
        A file, a folder or a pattern.
    output
        The file or folder to write; without one, each file is replaced once it is proved.
    to
        The new version: its number, or ``primary``.
    """

    path: str
    output: str | None = None
    to: str = "primary"


def rekey_job(
    written: Mapping[Dataset, dg.AssetKey] | None = None,
    *,
    name: str = "rekey",
    pool: str = "tokenkit",
) -> dg.JobDefinition:
    """Make a job that rekeys files, each proved before it takes its place.

    A run that was killed is resumed by running it again: files that are done are passed over.

    Parameters
    ----------
    written
        Which asset is which dataset: a rekey of one is shown as an observation of it.
    name
        The job's name.
    pool
        The pool whose limit holds for jobs that run at once.

    Examples
    --------
    >>> rekey_job().name
    'rekey'
    """
    known = written or {}

    @dg.op(
        name="rekey_files",
        required_resource_keys={KEYRING, RECORDER},
        retry_policy=RETRIES,
        pool=pool,
        out=dg.Out(dg.Nothing),
    )
    def rekeyed(
        context: dg.OpExecutionContext, config: RekeyConfig
    ) -> Iterator[dg.AssetObservation | dg.Output[None]]:
        resources = context.resources
        attempt = Attempt()
        with failing(attempt):
            request = RekeyRequest(
                source=Path(config.path),
                target=None if config.output is None else Path(config.output),
                to=_version(config.to),
                keyring=resources.keyring.keyring(),
            )
            attempt.is_running = True
            with use_recorder(resources.recorder.recorder()):
                report = rekey_files(request)
        metadata = _described(report)
        for key in _assets(report, known):
            yield dg.AssetObservation(key, metadata=metadata)
        yield dg.Output(None, metadata=metadata)

    @dg.job(name=name, description="Moves tokens to another key version, file by file, proved.")
    def rekeying() -> None:
        rekeyed()

    return rekeying


def _version(given: str) -> Any:
    if given == "primary":
        return "primary"
    if given.isascii() and given.isdecimal():
        return int(given)
    raise JobError("a version is a number, or primary", hint="to: primary")


def _assets(report: RekeyReport, known: Mapping[Dataset, dg.AssetKey]) -> list[dg.AssetKey]:
    place = Path(report.target or report.source)
    dataset = of_folder(place) if place.is_dir() else of_file(place)
    return [
        key for output, key in known.items() if lies_in(dataset, output) or lies_in(output, dataset)
    ]


def _described(report: RekeyReport) -> Mapping[str, Any]:
    rows = [
        dg.TableRecord(
            {
                "file": file.file,
                "column": name,
                "key": column.key,
                "old_version": column.old,
                "new_version": column.new,
                "values": column.value,
                "proof": column.proof,
            }
        )
        for file in report.files
        for name, column in file.columns.items()
    ]
    return {
        "rows": report.rows,
        "files_done": sum(file.status == "done" for file in report.files),
        "files_skipped": sum(file.status == "skipped" for file in report.files),
        "seconds": round(report.seconds, 3),
        **({"columns": dg.MetadataValue.table(rows)} if rows else {}),
    }
