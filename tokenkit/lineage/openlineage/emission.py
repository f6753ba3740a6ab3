"""Events of runs, beside the recorder that remembers them.

The store is the record, and events are a copy for other systems. So an event that isn't delivered
fails no job: it is a warning, :class:`EventLost`, once the job has ended. Events are sent from a
thread of their own while the job works; at its end it waits a few seconds for them, and no longer.
"""

import contextlib
import json
import os
import queue
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Self

from tokenkit.errors import TokenkitError
from tokenkit.keys import Keyring
from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.openlineage.events import EventType, event
from tokenkit.lineage.openlineage.transports import NotDelivered, Transport, transports_of
from tokenkit.lineage.recorder import Recorder, Recording
from tokenkit.lineage.run_record import RunRecord

NAMESPACE_VARIABLE: Final = "TOKENKIT_OPENLINEAGE_NAMESPACE"
_PATIENCE = 8.0


class EventLost(UserWarning):
    """An OpenLineage event wasn't delivered; the run itself is recorded."""


def emitting(recorder: Recorder) -> Recorder:
    """Let a recorder's runs be told to others as well, if the environment says to whom.

    Raises
    ------
    JobError
        If the environment can't be followed.
    """
    transports = transports_of(os.environ)
    if not transports:
        return recorder
    return _Emitting(recorder, transports, os.environ.get(NAMESPACE_VARIABLE) or "tokenkit")


class _Emitting:
    def __init__(self, recorder: Recorder, transports: Sequence[Transport], namespace: str) -> None:
        self._recorder = recorder
        self._transports = transports
        self._namespace = namespace

    @contextlib.contextmanager
    def recording(self, record: RunRecord, keyring: Keyring) -> Iterator["_Emission"]:
        """Begin to record a run, and tell that it has begun."""
        with (
            _Delivery(self._transports) as delivery,
            self._recorder.recording(record, keyring) as inner,
        ):
            emission = _Emission(inner, delivery, record, self._namespace)
            emission.tell("START")
            try:
                yield emission
            except BaseException as exc:
                emission.fail(exc)
                raise

    def settle(self, record: RunRecord, keyring: Keyring, *, create: bool = True) -> None:
        """Settle; whoever is told of runs was told of this one when it began."""
        self._recorder.settle(record, keyring, create=create)

    @property
    def remembers(self) -> bool:
        """Whether the store does."""
        return self._recorder.remembers

    def has_written(self, dataset: Dataset) -> bool:
        """Ask the store."""
        return self._recorder.has_written(dataset)

    def metadata_of(self, dataset: Dataset) -> str | None:
        """Ask the store: others are told, and never asked."""
        return self._recorder.metadata_of(dataset)

    def proofs_of(self, run: str, output: Dataset) -> Mapping[str, Mapping[str, str]]:
        """Ask the store."""
        return self._recorder.proofs_of(run, output)


class _Emission:
    """The recording of one run, told to others step by step."""

    def __init__(
        self, recording: Recording, delivery: "_Delivery", record: RunRecord, namespace: str
    ) -> None:
        self._recording = recording
        self._delivery = delivery
        self._record = record
        self._namespace = namespace
        self._open = False

    def prepare(self, record: RunRecord) -> None:
        self._recording.prepare(record)
        self._record = record

    def leave_open(self) -> None:
        self._open = True
        self._recording.leave_open()

    def complete(self) -> None:
        self._open = True
        self._recording.complete()
        self.tell("COMPLETE")

    def fail(self, exc: BaseException) -> None:
        if self._open:
            return
        code = exc.code if isinstance(exc, TokenkitError) else None
        self._record = replace(self._record, error_code=code or type(exc).__name__)
        self.tell("FAIL" if isinstance(exc, Exception) else "ABORT")

    def tell(self, kind: EventType) -> None:
        told = event(self._record, kind, datetime.now(UTC), namespace=self._namespace)
        self._delivery.put(json.dumps(told, separators=(",", ":")).encode())


class _Delivery:
    """Sends a run's events in their order, from a thread of its own."""

    def __init__(self, transports: Sequence[Transport]) -> None:
        self._transports = transports
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lost: list[str] = []
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._waiting.put(None)
        self._thread.join(_PATIENCE)
        lost = list(self._lost)
        if self._thread.is_alive():
            lost.append("no answer in time")
        if lost:
            reasons = ", ".join(dict.fromkeys(lost))
            warnings.warn(
                f"OpenLineage events were not delivered: {reasons}; the run itself is recorded",
                EventLost,
                stacklevel=2,
            )

    def put(self, content: bytes) -> None:
        self._waiting.put(content)

    def _work(self) -> None:
        while (content := self._waiting.get()) is not None:
            for transport in self._transports:
                try:
                    transport.send(content)
                except NotDelivered as exc:
                    self._lost.append(str(exc))
                except Exception as exc:  # noqa: BLE001 - it's told by name, and never lost
                    self._lost.append(type(exc).__name__)
