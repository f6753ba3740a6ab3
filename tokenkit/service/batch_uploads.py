"""Uploads: sealed as they come, and in the queue when they are here."""

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import Request

from tokenkit.access.principals import Principal
from tokenkit.access.tables.changes import utc_now
from tokenkit.batches.batch import NewBatch
from tokenkit.batches.storage import SealedWriter, new_batch_key, seal_batch_key
from tokenkit.errors import InvalidRequest, RequestTooLarge, TokenkitError
from tokenkit.lineage import AuditRecord
from tokenkit.service.columns import Operation
from tokenkit.service.headers import header
from tokenkit.service.idempotency import Attempt, RequestParts, checked_idempotency_key
from tokenkit.service.idempotent_calls import HEADER, parts_of
from tokenkit.service.state import ServiceState

_PIECE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is to be done with a file.

    Attributes
    ----------
    operation, policy, policy_digest, purpose, input_suffix, output_suffix, text_options
        As of a :class:`~tokenkit.batches.batch.NewBatch`.
    """

    operation: Operation
    policy: str
    policy_digest: str
    purpose: str | None
    input_suffix: str
    output_suffix: str
    text_options: dict[str, Any]


async def received(
    request: Request, state: ServiceState, principal: Principal, upload: Upload
) -> UUID:
    """Receive a file, and put it into the queue; gives the batch's id.

    Under an idempotency key, a file that has been received before gives the batch of then.

    Raises
    ------
    RequestTooLarge, InvalidRequest
        If it is larger than is taken, or empty.
    Overloaded, TooManyRequests
        If too many batches wait.
    AuditUnavailable, StoreError
        If it can't be written down; nothing of it is kept then.
    """
    shown = header(request, HEADER)
    idempotency = None if shown is None else checked_idempotency_key(shown)
    batch, key = uuid4(), new_batch_key()
    new = NewBatch(
        id=batch,
        owner_id=principal.user_id,
        actor=principal.actor,
        operation=upload.operation,
        policy=upload.policy,
        policy_digest=upload.policy_digest,
        purpose=upload.purpose,
        input_suffix=upload.input_suffix,
        output_suffix=upload.output_suffix,
        text_options=upload.text_options,
        sealed_key=seal_batch_key(state.keyring, batch, key),
    )
    await state.run(_create, state, new)
    attempt: Attempt | None = None
    kept = False
    try:
        writer = await state.run(state.batch_storage.upload, batch, key)
        digest = await _sealed(request, state, writer)
        if idempotency is not None:
            attempt = await state.run(
                state.idempotency.begin, principal.user_id, idempotency, _parts(request, digest)
            )
            if not attempt.is_first:
                return UUID(attempt.reference or "")
        await _submitted(state, principal, new, writer.size, attempt)
        kept = True
    finally:
        if not kept:
            # Also if the caller went away: nobody waits for it.
            await asyncio.shield(_forgotten(state, batch, attempt))
    return batch


def _create(state: ServiceState, new: NewBatch) -> None:
    with state.database.begin() as connection:
        state.batches.create(connection, new)


async def _sealed(request: Request, state: ServiceState, writer: SealedWriter) -> bytes:
    """Seal the body as it comes; gives its digest, which doesn't leave the process."""
    digest = hashlib.sha256()
    waiting = bytearray()
    most = state.settings.most_upload_bytes
    try:
        async for chunk in request.stream():
            waiting += chunk
            if writer.size + len(waiting) > most:
                raise RequestTooLarge(
                    f"the file is larger than {most:,} bytes",
                    reason="upload_size",
                    hint="split it, or let a job do it: tokenkit tokenize",
                )
            if len(waiting) >= _PIECE:
                piece = bytes(waiting)
                waiting.clear()
                await state.run(_sealed_piece, writer, digest, piece)
        await state.run(_sealed_piece, writer, digest, bytes(waiting))
        if not writer.size:
            raise InvalidRequest("the file is empty", reason="empty", location="body")
        await state.run(writer.complete)
    except BaseException:
        writer.abort()
        raise
    return digest.digest()


def _sealed_piece(writer: SealedWriter, digest: Any, piece: bytes) -> None:
    digest.update(piece)
    writer.write(piece)


def _parts(request: Request, digest: bytes) -> RequestParts:
    return parts_of(request, digest)


async def _submitted(
    state: ServiceState,
    principal: Principal,
    new: NewBatch,
    size: int,
    attempt: Attempt | None,
) -> None:
    record = AuditRecord(
        at=utc_now(),
        actor=principal.actor,
        action="batch.create",
        outcome="complete",
        object=f"batch:{new.id}",
        detail=None,
    )

    def within(connection: Any) -> None:
        state.batches.submit(connection, new.id, size)
        if attempt is not None:
            state.idempotency.finish(connection, attempt=attempt, status=202, reference=str(new.id))

    await state.audit.write([record], [within])


async def _forgotten(state: ServiceState, batch: UUID, attempt: Attempt | None) -> None:
    def forget() -> None:
        # What can't be removed now is found among what nobody knows any more.
        with contextlib.suppress(TokenkitError), state.database.begin() as connection:
            state.batches.abandon(connection, batch)
        with contextlib.suppress(TokenkitError):
            state.batch_storage.remove(batch)
        if attempt is not None and attempt.is_first:
            with contextlib.suppress(TokenkitError):
                state.idempotency.release(attempt)

    await state.run(forget)
