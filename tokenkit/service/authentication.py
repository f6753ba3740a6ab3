"""Who asks: the bearer of an API key or of a session's token."""

from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.requests import Request

from tokenkit.access.bearer import API_KEY, SESSION, is_bearer
from tokenkit.access.principals import Principal
from tokenkit.access.tables.changes import UNAUTHENTICATED
from tokenkit.errors import NotAuthenticated
from tokenkit.service.authorization import audit_refusal
from tokenkit.service.headers import header
from tokenkit.service.observing import PRINCIPAL
from tokenkit.service.state import ServiceState, state_of

SCHEME = "bearer"
BEARER = HTTPBearer(
    scheme_name=SCHEME,
    auto_error=False,
    description="An API key (`tkk_...`) or a session's token (`tks_...`).",
)


async def authenticated(request: Request, state: ServiceState) -> Principal:
    """Say who asks.

    Raises
    ------
    NotAuthenticated
        If nobody is known by what was shown. What could have been a key or a token, and is none,
        is in the audit log.
    AccessStale
        If the rights couldn't be read again in time.
    StoreError
        If the database had to be asked, and fails.
    TooManyRequests
        If it is known who asks, and it is one request too many.
    """
    known: Principal | None = request.scope.get(PRINCIPAL)
    if known is not None:
        return known
    shown = header(request, "authorization") or ""
    kind, _, secret = shown.partition(" ")
    if kind.lower() != SCHEME or not secret:
        raise NotAuthenticated(
            "no API key and no session was shown",
            reason="not_authenticated",
            hint="send the header Authorization: Bearer tkk_... or tks_...",
        )
    held = state.rights.held(secret)
    if held is not None:
        return await _within_limits(request, state, held)
    is_key = is_bearer(secret, API_KEY)
    if not is_key and not is_bearer(secret, SESSION):
        raise NotAuthenticated(
            "that is no API key and no session's token",
            reason="malformed",
            hint="an API key starts with tkk_, a session's token with tks_",
        )
    try:
        if is_key:
            found = await state.run(state.rights.by_api_key, secret)
        else:
            found = await state.run(state.rights.by_session, secret)
    except NotAuthenticated as exc:
        refused = exc
    else:
        return await _within_limits(request, state, found)
    await audit_refusal(state, UNAUTHENTICATED, "authenticate", None, refused.reason)
    raise refused


async def _within_limits(request: Request, state: ServiceState, principal: Principal) -> Principal:
    await state.limits.take("api_key" if principal.via == "api-key" else "session", principal.id)
    # It counts once against limits.
    request.scope[PRINCIPAL] = principal
    return principal


async def _principal(request: Request, _: Annotated[object, Security(BEARER)]) -> Principal:
    return await authenticated(request, state_of(request))


CurrentPrincipal = Annotated[Principal, Depends(_principal)]
"""The parameter of a handler that needs to know who asks."""


async def _state(request: Request) -> ServiceState:
    return state_of(request)


CurrentState = Annotated[ServiceState, Depends(_state)]
"""The parameter of a handler that needs what handlers share."""
