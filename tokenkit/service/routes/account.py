"""``/v1/account``: what is one's own: the password, the second factor, the rights."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from tokenkit.access.own_password import change_own_password
from tokenkit.access.principals import Principal
from tokenkit.access.tables.changes import Work
from tokenkit.access.tables.roles import roles_of
from tokenkit.access.tables.second_factor import (
    begin_totp,
    confirm_totp,
    has_second_factor,
    renew_recovery_codes,
    unused_recovery_codes,
)
from tokenkit.access.tables.users import user_with_id
from tokenkit.access.totp import provisioning_uri
from tokenkit.errors import PasswordRefused
from tokenkit.service.administration import change, notice, read, require_own, sealer
from tokenkit.service.authentication import CurrentPrincipal, CurrentState
from tokenkit.service.authorization import audit_refusal
from tokenkit.service.bodies.strict import StrictBody, TypedSecret
from tokenkit.service.idempotent_route import IdempotentRoute
from tokenkit.service.routes.documentation import example, problems

router = APIRouter(prefix="/v1/account", tags=["account"], route_class=IdempotentRoute)
_PROBLEMS = problems(400, 401, 403, 409, 413, 422, 429, 500, 503)
_NO_STORE = {"cache-control": "no-store"}


class Account(BaseModel):
    """Who asks."""

    user: str
    kind: Literal["person", "service"]
    via: Literal["session", "api-key"]
    roles: list[str]
    second_factor: bool = Field(description="Whether a second factor is set up.")
    recovery_codes: int = Field(description="How many recovery codes are unused.")
    stepped_up: datetime | None = Field(
        description="When the session last saw a second factor; it is fresh for ten minutes."
    )


class PasswordBody(StrictBody):
    """One's own password, and the next one."""

    old: TypedSecret
    new: TypedSecret


class TotpSecret(BaseModel):
    """A TOTP secret, which is shown this once."""

    secret: str = Field(description="In base 32, for an authenticator app.")
    uri: str = Field(description="The same as an otpauth URI, for a QR code.")


class CodeBody(StrictBody):
    """A code of the app that was given the secret."""

    code: TypedSecret


class RecoveryCodes(BaseModel):
    """Recovery codes, which are shown this once."""

    recovery_codes: list[str] = Field(description="Each is good for one use.")


@router.get(
    "",
    summary="Who asks",
    response_model=Account,
    responses=example(
        200,
        {
            "user": "ann",
            "kind": "person",
            "via": "session",
            "roles": ["auditor"],
            "second_factor": True,
            "recovery_codes": 10,
            "stepped_up": "2026-11-23T09:00:00Z",
        },
    )
    | problems(401, 422, 429, 500, 503),
)
async def show(principal: CurrentPrincipal, state: CurrentState) -> Account:
    """Say who asks, with which roles and which second factor."""
    return await read(state, lambda connection: _account(connection, principal))


@router.post("/password", summary="Change the password", status_code=204, responses=_PROBLEMS)
async def password(body: PasswordBody, principal: CurrentPrincipal, state: CurrentState) -> None:
    """Change one's own password; the session that asks goes on, the others end."""
    await require_own(state, principal, "user.password")

    def changing() -> None:
        change_own_password(
            state.database,
            state.signing.pool,
            sealer(state),
            state.audit,
            principal,
            old=body.old,
            new=body.new,
            rules=state.signing.rules,
        )
        notice(state)

    try:
        return await state.signing.run(changing)
    except PasswordRefused as error:
        refused = error
    named = f"user:{principal.name}"
    await audit_refusal(state, principal.actor, "user.password", named, refused.reason)
    raise refused


@router.post(
    "/totp",
    summary="Begin to set up a second factor",
    status_code=201,
    response_model=TotpSecret,
    responses=example(
        201,
        {
            "secret": "JBSWY3DPEHPK3PXP...",
            "uri": "otpauth://totp/tokenkit:ann?secret=JBSWY3DPEHPK3PXP...&issuer=tokenkit",
        },
    )
    | problems(401, 403, 409, 413, 422, 429, 500, 503),
)
async def begin_second_factor(
    response: Response, principal: CurrentPrincipal, state: CurrentState
) -> TotpSecret:
    """Give a TOTP secret, which counts once a code of it was given, within thirty minutes."""
    action = "second-factor.begin"
    await require_own(state, principal, action)

    def beginning(work: Work) -> str:
        user = user_with_id(work.connection, principal.user_id)
        return begin_totp(work, user, sealer(state))

    secret = await change(state, principal, action, f"user:{principal.name}", beginning)
    response.headers.update(_NO_STORE)
    return TotpSecret(secret=secret, uri=provisioning_uri(secret, principal.name))


_CODES = {"recovery_codes": ["MFRG-GZDF-MZTW-Q2LK-NNWG-23TP", "..."]}


@router.post(
    "/totp/confirmation",
    summary="Set the second factor up",
    response_model=RecoveryCodes,
    responses=example(200, _CODES) | _PROBLEMS,
)
async def confirm_second_factor(
    body: CodeBody, response: Response, principal: CurrentPrincipal, state: CurrentState
) -> RecoveryCodes:
    """Let the secret that was shown last count, and give recovery codes.

    The code is used up: a step-up needs the next one, or a recovery code.
    """
    action = "second-factor.confirm"
    await require_own(state, principal, action)

    def confirming(work: Work) -> list[str]:
        user = user_with_id(work.connection, principal.user_id)
        return confirm_totp(work, user, sealer(state), body.code)

    codes = await change(state, principal, action, f"user:{principal.name}", confirming)
    response.headers.update(_NO_STORE)
    return RecoveryCodes(recovery_codes=codes)


@router.post(
    "/recovery-codes",
    summary="Get fresh recovery codes",
    status_code=201,
    response_model=RecoveryCodes,
    responses=example(201, _CODES) | problems(401, 403, 409, 413, 422, 429, 500, 503),
)
async def recovery_codes(
    response: Response, principal: CurrentPrincipal, state: CurrentState
) -> RecoveryCodes:
    """Give fresh recovery codes; the ones before don't count any more."""
    action = "second-factor.recovery-codes"
    await require_own(state, principal, action)

    def renewing(work: Work) -> list[str]:
        return renew_recovery_codes(work, user_with_id(work.connection, principal.user_id))

    codes = await change(state, principal, action, f"user:{principal.name}", renewing)
    response.headers.update(_NO_STORE)
    return RecoveryCodes(recovery_codes=codes)


def _account(connection: Connection, principal: Principal) -> Account:
    user = user_with_id(connection, principal.user_id)
    return Account(
        user=user.name,
        kind="person" if user.is_person else "service",
        via=principal.via,
        roles=roles_of(connection, [user.id]).get(user.id, []),
        second_factor=has_second_factor(connection, user.id),
        recovery_codes=unused_recovery_codes(connection, user.id),
        stepped_up=principal.stepped_up,
    )
