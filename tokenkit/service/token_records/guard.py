"""Around token operations: tokens are kept where that is asked, and ended ones not turned back."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tokenkit.errors import InvalidRequest
from tokenkit.service.guards import TokenCall, TokenResult
from tokenkit.service.token_records.record import NewRecord, TokenRecord, checked_details

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from tokenkit.service.state import ServiceState

FIELDS = ("store", "metadata", "expires_at")
"""The fields of a body that are about records; each of them asks for one."""


class TokenRecordGuard:
    """Keeps records of tokens, and enforces them.

    Parameters
    ----------
    state
        What handlers share.
    """

    def __init__(self, state: "ServiceState") -> None:
        self._state = state

    async def before(self, call: TokenCall) -> None:
        """Refuse what can't be kept before anything is turned."""
        if not _is_asked(call):
            return
        if call.operation != "tokenize":
            raise InvalidRequest(
                "records are kept when tokens are made",
                location=f"body.{next(name for name in FIELDS if call.extra.get(name))}",
                reason="tokenize_only",
            )
        if call.extra.get("metadata") is not None:
            checked_details(call.extra["metadata"])

    async def after(self, call: TokenCall, result: TokenResult) -> None:
        """Keep tokens, or take back the values of those that have ended."""
        if call.operation == "detokenize":
            await self._enforce(call, result)
        elif _is_asked(call):
            await self._keep(call, result)

    async def failed(self, call: TokenCall) -> None:
        """Do nothing: what was kept of a token that isn't given out is harmless."""

    async def _enforce(self, call: TokenCall, result: TokenResult) -> None:
        records, caller_id = self._state.records, call.principal.user_id
        place = (call.column.version.id, call.column.rule.domain)
        if records.is_any_kept(caller_id, *place) is False:
            return
        tokens = call.values.to_pylist()
        ended = await self._state.run(records.ended, caller_id, *place, tokens)
        if not ended:
            return
        states = [ended.get(position) for position in range(len(tokens))]
        mask = pa.array([state is not None for state in states], pa.bool_())
        result.found = _without(result.found, mask)
        reasons = pa.array(states, pa.string())
        result.reasons = pc.if_else(mask, reasons, result.reasons.cast(pa.string()))

    async def _keep(self, call: TokenCall, result: TokenResult) -> None:
        made = result.found.to_pylist()
        reasons = result.reasons.to_pylist()
        expires: datetime | None = call.extra.get("expires_at")
        new = {
            position: NewRecord(
                token=str(token),
                key=call.column.version.name,
                key_id=call.column.version.id,
                domain=call.column.rule.domain,
                scheme=call.column.rule.scheme.name,
                metadata=call.extra.get("metadata"),
                expires=expires,
            )
            for position, (token, reason) in enumerate(zip(made, reasons, strict=True))
            if reason is None and token is not None and token != ""
        }
        records, caller_id = self._state.records, call.principal.user_id
        # A request that is sent again finds what it kept, and changes nothing.
        keep: Callable[[UUID, Sequence[NewRecord]], Sequence[TokenRecord | None]]
        keep = records.kept if call.extra.get("again") else records.keep
        found = await self._state.run(keep, caller_id, list(new.values()))
        kept: dict[int, TokenRecord | None] = dict(zip(new, found, strict=True))
        shown = [_shown(kept.get(position), records.now()) for position in range(len(made))]
        if call.single:
            result.answer["record"] = shown[0]
        else:
            result.answer["records"] = shown


def _without(values: pa.Array, mask: pa.Array) -> pa.Array:
    # Arrow has no choice between views.
    kind = pa.large_string() if values.type == pa.string_view() else values.type
    return pc.if_else(mask, pa.scalar(None, kind), values.cast(kind)).cast(values.type)


def _is_asked(call: TokenCall) -> bool:
    return any(call.extra.get(name) is not None for name in FIELDS if name != "store") or bool(
        call.extra.get("store")
    )


def _shown(record: TokenRecord | None, at: datetime) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "id": str(record.id),
        "version": record.version,
        "state": record.state(at),
        "created_at": record.created,
        "expires_at": record.expires,
    }
