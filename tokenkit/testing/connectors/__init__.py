"""The conformance kit of connectors: what each must do, as tests that pytest collects.

A connector's own tests say how its system is reached, and inherit the rest::

    class TestSink(SinkConformance):
        @pytest.fixture
        def system(self, tmp_path):
            return MySystem(tmp_path)

:class:`System` is what such a system has to say.
"""

import pytest

# Before they are imported, so that a failing comparison shows both sides.
pytest.register_assert_rewrite(
    "tokenkit.testing.connectors.sinks", "tokenkit.testing.connectors.sources"
)

from tokenkit.testing.connectors.sinks import SinkConformance  # noqa: E402
from tokenkit.testing.connectors.sources import SourceConformance  # noqa: E402
from tokenkit.testing.connectors.system import System  # noqa: E402

__all__ = ["SinkConformance", "SourceConformance", "System"]
