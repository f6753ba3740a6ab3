"""Rekeys files one by one: read, written aside, read again, proved, and only then put in place."""

import time
from collections.abc import Sequence
from pathlib import Path

from tokenkit.engines.polars.proof import Proof
from tokenkit.errors import JobError, translated
from tokenkit.jobs.aside import already_there, masked, refusing
from tokenkit.jobs.connectors import TextOptions, format_of
from tokenkit.jobs.done import holds
from tokenkit.jobs.inputs import InputFile, find_inputs
from tokenkit.jobs.locking import held
from tokenkit.jobs.outlets import StagedOutlet
from tokenkit.jobs.preparation import kept_as_they_are
from tokenkit.jobs.progress import Progress, Silent
from tokenkit.jobs.rekeying.journal import commit, recover
from tokenkit.jobs.rekeying.passes import take_sums, write_new
from tokenkit.jobs.rekeying.preparation import RekeyInput, prepare_file
from tokenkit.jobs.rekeying.recording import FileRun
from tokenkit.jobs.rekeying.report import FileStatus, RekeyedColumn, RekeyedFile, RekeyReport
from tokenkit.jobs.rekeying.request import RekeyRequest
from tokenkit.jobs.staging import AsideFolder
from tokenkit.keys import Keyring, current_keyring


def rekey_files(request: RekeyRequest, progress: Progress | None = None) -> RekeyReport:
    r"""Move files of tokens to another key version.

    Each file is done for itself. Its tokens are read once and the new ones written aside; then
    these are read again, and the file gets its name only if every row has the value that it had
    before. A run that was killed is resumed by running it again: files that are done are passed
    over.

    Parameters
    ----------
    request
        What to do.
    progress
        Is told how far it is.

    Raises
    ------
    JobError
        If a proof doesn't hold, options contradict each other, or the system refuses.
    InvalidValues
        If a value is no token of the version that the metadata says.
    MetadataError, PolicyError, KeyringError, SchemeError, InputNotFound, InputError, OutputExists
        If metadata, keys or files are the matter. Everything is checked before any row is read.

    Examples
    --------
    >>> import tempfile, polars as pl
    >>> from tokenkit.jobs import Job, run
    >>> from tokenkit.keys import Keyring
    >>> from tokenkit.policy import Policy
    >>> policy = Policy.from_mapping({"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, tokens = Path(folder, "a.csv"), Path(folder, "b.parquet")
    ...     _ = source.write_text("ssn\n078-05-1120\n")
    ...     with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    ...         _ = run(Job(operation="tokenize", source=source, target=tokens,
    ...                     policy=policy, keyring=ring))
    ...         _ = ring.rotate("people")
    ...         report = rekey_files(RekeyRequest(source=tokens, target=None, keyring=ring))
    >>> column = report.files[0].columns["ssn"]
    >>> column.old, column.new, column.value
    (1, 2, 1)
    """
    begun = time.perf_counter()
    _check_text(request.text)
    keyring = current_keyring() if request.keyring is None else request.keyring
    recover(request.source if request.target is None else request.target)
    items = [
        prepare_file(request, file, keyring, target)
        for file, target in _targets(request, find_inputs(request.source))
    ]
    skipped = [_is_done(request, item, keyring) for item in items]
    watched = _Shared(progress or Silent(), items)
    try:
        files = tuple(
            _passed_over(item, request, keyring)
            if done
            else rekey_one(item, request, keyring, watched)
            for item, done in zip(items, skipped, strict=True)
        )
    finally:
        watched.finish()
    return RekeyReport(
        source=str(request.source),
        target=None if request.target is None else str(request.target),
        files=files,
        seconds=time.perf_counter() - begun,
    )


def rekey_one(
    item: RekeyInput, request: RekeyRequest, keyring: Keyring, progress: Progress
) -> RekeyedFile:
    """Rekey one file, prove it, and put it in its place.

    Raises
    ------
    JobError
        If the proof doesn't hold; nothing has changed then.
    StoreError
        If the run can't be recorded.
    """
    recorded = FileRun(request, item, keyring)
    in_place = request.target is None
    item.target.parent.mkdir(parents=True, exist_ok=True)
    with (
        recorded.recording() as recording,
        held(item.file.path),
        AsideFolder(item.target) as aside,
    ):
        item.opened.check()
        staged = aside.path / item.target.name
        outlet = StagedOutlet(staged, request.text, item.target)
        proofs = item.proofs()
        write_new(item, proofs, outlet, progress)
        aside.flush()
        [written] = kept_as_they_are(
            [InputFile(staged, Path(staged.name), item.file.partition)],
            _as_written(request, staged),
        )
        new = {name: (column, column.new) for name, column in item.changing.items()}
        rows = take_sums(written, new, proofs, "new", progress)
        _check_proofs(item, proofs, rows)
        if item.file.fingerprint() != item.before:
            raise JobError(
                "the input was changed while it was read; nothing was written",
                file=item.file.shown,
                hint="run it again when nothing writes to the file",
            )
        if not in_place and item.target.exists() and not request.force:
            raise already_there(item.target)
        with recorded.published(recording, staged, rows, proofs, lambda: not aside.path.exists()):
            commit(aside.path, item.target, item.before[1:] if in_place else None)
    return _described(item, "done", rows, proofs)


