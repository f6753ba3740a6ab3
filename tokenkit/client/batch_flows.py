"""Calls about batches: a file is uploaded, asked about, and its result fetched."""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict
from uuid import UUID, uuid4

from tokenkit.client import reading
from tokenkit.client.attempts import Attempts
from tokenkit.client.effects import Call, Flow, Pause, Work
from tokenkit.client.facts import Batch, Page
from tokenkit.client.problems import unreadable
from tokenkit.client.progress import Progress, telling
from tokenkit.client.settings import Retries
from tokenkit.client.sources import Source, named_format, upload_content
from tokenkit.client.targets import Download
from tokenkit.client.token_flows import IDEMPOTENCY_KEY, changing, checked_id, page_query
from tokenkit.errors import (
    BatchError,
    BatchInterrupted,
    BatchLost,
    PolicyReplaced,
    RequestRefused,
    ServiceTimedOut,
)

BatchRef: TypeAlias = Batch | UUID | str
"""A batch, or its id."""
_FIRST_LOOK = 0.2
_LATER = 1.5
_BEGUN_ANEW = 3
_FAILURES: dict[str, type[BatchError]] = {
    kind.code: kind for kind in (BatchLost, BatchInterrupted, PolicyReplaced)
}


class UploadOptions(TypedDict, total=False):
    """How a file is written, and its result.

    ``format`` and ``output`` are ``csv``, ``tsv`` (each also ``.gz`` or ``.zst``) or ``parquet``; a
    path's own name says the first, and the second is the same. ``delimiter``, ``header`` and
    ``encoding`` are about text; ``purpose`` is what for, where a grant asks.
    """

    format: str
    output: str
    delimiter: str
    header: bool
    encoding: str
    purpose: str


def batch_path(batch: BatchRef, *below: str) -> str:
    """Give the path of a batch, or of what is below it.

    Examples
    --------
    >>> batch_path("0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11", "result")
    '/v1/batches/0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11/result'
    """
    found = batch.id if isinstance(batch, Batch) else checked_id(batch)
    return "/".join(("/v1/batches", str(found), *below))


@dataclass(frozen=True, slots=True)
class BatchFlows:
    """Calls about batches.

    Attributes
    ----------
    retries
        How often and how long they are tried.
    monotonic
        Gives seconds that only grow.
    """

    retries: Retries
    monotonic: Callable[[], float] = time.monotonic

    def create(self, source: Source, policy: str, options: UploadOptions) -> Flow[Batch]:
        """Upload a file, again only if it can be read again."""
        if unknown := sorted(options.keys() - UploadOptions.__annotations__.keys()):
            raise TypeError(f"there is no option {unknown[0]!r}")
        form = options.get("format") or named_format(source)
        query = {"policy": policy} | ({} if form is None else {"format": form})
        for name, given in options.items():
            if given is not None and name != "format":
                query[name] = str(given).lower() if name == "header" else str(given)
        content = upload_content(source, form)
        call = Call(method="POST", path="/v1/batches", query=query, content=content)
        answer = yield from changing(self.retries, call)
        return reading.read(answer, reading.batch)

    def get(self, batch: BatchRef) -> Flow[Batch]:
        """Read how a batch stands."""
        call = Call(method="GET", path=batch_path(batch))
        answer = yield from Attempts(self.retries).run(lambda: call)
        return reading.read(answer, reading.batch)

    def page(self, limit: int, cursor: str | None) -> Flow[Page[Batch]]:
        """Read a page of the caller's batches."""
        call = Call(method="GET", path="/v1/batches", query=page_query(limit, cursor))
        answer = yield from Attempts(self.retries).run(lambda: call)
        return reading.read(answer, reading.page_of(reading.batch))

    def wait(
        self,
        batch: BatchRef,
        seconds: float | None,
        most_between: float,
        progress: Progress,
        *,
        check: bool,
    ) -> Flow[Batch]:
        """Ask until a batch is over."""
        until = None if seconds is None else self.monotonic() + seconds
        between = min(_FIRST_LOOK, most_between)
        with telling(progress) as tell:
            while True:
                found = yield from self.get(batch)
                tell(found)
                if found.is_over:
                    break
                # Not all who wait ask at the same moments.
                pause = between * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
                if until is not None and self.monotonic() + pause > until:
                    raise ServiceTimedOut(
                        f"the batch is {found.state} still",
                        reason="wait",
                        hint="it goes on: wait for it again, or cancel it",
                    )
                yield Pause(pause)
                between = min(between * _LATER, most_between)
        if check:
            require_complete(found)
        return found

    def cancel(self, batch: BatchRef) -> Flow[Batch]:
        """End a batch before it is done; sent again, that it has ended so is no error."""
        return (yield from self._ended(batch, "POST", batch_path(batch, "cancel"), "cancelled"))

    def delete(self, batch: BatchRef) -> Flow[Batch]:
        """Remove a result; the same."""
        return (yield from self._ended(batch, "DELETE", batch_path(batch), "expired"))

    def download(
        self,
        batch: BatchRef,
        what: Literal["result", "rejects", "metadata"],
        target: str | os.PathLike[str],
        *,
        overwrite: bool,
    ) -> Flow[Path]:
        """Fetch a file, and go on where the connection broke off."""
        path, place = batch_path(batch, what), Path(target)
        file: Download | None = None
        try:

            def opened() -> Download:
                nonlocal file
                file = Download(place, overwrite=overwrite)
                return file

            download: Download = yield Work(opened)

            def call() -> Call:
                return Call(method="GET", path=path, headers=download.headers())

            answer = yield from Attempts(self.retries).run(call, download)
            begun = 1
            while not download.is_whole:
                # A part of another file, of which the whole may come next.
                if begun == _BEGUN_ANEW:
                    raise unreadable(answer, "the answer isn't the file, or a part of it")
                begun += 1
                answer = yield from Attempts(self.retries).run(call, download)
            yield Work(download.keep)
        finally:
            if file is not None:
                file.discard()
        return place

    def _ended(
        self, batch: BatchRef, method: Literal["POST", "DELETE"], path: str, state: str
    ) -> Flow[Batch]:
        """Make a call that can be made once, and look what became of it if that isn't known."""
        attempts = Attempts(self.retries)
        keyed = Call(method=method, path=path, headers={IDEMPOTENCY_KEY: str(uuid4())})
        refused: RequestRefused | None = None
        try:
            answer = yield from attempts.run(lambda: keyed)
        except RequestRefused as error:
            if error.status != 409 or not attempts.may_have_counted:
                raise
            refused = error
        else:
            if answer.body:
                return reading.read(answer, reading.batch)
        found = yield from self.get(batch)
        if refused is not None and found.state != state:
            raise refused
        return found


def require_complete(batch: Batch) -> None:
    """Raise unless a batch is complete.

    Raises
    ------
    BatchError
        If it has failed; of the class of its failure if that is one of batches.
    BatchLost
        If it was cancelled, or its result was removed.
    """
    failure = batch.failure
    if failure is not None:
        kind = _FAILURES.get(failure.code, BatchError)
        raise kind(
            f"the batch has failed: {failure.detail} ({failure.code})",
            reason=failure.reason,
            hint=failure.hint,
        )
    if batch.state != "complete":
        raise BatchLost(f"the batch has no result: it is {batch.state}", reason=batch.state)
