"""The rows of batches: changed if they are as they were, and read."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, select, tuple_, update

from tokenkit.batches.batch import Batch, Failure
from tokenkit.errors import BatchLost
from tokenkit.store.models.batches import BatchRow

_OURS = {field.name for field in fields(Batch)} - {"failure", "report", "text_options"}


def held(batch: UUID, attempt: int) -> ColumnElement[bool]:
    """Say what a worker has to hold to change a batch."""
    return and_(BatchRow.id == batch, BatchRow.attempt == attempt, BatchRow.state == "running")


def change(connection: Connection, where: ColumnElement[bool], **values: object) -> None:
    """Change a batch that is in some state.

    Raises
    ------
    BatchLost
        If it isn't.
    """
    if not connection.execute(update(BatchRow).where(where).values(**values)).rowcount:
        raise BatchLost("the batch isn't in the state that it was in")


def find_batch(connection: Connection, batch: UUID) -> Batch | None:
    """Find a batch; None if it isn't known."""
    query = select(*BatchRow.__table__.columns).where(BatchRow.id == batch)
    row = connection.execute(query).one_or_none()
    return None if row is None else batch_of(row)


def batches_of(
    connection: Connection, owner: UUID, before: tuple[datetime, UUID] | None, most: int
) -> list[Batch]:
    """List a user's batches, the latest first."""
    query = (
        select(*BatchRow.__table__.columns)
        .where(BatchRow.owner_id == owner)
        .order_by(BatchRow.created.desc(), BatchRow.id.desc())
        .limit(most)
    )
    if before is not None:
        query = query.where(tuple_(BatchRow.created, BatchRow.id) < before)
    return [batch_of(row) for row in connection.execute(query)]


def batch_of(row: "Row[Any]") -> Batch:
    """Read a batch from its row."""
    failure = None
    if row.error_code is not None:
        failure = Failure(
            code=row.error_code, reason=row.error_reason, text=row.error_text, hint=row.error_hint
        )
    return Batch(
        **{name: getattr(row, name) for name in _OURS},
        text_options=json.loads(row.text_options),
        report=None if row.report is None else json.loads(row.report),
        failure=failure,
    )
