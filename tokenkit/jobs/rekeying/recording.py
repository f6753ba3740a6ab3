"""What a rekey tells the recorder: each file is a run of its own, as its metadata says."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from tokenkit.engines.polars.proof import Proof
from tokenkit.jobs.aside import masked
from tokenkit.jobs.origins import FileOrigin
from tokenkit.jobs.recording import begun, fields_of, publishing
from tokenkit.jobs.rekeying.preparation import RekeyInput
from tokenkit.jobs.rekeying.request import RekeyRequest
from tokenkit.jobs.targets import digest_of
from tokenkit.keys import Keyring
from tokenkit.lineage import (
    ColumnCounts,
    ColumnEdge,
    Dataset,
    DatasetUse,
    Recording,
    RunRecord,
    current_recorder,
)
from tokenkit.lineage.naming import of_file, of_folder, storable
from tokenkit.policy import Metadata


class FileRun:
    """The rekey of one file, as the recorder is told of it.

    Parameters
    ----------
    request
        What is done.
    item
        The file.
    keyring
        Where the keys are.

    Raises
    ------
    StoreError
        If there is no recorder to be had.
    """

    def __init__(self, request: RekeyRequest, item: RekeyInput, keyring: Keyring) -> None:
        self._item = item
        self._keyring = keyring
        self._recorder = current_recorder()
        self._source = FileOrigin(request.source).dataset
        self._output = _output(request, item.target)
        # Of a folder, one file says nothing.
        self._alone = request.source.is_file()
        _, size, changed, _ = item.before
        fields = fields_of(
            (name, item.opened.source.types.get(name, dtype))
            for name, dtype in item.opened.schema.items()
        )
        self._begun = replace(
            begun(item.run, "rekey"),
            inputs=(
                DatasetUse(
                    dataset=self._source,
                    fields=fields,
                    fingerprint=digest_of([(size, changed)]) if self._alone else None,
                    bytes=int(str(size)),
                ),
            ),
            outputs=(DatasetUse(dataset=self._output, fields=fields),),
        )

    def recording(self) -> AbstractContextManager[Recording]:
        """Begin to record."""
        return self._recorder.recording(self._begun, self._keyring)

    @contextlib.contextmanager
    def published(
        self,
        recording: Recording,
        staged: Path,
        rows: int,
        proofs: Mapping[str, Proof],
        is_published: Callable[[], bool],
    ) -> Iterator[None]:
        """Record the run before the file takes its place in the block, and that it has.

        Parameters
        ----------
        recording
            As :meth:`recording` gave it.
        staged
            The new file, proved.
        rows
            How many rows it has.
        proofs
            The proofs of its columns.
        is_published
            Says, after an error, whether the file may be in its place.
        """
        with publishing(recording, self._record(staged, rows, proofs), is_published):
            yield

    def settle(self) -> None:
        """Complete the record of the run that made the file, if it was killed just before that."""
        record = self._begun
        if self._item.file.path == self._item.target:
            document = self._item.opened.source.metadata
            if document is None:
                return
            record = replace(record, job_run=Metadata.parse(document).run)
        self._recorder.settle(record, self._keyring, create=False)

    def _record(self, staged: Path, rows: int, proofs: Mapping[str, Proof]) -> RunRecord:
        [source], [output] = self._begun.inputs, self._begun.outputs
        state = staged.stat()
        print_ = digest_of([(state.st_size, state.st_mtime_ns)]) if self._alone else None
        shown = storable(masked(self._item.written))
        return replace(
            self._begun,
            status="publishing",
            inputs=(replace(source, rows=rows),),
            outputs=(replace(output, rows=rows, bytes=state.st_size, fingerprint=print_),),
            columns=tuple(self._edge(name, proofs) for name in self._item.opened.schema),
            rows_read=rows,
            rows_written=rows,
            proofs={shown: {storable(name): proof.mac("new") for name, proof in proofs.items()}},
        )

    def _edge(self, name: str, proofs: Mapping[str, Proof]) -> ColumnEdge:
        column = storable(name)
        edge = ColumnEdge(
            input=self._source,
            input_column=column,
            output=self._output,
            output_column=column,
            action="keep",
        )
        if name not in proofs:
            return edge
        tokens, counts = self._item.tokens[name], proofs[name].counts("new")
        return replace(
            edge,
            action="rekey",
            scheme=tokens.rule.scheme.name,
            key=tokens.new.name,
            key_version=tokens.new.number,
            key_id=tokens.new.id,
            domain=tokens.rule.domain,
            counts=ColumnCounts(
                done=counts["value"],
                null=counts["null"],
                empty=counts["empty"],
                literal=counts["literal"],
                sealed=counts["sealed"],
            ),
        )


def _output(request: RekeyRequest, target: Path) -> Dataset:
    if request.target is None:
        return FileOrigin(request.source).dataset
    if request.source.is_file() and not request.target.is_dir():
        return of_file(target)
    return of_folder(request.target)
