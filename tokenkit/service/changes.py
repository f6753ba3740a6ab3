"""Keys and policies that have changed outside of the service, for the audit log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenkit.access.tables.changes import utc_now
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.lineage import AuditRecord
from tokenkit.policy import Policy

ACTOR = "service"
"""Who takes changes up; who made them isn't known."""
POLICY_ACTION, KEY_ACTION = "policy.load", "key.load"
_POLICY = "policy:"


def policy_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[AuditRecord]:
    """Say which policies have come, changed or gone: digests by names, see :func:`digests`.

    Examples
    --------
    >>> [record.object for record in policy_changes({}, {"orders": "6f0a"})]
    ['policy:orders']
    """
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            detail = {"before": before.get(name), "digest": now.get(name)}
            yield _record(POLICY_ACTION, f"{_POLICY}{name}", detail)


def digests(policies: Mapping[str, Policy]) -> dict[str, str]:
    """Give the digests of policies."""
    return {name: policy.digest for name, policy in policies.items()}


def recorded_digests(latest: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Give the digests that the log ends with, of its records of policies, the latest first."""
    found: dict[str, str | None] = {}
    for row in latest:
        found.setdefault(row["object"].removeprefix(_POLICY), json.loads(row["detail"])["digest"])
    return {name: digest for name, digest in found.items() if digest is not None}


def key_changes(before: Keyring, now: Keyring) -> Iterator[AuditRecord]:
    """Say which key versions have come, changed their state or become primary.

    Examples
    --------
    >>> ring = Keyring.from_secrets({"people": bytes(range(32))})
    >>> list(key_changes(ring, ring))
    []
    >>> ring.close()
    """
    known = {(version.name, version.number): _facts(before, version) for version in _all(before)}
    for version in _all(now):
        facts = _facts(now, version)
        if known.pop((version.name, version.number), None) != facts:
            yield _record(KEY_ACTION, f"key:{version.name}", facts, version.name, version.id)
    for name, number in sorted(known):
        yield _record(KEY_ACTION, f"key:{name}", {"version": number, "state": "gone"}, name)


def _all(keyring: Keyring) -> Iterator[KeyVersion]:
    for name in sorted(keyring.names):
        yield from keyring[name].versions


def _facts(keyring: Keyring, version: KeyVersion) -> dict[str, object]:
    return {
        "version": version.number,
        "state": version.state.value,
        "primary": keyring[version.name].primary_number == version.number,
    }


def _record(
    action: str,
    named: str,
    detail: Mapping[str, object],
    key: str | None = None,
    key_id: int | None = None,
) -> AuditRecord:
    return AuditRecord(
        at=utc_now(),
        actor=ACTOR,
        action=action,
        outcome="complete",
        object=named,
        key=key,
        key_id=key_id,
        detail=json.dumps(detail, sort_keys=True),
    )
