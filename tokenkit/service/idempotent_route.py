"""Routes on which a POST with an idempotency key is carried out once.

For what can't be computed again, such as an API key that is shown once: what is sent again isn't
carried out, and the answer says where what was made is. Token operations have a way of their own,
see :mod:`tokenkit.service.idempotent_calls`.
"""

import contextlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from tokenkit.errors import RequestUnderWay, TokenkitError
from tokenkit.service.authentication import authenticated
from tokenkit.service.idempotency import Attempt, checked_idempotency_key
from tokenkit.service.idempotent_calls import HEADER, parts_of
from tokenkit.service.problems import Problem
from tokenkit.service.state import ServiceState, state_of

_LONGEST_REFERENCE = 255


class IdempotentRoute(APIRoute):
    """A route that knows the header ``Idempotency-Key``; for routers: ``route_class=``.

    A request that fails, in whatever way, can be sent again under its key.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler, within an attempt where the request has a key."""
        handler = super().get_route_handler()

        async def once(request: Request) -> Response:
            shown = request.headers.get(HEADER)
            if shown is None or request.method != "POST":
                return await handler(request)
            state = state_of(request)
            principal = await authenticated(request, state)
            attempt = await state.run(
                state.idempotency.begin,
                principal.user_id,
                checked_idempotency_key(shown),
                parts_of(request, await request.body()),
            )
            if not attempt.is_first:
                return _done_before(attempt)
            response: Response | None = None
            try:
                response = await handler(request)
            finally:
                await _settled(state, attempt, response)
            return response

        return once


async def _settled(state: ServiceState, attempt: Attempt, response: Response | None) -> None:
    # If it can't be noted, the attempt is forgotten after a minute.
    with contextlib.suppress(TokenkitError):
        if response is None or response.status_code >= HTTPStatus.BAD_REQUEST:
            await state.run(state.idempotency.release, attempt)
        else:
            made = response.headers.get("location", "")[:_LONGEST_REFERENCE] or None
            await state.run(state.idempotency.complete, attempt, response.status_code, made)


def _done_before(attempt: Attempt) -> Response:
    headers = {} if attempt.reference is None else {"location": attempt.reference}
    return Problem(
        HTTPStatus.CONFLICT,
        "a request under this idempotency key was carried out before",
        code=RequestUnderWay.code,
        reason="carried_out",
        hint="read what it made; secrets are shown once",
        headers=headers,
    )
