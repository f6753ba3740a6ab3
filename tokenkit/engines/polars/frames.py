"""Polars frames by policy."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import polars as pl

from tokenkit.engines.column import ColumnCall, Operation
from tokenkit.engines.frame_plan import FramePlan, Recorded, Versions, plan_frame
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.errors import translated
from tokenkit.keys import Keyring
from tokenkit.policy import PolicySource

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def select(frame: pl.LazyFrame, columns: Sequence[str], plan: FramePlan) -> pl.LazyFrame:
    """Run each column's call; columns that the plan leaves out are dropped.

    Columns are taken by position: Polars reads a name such as ``^ssn$`` as a pattern, which would
    bring back a column that the policy drops.
    """
    positions = {name: position for position, name in enumerate(columns)}
    return frame.select(
        pl.nth(positions[name])
        if call is None
        else column_expression(pl.nth(positions[name]), call, _tweak(call, positions))
        for name, call in plan.items()
    )


def _tweak(call: ColumnCall, positions: Mapping[str, int]) -> pl.Expr | None:
    return None if call.rule.tweak is None else pl.nth(positions[call.rule.tweak])


def transform(
    frame: Frame,
    policy: PolicySource | None,
    operation: Operation,
    *,
    keyring: Keyring | None = None,
    versions: Versions = None,
    recorded: Recorded | None = None,
) -> Frame:
    """Tokenize or detokenize a frame; an eager one at once, a lazy one when it is collected."""
    with translated():
        columns = frame.collect_schema().names()
    plan = plan_frame(
        policy, columns, operation, keyring=keyring, versions=versions, recorded=recorded
    )
    if isinstance(frame, pl.LazyFrame):
        return select(frame, columns, plan)
    with translated():
        return select(frame.lazy(), columns, plan).collect(engine="in-memory")
