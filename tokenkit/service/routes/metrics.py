"""``/metrics``: for Prometheus."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tokenkit.service.authentication import CurrentState

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, state: CurrentState) -> Response:
    """Give the counts of all workers. They name keys and schemes; no users, values or ids."""
    content, media_type = await state.run(state.metrics.exposed, request.headers.get("accept", ""))
    return Response(content, headers={"content-type": media_type})
