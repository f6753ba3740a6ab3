"""What holds for every test: none passes by being skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.databases import (  # noqa: F401 - fixtures are found here
    database,
    database_url,
    empty_postgresql,
    postgresql,
    postgresql_server,
)

if TYPE_CHECKING:
    from collections.abc import Generator


_REFUSAL = "skipped: a test that cannot run fails here, and says what to install"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a skip as a failure; an expected failure stays what it is."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} {_REFUSAL}\n{report.longreprtext}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Report a module that skips itself while it is collected as a failure."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} {_REFUSAL}\n{report.longreprtext}"
    return report
