"""Around token operations: those with an idempotency key are carried out once."""

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request

from tokenkit.errors import TokenkitError
from tokenkit.service.guards import TokenCall, TokenResult
from tokenkit.service.headers import header
from tokenkit.service.idempotency import Attempt, RequestParts, checked_idempotency_key

if TYPE_CHECKING:
    from tokenkit.service.state import ServiceState

HEADER = "idempotency-key"


def parts_of(request: Request, body: bytes) -> RequestParts:
    """Give what makes a request the same as another one."""
    query = request.url.query
    return RequestParts(
        method=request.method,
        target=f"{request.url.path}?{query}" if query else request.url.path,
        content_type=header(request, "content-type") or "",
        body=body,
    )


class IdempotencyGuard:
    """Begins token operations that have an idempotency key, and notes that they are done.

    What is sent again is computed again, and changes nothing. It is noted in the transaction of the
    audit record, so that it is done exactly if it is written down.

    Parameters
    ----------
    state
        What handlers share.
    """

    def __init__(self, state: "ServiceState") -> None:
        self._state = state

    async def before(self, call: TokenCall) -> None:
        """Begin, or find that it was done; refuse another request under the same key."""
        shown = header(call.request, HEADER)
        if shown is None:
            return
        attempt = await self._state.run(
            self._state.idempotency.begin,
            call.principal.user_id,
            checked_idempotency_key(shown),
            parts_of(call.request, call.body),
        )
        if attempt.is_first:
            call.extra["attempt"] = attempt
        else:
            call.extra["again"] = True

    async def after(self, call: TokenCall, result: TokenResult) -> None:
        """Note with the audit record that it is done."""
        attempt: Attempt | None = call.extra.get("attempt")
        if attempt is not None:
            done = partial(self._state.idempotency.finish, attempt=attempt, status=200)
            result.within.append(done)

    async def failed(self, call: TokenCall) -> None:
        """Forget it, so that it can be sent again at once."""
        attempt: Attempt | None = call.extra.get("attempt")
        if attempt is not None:
            # If that isn't possible either, it is forgotten after a minute.
            with contextlib.suppress(TokenkitError):
                await self._state.run(self._state.idempotency.release, attempt)
