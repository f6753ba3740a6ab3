"""``/v1/sessions``: signing in and out, and showing a second factor again."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from tokenkit.access.bearer import SESSION, is_bearer
from tokenkit.access.principals import Principal
from tokenkit.access.resources import Resource
from tokenkit.access.sign_in import SignedIn, SignIn
from tokenkit.access.tables.changes import Work, utc_now
from tokenkit.access.tables.sessions import (
    Session,
    find_session,
    list_sessions,
    revoke_session,
)
from tokenkit.access.tables.users import User, user_with_id
from tokenkit.errors import Forbidden, NotAuthenticated, UnknownAccount
from tokenkit.service.administration import (
    change,
    notice,
    read,
    require_existing,
    require_own,
    sealer,
    user_named,
    user_resource,
)
from tokenkit.service.authentication import SCHEME, CurrentPrincipal, CurrentState
from tokenkit.service.bodies.strict import StrictBody, TypedName, TypedSecret
from tokenkit.service.pages import (
    Page,
    PageQuery,
    Text,
    cursor_of,
    moment_part,
    read_cursor,
    read_id,
    read_moment,
)
from tokenkit.service.routes.documentation import example, problems
from tokenkit.service.state import ServiceState

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])
_WRITE = "sessions.write"
_NO_STORE = {"cache-control": "no-store"}


class SignInBody(StrictBody):
    """What is typed to sign in."""

    name: TypedName
    password: TypedSecret
    code: TypedSecret | None = Field(
        default=None, description="A code of the authenticator app, or a recovery code."
    )


class StepUpBody(StrictBody):
    """A second factor, shown again."""

    code: TypedSecret = Field(description="A code of the app, or a recovery code.")


class OpenedSession(BaseModel):
    """A session with its token, which is shown this once."""

    id: UUID
    user: str
    token: str = Field(description="Goes into the header Authorization: Bearer.")
    second_factor: bool = Field(description="Whether a second factor was shown.")
    must_change_password: bool = Field(
        description="Whether the password must be changed before anything else."
    )

    @classmethod
    def of(cls, found: SignedIn) -> "OpenedSession":
        """Say what a sign-in gave."""
        return cls(
            id=found.session_id,
            user=found.name,
            token=found.token,
            second_factor=found.second_factor,
            must_change_password=found.must_change_password,
        )


class SessionFacts(BaseModel):
    """A session, without its token."""

    id: UUID
    user: str
    created: datetime
    last_used: datetime = Field(description="Written down once a minute.")
    ends: datetime
    stepped_up: datetime | None = Field(description="When it last saw a second factor.")
    current: bool = Field(description="Whether it is the one that asks.")


class SessionQuery(PageQuery):
    """Whose sessions are listed."""

    user: Text | None = Field(default=None, description="Another user's; by default one's own.")


_OPENED = {
    "id": "0b0f6a52-6a0c-4c43-9c3e-0a3f3a6d2f11",
    "user": "ann",
    "token": "tks_...",
    "second_factor": True,
    "must_change_password": False,
}


@router.post(
    "",
    summary="Sign in",
    status_code=201,
    response_model=OpenedSession,
    responses=example(201, _OPENED) | problems(400, 401, 413, 422, 429, 500, 503),
    openapi_extra={"security": [{}, {SCHEME: []}]},
)
async def sign_in(
    request: Request, response: Response, body: SignInBody, state: CurrentState
) -> OpenedSession:
    """Open a session.

    Whoever can't be signed in gets one answer, whatever was wrong, and after the same time. A user
    with a second factor needs a code; without one the reason is `second_factor`. A session that is
    shown in the header `Authorization` ends when its user signs in anew.
    """
    address = None if request.client is None else request.client.host
    shown = request.headers.get("authorization", "").partition(" ")[2]

    def signing_in() -> SignedIn:
        found = _signing(state)(body.name, body.password, code=body.code, address=address)
        if is_bearer(shown, SESSION):
            _end_former(state, shown, found)
        return found

    opened = await state.signing.run(signing_in)
    response.headers.update(_NO_STORE)
    response.headers["location"] = f"/v1/sessions/{opened.session_id}"
    return OpenedSession.of(opened)


@router.post(
    "/current/step-up",
    summary="Show a second factor again",
    response_model=OpenedSession,
    responses=example(200, _OPENED) | problems(400, 401, 403, 413, 422, 429, 500, 503),
)
async def step_up(
    request: Request,
    response: Response,
    body: StepUpBody,
    principal: CurrentPrincipal,
    state: CurrentState,
) -> OpenedSession:
    """Give the session another token, with a second factor that is fresh; the old token ends."""
    _require_session(principal)
    shown = request.headers["authorization"].partition(" ")[2]
    found = await state.run(_signing(state).step_up, shown, body.code)
    await state.run(notice, state)
    response.headers.update(_NO_STORE)
    return OpenedSession.of(found)


@router.get(
    "",
    summary="List sessions",
    response_model=Page[SessionFacts],
    responses=problems(401, 403, 404, 422, 429, 500, 503),
)
async def list_(
    query: Annotated[SessionQuery, Query()], principal: CurrentPrincipal, state: CurrentState
) -> Page[SessionFacts]:
    """List sessions that haven't ended, the latest first: one's own, or another user's."""
    before = None
    if query.cursor is not None:
        moment, session = read_cursor(query.cursor, "sessions", str, str)
        before = read_moment(moment), read_id(session)
    user = await read(state, lambda connection: _whose(connection, principal, query.user))
    if query.user is not None and (user is None or user.id != principal.user_id):
        await require_existing(
            state, principal, "sessions.read", user_resource(query.user), exists=user is not None
        )
    if user is None:
        raise NotAuthenticated("there is no such user any more", reason="unknown_user")
    most = query.limit + 1
    rows = await read(
        state,
        lambda connection: list_sessions(connection, user.id, utc_now(), before=before, most=most),
    )
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return Page(
        items=[_facts(one, user.name, principal) for one in shown],
        next=cursor_of("sessions", moment_part(shown[-1].created), str(shown[-1].id))
        if more
        else None,
    )


