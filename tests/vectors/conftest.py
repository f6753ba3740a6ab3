"""Vectors run on every kernel that the processor has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tokenkit import _native

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["auto", "portable"])
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test with the best kernel, then with the portable one; gives the one in use."""
    previous = _native.select_kernel(request.param)
    yield _native.kernel()
    _native.select_kernel(previous)