def _targets(request: RekeyRequest, files: Sequence[InputFile]) -> list[tuple[InputFile, Path]]:
    if request.target is None:
        return [(file, file.path) for file in files]
    source, target = request.source, request.target
    if source.is_file() and not target.is_dir():
        if target.exists() and target.samefile(source):
            raise JobError(
                "input and output are the same file",
                file=str(target),
                hint="--in-place replaces the file once the new one is proved",
            )
        if format_of(target).name != format_of(source).name:
            raise JobError(
                "a rekey keeps the format of its input",
                file=str(target),
                hint="-o with the input's suffix",
            )
        return [(files[0], target)]
    if target.is_file():
        raise JobError("the output is a file, the input isn't", file=str(target), hint="-o FOLDER")
    resolved = target.resolve()
    if source.is_dir() and (source.resolve() == resolved or source.resolve() in resolved.parents):
        raise JobError(
            "the output lies in the folder that is read",
            file=str(target),
            hint="write to a place outside of it, or --in-place",
        )
    return [(file, target / file.relative) for file in files]


def _check_text(text: TextOptions) -> None:
    if not text.is_utf8 or not text.header or text.names or text.quote is None:
        raise JobError(
            "a rekey reads files as tokenkit writes them: UTF-8, quoted, with a header",
            hint="leave out encoding, names and --no-header",
        )


def _is_done(request: RekeyRequest, item: RekeyInput, keyring: Keyring) -> bool:
    """Whether a file is of the new version, or its output is there already.

    Raises
    ------
    OutputExists
        If something else is there, and isn't to be replaced.
    """
    if request.target is None:
        return not item.changing
    if request.force or not item.target.exists():
        return False
    if holds(item.target, item.run, keyring):
        return True
    raise already_there(item.target)


def _as_written(request: RekeyRequest, path: Path) -> TextOptions:
    """Give the options that read what was written with a request's."""
    text = request.text
    match format_of(path).name:
        case "csv":
            return TextOptions(delimiter=text.delimiter, quote=text.quote, types=text.types)
        case "ndjson":
            return TextOptions(types=text.types)
        case _:
            return TextOptions()


def _check_proofs(item: RekeyInput, proofs: dict[str, Proof], rows: int) -> None:
    for name, proof in proofs.items():
        if not proof.holds() or sum(proof.counts("old").values()) != rows:
            raise JobError(
                "the new tokens don't stand for the values that the old ones stood for; nothing "
                "was changed",
                file=item.file.shown,
                column=name,
                hint="what was written isn't what was read: check the disk, and run it again",
            )
    known = item.opened.source.rows
    with translated(), refusing(item.file.path):
        if known is not None and known != rows:
            raise JobError(
                f"{known:,} rows were read and {rows:,} written; nothing was changed",
                file=item.file.shown,
                hint="run it again",
            )


def _passed_over(item: RekeyInput, request: RekeyRequest, keyring: Keyring) -> RekeyedFile:
    FileRun(request, item, keyring).settle()
    return _described(item, "skipped", 0, {})


def _described(
    item: RekeyInput, status: FileStatus, rows: int, proofs: dict[str, Proof]
) -> RekeyedFile:
    return RekeyedFile(
        file=masked(item.written),
        status=status,
        run=item.run,
        rows=rows,
        columns={
            name: RekeyedColumn.of(item.tokens[name].old, item.tokens[name].new, proof)
            for name, proof in proofs.items()
        },
    )


class _Shared:
    """One progress for the passes of many files: each file is read twice."""

    def __init__(self, progress: Progress, items: Sequence[RekeyInput]) -> None:
        known = [item.opened.source.estimated_rows for item in items]
        self._progress = progress
        self._before = self._last = 0
        progress.start(None if None in known else 2 * sum(n or 0 for n in known), exact=False)

    def start(self, rows: int | None, *, exact: bool) -> None:
        """Do nothing: it has begun."""

    def advance(self, rows: int) -> None:
        """Add the rows of a pass to those of the passes before it."""
        if rows < self._last:
            self._before += self._last
        self._last = rows
        self._progress.advance(self._before + rows)

    def finish(self) -> None:
        """Say that all passes are done."""
        self._progress.finish()