@router.delete(
    "/current",
    summary="Sign out",
    status_code=204,
    responses=problems(401, 403, 422, 429, 500, 503),
)
async def sign_out(principal: CurrentPrincipal, state: CurrentState) -> None:
    """End the session that asks."""
    _require_session(principal)
    await change(
        state,
        principal,
        _WRITE,
        f"session:{principal.id}",
        lambda work: revoke_session(work, principal.id, of_user=principal.user_id),
    )


@router.delete(
    "/{session_id}",
    summary="End a session",
    status_code=204,
    responses=problems(401, 403, 404, 422, 429, 500, 503),
)
async def end(session_id: UUID, principal: CurrentPrincipal, state: CurrentState) -> None:
    """End a session of one's own, or another user's; every worker knows within five seconds."""
    found = await read(state, lambda connection: _found(connection, session_id))
    if found is not None and found[0].user_id == principal.user_id:
        await require_own(state, principal, _WRITE)
    else:
        owner = None if found is None else found[1].name
        resource = Resource(user=owner, session=str(session_id))
        await require_existing(state, principal, _WRITE, resource, exists=found is not None)
    named = f"session:{session_id}"

    def ending(work: Work) -> None:
        revoke_session(work, session_id)

    await change(state, principal, _WRITE, named, ending)


def _signing(state: ServiceState) -> SignIn:
    return SignIn(state.database, state.signing.pool, sealer(state), state.audit)


def _end_former(state: ServiceState, shown: str, opened: SignedIn) -> None:
    try:
        former = state.rights.by_session(shown)
    except NotAuthenticated:
        return
    if former.user_id != opened.user_id:
        return
    with state.database.begin() as connection:
        work = Work(connection=connection, actor=opened.name, auditor=state.audit)
        revoke_session(work, former.id, of_user=opened.user_id)
    notice(state)


def _require_session(principal: Principal) -> None:
    if principal.via != "session":
        raise Forbidden(
            "an API key is no session", reason="person_required", hint="sign in with a password"
        )


def _whose(connection: Connection, principal: Principal, typed: str | None) -> User | None:
    if typed is not None:
        return user_named(connection, typed)
    try:
        return user_with_id(connection, principal.user_id)
    except UnknownAccount:
        return None


def _found(connection: Connection, session_id: UUID) -> tuple[Session, User] | None:
    try:
        session = find_session(connection, session_id)
        return session, user_with_id(connection, session.user_id)
    except UnknownAccount:
        return None


def _facts(session: Session, user: str, principal: Principal) -> SessionFacts:
    return SessionFacts(
        id=session.id,
        user=user,
        created=session.created,
        last_used=session.last_used,
        ends=session.ends,
        stepped_up=session.stepped_up,
        current=principal.via == "session" and session.id == principal.id,
    )
