"""``/v1/batches``: files that are uploaded, worked on, and fetched."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from tokenkit.access.principals import Principal
from tokenkit.access.tables.changes import utc_now
from tokenkit.batches.batch import Batch
from tokenkit.batches.storage import SealedReader
from tokenkit.errors import BatchLost, UnknownResource
from tokenkit.lineage import AuditRecord
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.authorization import audit_refusal, unknown
from tokenkit.service.batch_rights import require_policy
from tokenkit.service.batch_uploads import Upload, received
from tokenkit.service.pages import (
    Page,
    PageQuery,
    cursor_of,
    moment_part,
    read_cursor,
    read_id,
    read_moment,
)
from tokenkit.service.ranges import asked_range
from tokenkit.service.routes.batch_documents import (
    ANY,
    BATCH,
    BODY,
    MEDIA,
    PARQUET,
    BatchFacts,
    BatchQuery,
    file_answer,
)
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/batches", tags=["batches"])

_NO_STORE = {"cache-control": "no-store"}


@router.post(
    "",
    summary="Upload a file to be tokenized",
    status_code=202,
    response_model=BatchFacts,
    responses=example(202, BATCH) | problems(401, 403, 404, 409, 413, 422, 429, 500, 503),
    openapi_extra=BODY,
)
async def create(
    request: Request,
    response: Response,
    query: Annotated[BatchQuery, Query()],
    principal: CurrentPrincipal,
    state: CurrentState,
) -> BatchFacts:
    """Upload a file, which is the body as it is.

    It is sealed as it comes, worked on when it is here and it is its turn, and removed when it is
    done. The right to the operation on every column that the policy turns is needed, and looked at
    before the body is read.
    """
    policy = await require_policy(state, principal, query.operation, query.policy, query.purpose)
    text: dict[str, Any] = {"header": query.header}
    for name in ("delimiter", "encoding"):
        if (given := getattr(query, name)) is not None:
            text[name] = given
    upload = Upload(
        operation=query.operation,
        policy=query.policy,
        policy_digest=policy.digest,
        purpose=query.purpose,
        input_suffix=f".{query.format}",
        output_suffix=f".{query.output or query.format}",
        text_options={} if query.format == "parquet" else text,
    )
    batch = await received(request, state, principal, upload)
    response.headers["location"] = f"/v1/batches/{batch}"
    found = await state.run(state.batches.find, batch)
    if found is None:
        raise unknown()
    return BatchFacts.of(found)


@router.get(
    "",
    summary="List one's batches",
    response_model=Page[BatchFacts],
    responses=example(200, {"items": [BATCH], "next": None}) | problems(401, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[PageQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[BatchFacts]:
    """List the caller's own batches, the latest first."""
    before = None
    if query.cursor is not None:
        moment, batch = read_cursor(query.cursor, "batches", str, str)
        before = read_moment(moment), read_id(batch)
    rows = await state.run(
        state.batches.of_owner, principal.user_id, before=before, most=query.limit + 1
    )
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return Page(
        items=[BatchFacts.of(one) for one in shown],
        next=cursor_of("batches", moment_part(shown[-1].created), str(shown[-1].id))
        if more
        else None,
    )


