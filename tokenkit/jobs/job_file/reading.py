"""Reads job files, with errors that name file and line and quote no value."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tokenkit.errors import JobError
from tokenkit.jobs.job_file.binding import JobFile, default_name
from tokenkit.jobs.job_file.fields import (
    NAME,
    DailyPartitions,
    FileSink,
    FileSource,
    InboxPartitions,
    JobFields,
    Options,
)
from tokenkit.policy.complaints import Location, field_in_words
from tokenkit.policy.strict_yaml import Document, Kind, read_document

_KIND: Final = Kind("job file", JobError, "source:")
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "source": frozenset(FileSource.model_fields),
    "sink": frozenset(FileSink.model_fields),
    "options": frozenset(Options.model_fields),
    "partitions": frozenset({*DailyPartitions.model_fields, *InboxPartitions.model_fields}),
}
# They stand in the location of an error, and in no job file.
_KINDS: Final = frozenset({"files", "table", "days", "folder"})
_RIGHT: Final = {
    "name": "name: daily_customers, in small letters, digits and underscores",
    "operation": "operation: tokenize, or detokenize",
    "source": "source: in/customers.csv, or {connector: postgresql, url: ${URL}, table: customers}",
    "sink": "sink: out/customers.parquet, or {connector: duckdb, path: lake.duckdb, table: t}",
    "policy": "policy: policy.yaml",
    "mode": "mode: replace, append or, for files, partition",
    "partitions": "partitions: {daily: 2026-01-01}, or {inbox: inbox}",
    "daily": "partitions: {daily: 2026-01-01}",
    "inbox": "partitions: {inbox: inbox}, a folder",
    "tags": "tags: {team: crm}",
    "owners": 'owners: ["team:crm"]',
    "schedule": 'schedule: "0 3 * * *"',
}


def read_job_file(path: str | os.PathLike[str]) -> JobFile:
    r"""Read a job file.

    Parameters
    ----------
    path
        A YAML file of at most 4 MiB.

    Raises
    ------
    JobError
        If it can't be read, isn't YAML, or isn't a job; with the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Path(folder, "customers.yaml")
    ...     _ = place.write_text(
    ...         "source: in/${DAY}.csv\n"
    ...         "policy: {columns: {ssn: {scheme: us-ssn, key: people}}}\n"
    ...         "sink: out/${DAY}.parquet\n"
    ...     )
    ...     file = read_job_file(place)
    ...     job = file.bound({"DAY": "2026-11-23"}).job()
    >>> file.name, sorted(file.variables), job.source.name
    ('customers', ['DAY'], '2026-11-23.csv')
    """
    place = Path(path)
    document = read_document(place, _KIND)
    try:
        fields = JobFields.model_validate(document.fields)
    except ValidationError as exc:
        error = _complaint(document, exc)
    else:
        if fields.operation == "tokenize" and fields.policy is None:
            error = JobError(
                f"{document.place(())}tokenizing needs a policy", hint=_RIGHT["policy"]
            )
        elif fields.name is None and not re.match(NAME, default_name(place)):
            error = JobError(
                f"{document.place(())}the file's name is no name of a job", hint=_RIGHT["name"]
            )
        else:
            return JobFile(place, fields)
    raise error


def _complaint(document: Document, exc: ValidationError) -> JobError:
    """Put the first of pydantic's errors into our own words: its text quotes values."""
    [first, *_] = exc.errors(include_url=False, include_context=False, include_input=False)
    location: Location = tuple(step for step in first["loc"] if step not in _KINDS)
    problem, hint = _words(first, location)
    return JobError(f"{document.place(location)}{problem}", hint=hint)


def _words(error: Mapping[str, Any], location: Location) -> tuple[str, str | None]:
    if not location:
        return "a job file is a mapping", _RIGHT["source"]
    field = str(location[-1])
    if error["type"] == "missing":
        return f'the field "{field}" is missing', _RIGHT.get(field)
    if error["type"] == "extra_forbidden":
        fields = _FIELDS.get(str(location[0]), frozenset()) if location[1:] else None
        known = sorted(JobFields.model_fields if fields is None else fields)
        close = get_close_matches(field, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"fields here are {', '.join(known)}"
        return f"there is no {field_in_words(field)}", hint
    named = next((str(step) for step in reversed(location) if str(step) in _RIGHT), None)
    return f"{field_in_words(field)} can't be that", _RIGHT.get(named or "", None)
