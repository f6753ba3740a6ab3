"""Files with tokens, read: their metadata, and their values."""

import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from tokenkit.errors import InputError, MetadataMismatch, MetadataMissing, translated
from tokenkit.jobs.connectors import TextOptions
from tokenkit.jobs.documents import document_of
from tokenkit.jobs.job import Job
from tokenkit.jobs.objects.place import ObjectPlace, place_of
from tokenkit.jobs.origins import found_files
from tokenkit.jobs.preparation import prepare
from tokenkit.keys import Keyring, current_keyring
from tokenkit.policy import Metadata, PolicySource, read_policy


def read_metadata(path: str | os.PathLike[str] | ObjectPlace) -> Metadata:
    """Read the metadata of a file with tokens, or of a folder whose files have the same.

    Parameters
    ----------
    path
        A file that a job wrote, or a folder of them; ``s3://bucket/key`` too.

    Returns
    -------
    Metadata
        Which scheme, key and key version made each column's tokens. It's checked where it's used:
        ``tk.detokenize(frame, columns=tk.read_metadata(path))``.

    Raises
    ------
    MetadataMissing
        If a file has none.
    MetadataMismatch
        If the files of a folder have different ones: :func:`scan` reads such folders.
    MetadataTampered
        If it isn't spelled as tokenkit does.
    InputNotFound, InputError
        If the files can't be read.

    Examples
    --------
    >>> import tempfile, polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> policy = tk.Policy.from_mapping({"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "a.parquet"), Path(folder, "b.parquet")
    ...     pl.DataFrame({"ssn": ["078-05-1120"]}).write_parquet(source)
    ...     job = tk.jobs.Job(operation="tokenize", source=source, target=target, policy=policy,
    ...                       keyring=ring)
    ...     _ = tk.jobs.run(job)
    ...     tk.read_metadata(target).columns["ssn"].version, tk.scan(target, keyring=ring).collect()
    (1, shape: (1, 1)
    ┌─────────────┐
    │ ssn         │
    │ ---         │
    │ str         │
    ╞═════════════╡
    │ 078-05-1120 │
    └─────────────┘)
    """
    found: list[Metadata] = []
    for file in found_files(_located(path)):
        document = document_of(file.file)
        if document is None:
            raise MetadataMissing(
                f"the file {file.shown} has no metadata",
                hint="take it, and its sidecar if it's text, from where tokenkit wrote it",
            )
        metadata = Metadata.parse(document)
        if found and _said(metadata) != _said(found[0]):
            raise MetadataMismatch(
                "the files were made under different policies or key versions",
                hint="tk.scan(path) reads each file under its own",
            )
        found.append(metadata)
    return found[0]


def _located(path: str | os.PathLike[str] | ObjectPlace) -> Path | ObjectPlace:
    return path if isinstance(path, ObjectPlace) else place_of(os.fspath(path))


def _said(metadata: Metadata) -> dict[str, object]:
    return {name: column.to_json() for name, column in metadata.columns.items()}


def scan(
    path: str | os.PathLike[str] | ObjectPlace,
    policy: PolicySource | None = None,
    *,
    keyring: Keyring | None = None,
    text: TextOptions | None = None,
) -> pl.LazyFrame:
    """Read files with tokens lazily, as the values that the tokens stand for.

    Each file is detokenized under the key versions that its own metadata names, so that a folder
    may hold files from before and after a rotation.

    Parameters
    ----------
    path
        A file, a folder (Hive partitions included) or a pattern; ``s3://bucket/key`` too.
    policy
        Needed only for files without metadata.
    keyring
        Where the keys are; default: the current keyring. They are found now, values are turned when
        the frame is collected.
    text
        How text files are written.

    Returns
    -------
    polars.LazyFrame
        The rows of all files, in the order of their names.

    Raises
    ------
    MetadataError, KeyringError, InputNotFound, InputError
        If a file, its metadata or a key is the matter.

    Examples
    --------
    See :func:`read_metadata`.
    """
    job = Job(
        operation="detokenize",
        source=_located(path),
        policy=None if policy is None else read_policy(policy),
        text=text or TextOptions(),
        dry_run=True,
    )
    inputs = prepare(job, keyring or current_keyring())
    frames = []
    for item in inputs:
        item.check()
        part = item.part(None)
        turned = {
            name: None if call is None else replace(call, output="token")
            for name, call in part.calls.by_column.items()
        }
        with translated():
            frames.append(replace(part, calls=replace(part.calls, by_column=turned)).values())
            schema = frames[-1].collect_schema()
        if schema != frames[0].collect_schema():
            raise InputError(
                "its columns or their types are not the first file's",
                file=item.inlet.shown,
                hint="scan files of one kind",
            )
    return frames[0] if len(frames) == 1 else pl.concat(frames)
