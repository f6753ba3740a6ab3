"""What there is while no traces are asked for."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tokenkit.batches.batch import Batch

Attribute: TypeAlias = str | int | None
Told: TypeAlias = Callable[[str], None]
_NOTHING: Final = nullcontext()


def _untold(_outcome: str) -> None:
    """Nobody is told."""


class Answer:
    """A request's span, which says at its end how it was answered."""

    def ended(self, method: str, route: str, status: int, request_id: str) -> None:
        """Do nothing: there is no span."""


class NoTraces:
    """What there is while no traces are asked for.

    Examples
    --------
    >>> with NO_TRACES.span("tokenize", scheme="digits"):
    ...     pass
    """

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[object]:
        """Do nothing."""
        del name, attributes
        return _NOTHING

    def request(self, headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[Answer]:
        """Do nothing."""
        del headers
        return nullcontext(Answer())

    def batch(self, batch: "Batch") -> AbstractContextManager[Told]:
        """Do nothing."""
        del batch
        return nullcontext(_untold)


NO_TRACES: Final = NoTraces()
