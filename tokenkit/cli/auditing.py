"""What a command does outside of a run, in the audit log: before it is done, and how it ended."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenkit.keys import Keyring


@dataclass
class Deed:
    """What is being done.

    Attributes
    ----------
    count
        How many rows or values it was about, once that is known.
    """

    count: int | None = None


@contextlib.contextmanager
def audited(ring: "Keyring", action: str, named: str, *, unrecorded: bool) -> Iterator[Deed]:
    """Write down that something is done, before it is; and how it ended.

    Parameters
    ----------
    ring
        The keyring, which has the log's key.
    action
        What is done.
    named
        To what.
    unrecorded
        Whether nothing is to be recorded.

    Raises
    ------
    StoreError
        If it can't be written down; then it isn't done either.
    """
    deed = Deed()
    if unrecorded:
        yield deed
        return
    from datetime import UTC, datetime

    from tokenkit.errors import TokenkitError
    from tokenkit.lineage import AuditRecord
    from tokenkit.lineage.actor import actor
    from tokenkit.store.audit import AuditLog, audit_key
    from tokenkit.store.database import Database

    with Database.open() as database:
        log, key = AuditLog(database), audit_key(ring)

        def write(outcome: str, reason: str | None = None) -> None:
            record = AuditRecord(
                at=datetime.now(UTC),
                actor=actor(),
                action=action,
                outcome=outcome,
                object=named,
                count=deed.count,
                reason=reason,
            )
            with database.begin() as connection:
                log.append(connection, [record], key)

        write("prepared")
        try:
            yield deed
        except TokenkitError as error:
            write("failed", error.reason or error.code)
            raise
        except BaseException:
            write("failed", "interrupted")
            raise
        write("complete")
