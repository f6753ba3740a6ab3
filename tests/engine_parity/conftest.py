"""Columns of many kinds and lengths, and the tokens that one plain call gives for them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.engine_parity.cases import CASES, Case
from tokenkit import _native
from tokenkit.hazmat import keyring_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenkit import Keyring


@pytest.fixture(scope="session")
def ring() -> Iterator[Keyring]:
    """Make a keyring of random keys."""
    with keyring_from_bytes({"test": random.randbytes(32)}) as opened:
        yield opened


@pytest.fixture(params=["auto", "portable"])
def kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run on the best kernel and on the portable one."""
    previous = _native.select_kernel(request.param)
    yield
    _native.select_kernel(previous)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """One scheme with values that fit it."""
    found: Case = request.param
    return found


@pytest.fixture
def values(case: Case) -> pl.Series:
    """A thousand values with nulls and empty strings among them."""
    drawn = random.Random(case.name)
    made: list[str | None] = [case.draw(drawn) for _ in range(997)]
    return pl.Series("value", [None, "", *made, None], dtype=pl.String)
