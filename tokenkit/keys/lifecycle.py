"""What happens to a key version: enabled, disabled, destroyed."""

import dataclasses
from datetime import UTC, datetime

from tokenkit.errors import InvalidKey, KeyringError, KeyVersionDisabled, KeyVersionUnknown
from tokenkit.keys.key import MAX_NUMBER, MAX_ROTATE_AFTER, KeyRecord, KeyState, KeyVersion


def enable(record: KeyRecord, number: int) -> KeyVersion:
    """Let a disabled version be used again."""
    version = _found(record, number)
    if version.state is KeyState.DESTROYED:
        raise KeyVersionDisabled(
            f'key "{record.name}" version {number} was destroyed on {version.destroyed:%Y-%m-%d}, '
            "and nothing is left to enable",
            hint="rotate the key to make new tokens",
        )
    return _changed(record, version, state=KeyState.ENABLED, disabled=None)


def disable(record: KeyRecord, number: int) -> KeyVersion:
    """Take a version out of use, without losing it."""
    version = _found(record, number)
    if version.state is not KeyState.ENABLED:
        return version
    return _changed(record, version, state=KeyState.DISABLED, disabled=_now())


def destroy(record: KeyRecord, number: int) -> KeyVersion:
    """Lose a version's bytes for good; its id, key-check value and dates stay."""
    version = _found(record, number)
    if version.handle is None:
        return version
    destroyed = _changed(
        record,
        version,
        state=KeyState.DESTROYED,
        disabled=None,
        destroyed=_now(),
        handle=None,
    )
    version.handle.release()
    return destroyed


def next_number(record: KeyRecord) -> int:
    """Give the number of a key's next version.

    Raises
    ------
    KeyringError
        If its versions' numbers are used up.
    """
    last = record.versions[-1].number
    if last >= MAX_NUMBER:
        raise KeyringError(
            f'key "{record.name}" has no version number left', hint="add another key in its place"
        )
    return last + 1


def checked_days(days: object) -> int | None:
    """Give back a cryptoperiod that can be used: days, or None.

    Raises
    ------
    InvalidKey
        Unless it's a whole number from 1 to 36,500.

    Examples
    --------
    >>> checked_days(365)
    365
    """
    if days is None:
        return None
    if type(days) is not int or not 0 < days <= MAX_ROTATE_AFTER:
        raise InvalidKey(
            f"a key is to be rotated after 1 to {MAX_ROTATE_AFTER} days", hint="for example 365"
        )
    return days


def _found(record: KeyRecord, number: int) -> KeyVersion:
    found = record.numbered(number)
    if found is None:
        numbers = ", ".join(str(version.number) for version in record.versions)
        raise KeyVersionUnknown(
            f'key "{record.name}" has no version {number}', hint=f"its versions are: {numbers}"
        )
    return found


def _changed(record: KeyRecord, version: KeyVersion, **changes: object) -> KeyVersion:
    changed = dataclasses.replace(version, **changes)  # type: ignore[arg-type]
    record.versions[record.versions.index(version)] = changed
    return changed


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
