"""Key versions from elsewhere, taken into a keyring: all of them, or none."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tokenkit.errors import KeyConflict
from tokenkit.keys.key import KeyRecord, KeyState, KeyVersion
from tokenkit.keys.loading import release
from tokenkit.keys.names import checked_name

_Held: TypeAlias = tuple[KeyRecord, KeyVersion]


def adopt(
    records: dict[str, KeyRecord],
    incoming: Sequence[KeyRecord],
    *,
    merge: bool = False,
    take_primary: bool = False,
) -> None:
    """Take keys in; what isn't kept of them is released, and all of it if any is refused.

    A key of the same name is taken for the same key if it has one of the versions already, or with
    ``merge``. Its primary version moves only with ``take_primary``, and only to a newer one.

    Raises
    ------
    KeyConflict
        If a key of the same name isn't known to be the same, another version has one's number or
        id, or a version was destroyed here.
    """
    try:
        fresh = {checked_name(given.name): _fresh(records, given, merge) for given in incoming}
    except BaseException:
        release(incoming)
        raise
    for given in incoming:
        kept = fresh[given.name]
        # The others are loaded a second time, beside the version that is there.
        release([KeyRecord(given.name, [v for v in given.versions if v not in kept], 0)])
        record = records.get(given.name)
        if record is None:
            records[given.name] = KeyRecord(given.name, kept, given.primary, given.rotate_after)
            continue
        record.versions = sorted([*record.versions, *kept], key=lambda version: version.number)
        if take_primary:
            record.primary = max(given.primary, record.primary)


def _fresh(records: Mapping[str, KeyRecord], given: KeyRecord, merge: bool) -> list[KeyVersion]:
    """Give the versions that the keyring lacks."""
    here = records.get(given.name)
    fresh = []
    for version in given.versions:
        found = _same(records, version) or _in_the_way(here, version)
        if found is None:
            fresh.append(version)
        else:
            _require_same(found, given.name, version)
    if here is not None and len(fresh) == len(given.versions) and not merge:
        raise KeyConflict(
            f'the keyring has a key "{given.name}" with none of these versions, so that nothing '
            "shows that it is the same key",
            hint="import it under another name, or say that it is the same: --name NAME or "
            "--merge, in Python name= or merge=True",
        )
    return fresh


def _same(records: Mapping[str, KeyRecord], version: KeyVersion) -> _Held | None:
    """Find the version of the same id, or the destroyed one that was the same key."""
    held = [(record, there) for record in records.values() for there in record.versions]
    for record, there in held:
        if there.id == version.id or (
            # Under a new id what was destroyed would come back unnoticed.
            there.state is KeyState.DESTROYED and there.check_value == version.check_value
        ):
            return record, there
    return None


def _in_the_way(here: KeyRecord | None, version: KeyVersion) -> _Held | None:
    there = None if here is None else here.numbered(version.number)
    return None if here is None or there is None else (here, there)


def _require_same(found: _Held, name: str, version: KeyVersion) -> None:
    record, there = found
    here = f'key "{record.name}" version {there.number} (id {there.id})'
    same_key = there.check_value == version.check_value
    if there.state is KeyState.DESTROYED and same_key:
        raise KeyConflict(
            f"{here} was destroyed here, and no import brings it back",
            hint="ask for versions that are in use",
        )
    if not same_key or (record.name, there.number, there.id) != (
        name,
        version.number,
        version.id,
    ):
        raise KeyConflict(
            f'the keyring has {here} where "{name}" version {version.number} '
            f"(id {version.id}) was to go",
            hint="import it into a keyring of its own"
            if there.id == version.id
            else "import it under another name, or into a keyring of its own",
        )
