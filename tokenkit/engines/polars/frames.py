"""Polars frames by policy."""

from typing import TypeVar

import polars as pl

from tokenkit.engines.column import Operation
from tokenkit.engines.frame_plan import FramePlan, Versions, plan_frame
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.errors import translated
from tokenkit.keys import Keyring
from tokenkit.policy import PolicySource

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def select(frame: pl.LazyFrame, plan: FramePlan) -> pl.LazyFrame:
    """Run each column's call; columns that the plan leaves out are dropped."""
    return frame.select(
        pl.col(name) if call is None else column_expression(pl.col(name), call)
        for name, call in plan.items()
    )


def transform(
    frame: Frame,
    policy: PolicySource,
    operation: Operation,
    *,
    keyring: Keyring | None = None,
    versions: Versions = None,
) -> Frame:
    """Tokenize or detokenize a frame; an eager one at once, a lazy one when it is collected."""
    with translated():
        columns = frame.collect_schema().names()
    plan = plan_frame(policy, columns, operation, keyring=keyring, versions=versions)
    if isinstance(frame, pl.LazyFrame):
        return select(frame, plan)
    with translated():
        return select(frame.lazy(), plan).collect(engine="in-memory")