@router.get(
    "/{batch_id}",
    summary="Read how a batch stands",
    response_model=BatchFacts,
    responses=example(200, BATCH) | problems(401, 404, 422, 429, 500, 503),
)
async def show(batch_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> BatchFacts:
    """Read how far a batch is, and what became of it."""
    return BatchFacts.of(await _own(state, principal, "batch.read", batch_id))


@router.post(
    "/{batch_id}/cancel",
    summary="Cancel a batch",
    response_model=BatchFacts,
    responses=example(200, {**BATCH, "state": "cancelled"})
    | problems(401, 404, 409, 422, 429, 500, 503),
)
async def cancel(batch_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> BatchFacts:
    """End a batch before it is done; one that runs ends in a moment."""
    batch = await _own(state, principal, "batch.cancel", batch_id)
    await state.audit.write(
        [_record(principal, "batch.cancel", batch)],
        [lambda connection: state.batches.cancel(connection, batch.id) and None],
    )
    if not batch.is_open or batch.state != "running":
        await state.run(state.batch_storage.remove, batch.id)
    return BatchFacts.of(await _own(state, principal, "batch.read", batch_id))


@router.delete(
    "/{batch_id}",
    summary="Remove a batch's result",
    status_code=204,
    responses=problems(401, 404, 409, 422, 429, 500, 503),
)
async def remove(batch_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> None:
    """Remove the result of a complete batch before its time."""
    batch = await _own(state, principal, "batch.remove", batch_id)
    if batch.state != "complete":
        raise BatchLost("the batch has no result", hint="cancel it, if it is to end")
    await state.audit.write(
        [_record(principal, "batch.remove", batch)],
        [lambda connection: state.batches.expire(connection, batch.id)],
    )
    await state.run(state.batch_storage.remove, batch.id)


@router.head("/{batch_id}/result", include_in_schema=False)
@router.get(
    "/{batch_id}/result",
    summary="Fetch a result",
    response_class=Response,
    responses=file_answer(ANY, "The file.")
    | {206: {"description": "A part of it.", "content": {ANY: {}}}}
    | problems(401, 403, 404, 409, 416, 422, 429, 500, 503),
)
async def result(
    batch_id: UUID, request: Request, principal: CurrentPrincipal, state: CurrentState
) -> Response:
    """Fetch the result of a complete batch, or with `Range` a part of it.

    The right that the upload needed is needed again.
    """
    batch = await _own(state, principal, "batch.download", batch_id)
    await require_policy(state, principal, batch.operation, batch.policy, batch.purpose)
    reader = await _opened(state, batch)
    tag = f'"{batch.id.hex}-{batch.attempt}"'
    asked = asked_range(request.headers, reader.size, tag)
    start, end = (0, reader.size) if asked is None else asked
    headers = {
        **_NO_STORE,
        "accept-ranges": "bytes",
        "etag": tag,
        "content-length": str(end - start),
        "content-disposition": f'attachment; filename="{batch.id}{batch.output_suffix}"',
    }
    status = 200
    if asked is not None:
        status = 206
        headers["content-range"] = f"bytes {start}-{end - 1}/{reader.size}"
    media = MEDIA.get(batch.output_suffix, ANY)
    if request.method == "HEAD":
        reader.close()
        return Response(status_code=status, headers=headers, media_type=media)
    try:
        await state.audit.write([_record(principal, "batch.download", batch)])
    except BaseException:
        reader.close()
        raise
    content = _pieces(state, reader, start, end)
    return StreamingResponse(content, status, headers=headers, media_type=media)


@router.get(
    "/{batch_id}/rejects",
    summary="Fetch rejected rows",
    response_class=Response,
    responses=file_answer(PARQUET, "A file of sealed rows.")
    | problems(401, 404, 409, 422, 429, 500, 503),
)
async def rejects(batch_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> Response:
    """Fetch the rows that were rejected, sealed cell by cell: `tokenkit rejects` opens them."""
    batch = await _complete(state, principal, batch_id)
    content = await state.run(state.batch_storage.rejected, batch.id, batch.attempt)
    return await _beside(state, principal, batch, content, PARQUET)


@router.get(
    "/{batch_id}/metadata",
    summary="Fetch what says how a result's tokens were made",
    response_class=Response,
    responses=file_answer("application/json", "A sidecar.")
    | problems(401, 404, 409, 422, 429, 500, 503),
)
async def metadata(batch_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> Response:
    """Fetch the metadata beside a text file's tokens; Parquet files have it in themselves."""
    batch = await _complete(state, principal, batch_id)
    content = await state.run(state.batch_storage.metadata, batch.id, batch.attempt)
    return await _beside(state, principal, batch, content, "application/json")


async def _beside(
    state: ServiceState, principal: Principal, batch: Batch, content: bytes | None, media: str
) -> Response:
    if content is None:
        raise UnknownResource("the result has none", reason="none")
    await state.audit.write([_record(principal, "batch.download", batch)])
    return Response(content, headers=_NO_STORE, media_type=media)


async def _own(state: ServiceState, principal: Principal, action: str, batch_id: UUID) -> Batch:
    """Find a batch of the caller's own; anybody else's is like one that there isn't."""
    found = await state.run(state.batches.find, batch_id)
    if found is None or found.owner_id != principal.user_id:
        named = None if found is None else f"batch:{batch_id}"
        await audit_refusal(state, principal.actor, action, named, "unknown")
        raise unknown()
    return found


async def _complete(state: ServiceState, principal: Principal, batch_id: UUID) -> Batch:
    batch = await _own(state, principal, "batch.download", batch_id)
    _require_complete(batch)
    return batch


def _require_complete(batch: Batch) -> None:
    if batch.state != "complete":
        over = "its time is over" if batch.state == "expired" else f"it is {batch.state}"
        raise BatchLost(f"the batch has no result: {over}", hint="read how it stands")


async def _opened(state: ServiceState, batch: Batch) -> SealedReader:
    _require_complete(batch)
    return await state.run(state.open_result, batch)


async def _pieces(
    state: ServiceState, reader: SealedReader, start: int, end: int
) -> AsyncIterator[bytes]:
    with reader:
        pieces = state.batch_storage.pieces(reader, start, end)
        while (piece := await state.run(next, pieces, None)) is not None:
            yield piece


def _record(principal: Principal, action: str, batch: Batch) -> AuditRecord:
    return AuditRecord(
        at=utc_now(),
        actor=principal.actor,
        action=action,
        outcome="complete",
        object=f"batch:{batch.id}",
    )
