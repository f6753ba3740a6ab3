"""The metadata inside a keyring's payload: names, numbers, states and dates as JSON.

The key bytes stand beside it in the payload and never come into Python: the native module gives a
handle for each, which is matched to its version here by id.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tokenkit.errors import InvalidKey
from tokenkit.keys.key import MAX_NUMBER, MAX_ROTATE_AFTER, KeyKind, KeyRecord, KeyState, KeyVersion
from tokenkit.keys.names import checked_name
from tokenkit.keys.strict_json import (
    MalformedError,
    compact,
    fields,
    moment,
    parse,
    written_moment,
)

if TYPE_CHECKING:
    from tokenkit._native import KeyHandle

_MAX_ID = 2**32 - 1
_MAX_GENERATION = 2**63 - 1
_OPTIONAL_DATES = ("primary_since", "disabled", "destroyed")


def write_metadata(records: Iterable[KeyRecord], generation: int) -> bytes:
    """Write what a payload says of its keys."""
    return compact(
        {
            "generation": generation,
            "keys": [
                {
                    "name": record.name,
                    "primary": record.primary,
                    "rotate_after": record.rotate_after,
                    "versions": [_written(version) for version in record.versions],
                }
                for record in records
            ],
        }
    )


def read_metadata(
    metadata: bytes, handles: Mapping[int, "KeyHandle"]
) -> tuple[dict[str, KeyRecord], int]:
    """Read what a payload says of its keys, and put each key's handle to its version.

    Raises
    ------
    MalformedError
        If it isn't what :func:`write_metadata` writes, or the keys beside it are others.
    """
    top = fields(parse(metadata), "the payload", generation=int, keys=list)
    if not 0 < top["generation"] <= _MAX_GENERATION:
        raise MalformedError("the generation is out of range")
    unused = dict(handles)
    ids: set[int] = set()
    records: dict[str, KeyRecord] = {}
    for key in top["keys"]:
        record = _record(key, unused, ids)
        if record.name in records:
            raise MalformedError("two keys have one name")
        records[record.name] = record
    if unused:
        raise MalformedError("there is a key that nothing names")
    return records, top["generation"]


def _record(value: object, unused: dict[int, "KeyHandle"], ids: set[int]) -> KeyRecord:
    days = value.get("rotate_after") if isinstance(value, dict) else None
    key = fields(
        value,
        "a key",
        name=str,
        primary=int,
        rotate_after=type(None) if days is None else int,
        versions=list,
    )
    if days is not None and not 0 < days <= MAX_ROTATE_AFTER:
        raise MalformedError("a key's cryptoperiod is out of range")
    try:
        name = checked_name(key["name"])
    except InvalidKey:
        raise MalformedError("a key's name isn't well formed") from None
    versions = [_version(name, version, unused, ids) for version in key["versions"]]
    numbers = [version.number for version in versions]
    if numbers != sorted(set(numbers)) or not numbers or numbers[0] < 1:
        raise MalformedError("a key's versions aren't numbered upwards from 1")
    if numbers[-1] > MAX_NUMBER:
        raise MalformedError("a key version's number is out of range")
    if key["primary"] not in numbers:
        raise MalformedError("a key's primary version isn't there")
    return KeyRecord(name, versions, key["primary"], days)


def _version(name: str, value: object, unused: dict[int, "KeyHandle"], ids: set[int]) -> KeyVersion:
    where = "a key version"
    given = value if isinstance(value, dict) else {}
    dates = {name: given.get(name) for name in _OPTIONAL_DATES}
    kinds: dict[str, type] = {
        name: type(None) if date is None else str for name, date in dates.items()
    }
    # Versions of tokenkit's own kind don't say so.
    if "kind" in given:
        kinds["kind"] = str
    version = fields(
        value, where, number=int, id=int, check_value=str, state=str, created=str, **kinds
    )
    if given.get("kind", KeyKind.RAW_HMAC) not in {KeyKind.RAW_AES_SIV, KeyKind.RAW_HMAC}:
        raise MalformedError("a key version's kind isn't known")
    kind = KeyKind(given.get("kind", KeyKind.TOKENKIT))
    if version["state"] not in set(KeyState):
        raise MalformedError("a key version's state isn't known")
    state = KeyState(version["state"])
    if not 0 < version["id"] <= _MAX_ID or version["id"] in ids:
        raise MalformedError("a key version's id is out of range or not unique")
    ids.add(version["id"])
    handle = None
    if state is not KeyState.DESTROYED:
        handle = unused.pop(version["id"], None)
        if (
            handle is None
            or handle.check_value.hex() != version["check_value"]
            or handle.kind != kind
        ):
            raise MalformedError("a key version's bytes are missing or others")
    moments = {name: None if date is None else moment(date, where) for name, date in dates.items()}
    if (moments["destroyed"] is not None) != (state is KeyState.DESTROYED):
        raise MalformedError("a key version's state and dates differ")
    if (moments["disabled"] is not None) != (state is KeyState.DISABLED):
        raise MalformedError("a key version's state and dates differ")
    return KeyVersion(
        name=name,
        number=version["number"],
        id=version["id"],
        check_value=_check_value(version["check_value"]),
        kind=kind,
        state=state,
        created=moment(version["created"], where),
        primary_since=moments["primary_since"],
        disabled=moments["disabled"],
        destroyed=moments["destroyed"],
        handle=handle,
    )


def _check_value(written: str) -> bytes:
    try:
        value = bytes.fromhex(written)
    except ValueError:
        value = b""
    if len(value) != 16 or value.hex() != written:
        raise MalformedError("a key-check value is no 32 hexadecimal digits")
    return value


def _written(version: KeyVersion) -> dict[str, object]:
    dates = {name: getattr(version, name) for name in _OPTIONAL_DATES}
    return {
        "number": version.number,
        "id": version.id,
        "check_value": version.check_value.hex(),
        "state": version.state.value,
        "created": written_moment(version.created),
        **{name: None if date is None else written_moment(date) for name, date in dates.items()},
        **({} if version.kind is KeyKind.TOKENKIT else {"kind": version.kind.value}),
    }
