"""What holds for every test and every example: nothing of them stays on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_SET = (
    "TOKENKIT_DATABASE_URL",
    "TOKENKIT_AUDIT_CHECKPOINTS",
    "TOKENKIT_AUDIT_KEY",
    "TOKENKIT_AUDIT_SIGNING_KEY",
    "TOKENKIT_OPENLINEAGE_API_KEY",
    "TOKENKIT_OPENLINEAGE_FILE",
    "TOKENKIT_OPENLINEAGE_NAMESPACE",
    "TOKENKIT_OPENLINEAGE_URL",
)


@pytest.fixture(autouse=True, scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Generator[None, None, None]:
    """Keep what tokenkit remembers, between runs and of runs, out of the user's own folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        for name in _SET:
            patch.delenv(name, raising=False)
        yield
