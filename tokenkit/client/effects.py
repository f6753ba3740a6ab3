"""What flows ask for: the one place where both clients differ is who carries it out.

A flow is a generator. It yields an effect, is sent what came of it, and returns what was asked for;
it sends nothing and waits for nothing itself. So both clients, and tests, run the same flows.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
FaultKind = Literal["connect", "broken", "timeout", "local"]


class Sink(Protocol):
    """Takes the body of an answer as it comes."""

    @property
    def received(self) -> int:
        """How many bytes it has."""

    @property
    def is_whole(self) -> bool:
        """Whether it has all of them."""

    def begin(self, answer: "Answer") -> bool:
        """Look at the head of an answer; says whether its body is wanted here."""

    def write(self, piece: bytes) -> None:
        """Take a piece of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The body of a request. Its bytes are in no repr.

    Attributes
    ----------
    media_type
        Its ``Content-Type``.
    length
        How many bytes it has; None if that isn't known before they are sent.
    pieces
        Gives it from its beginning, again for each attempt.
    can_repeat
        Says whether it can still be given from its beginning.
    """

    media_type: str
    length: int | None
    pieces: Callable[[], Generator[bytes, None, None]] = field(repr=False)
    can_repeat: Callable[[], bool] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, but for who asks.

    Attributes
    ----------
    method, path, query
        What is called; no value, token or key stands in it.
    headers
        Further headers.
    content
        Its body.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer.

    Attributes
    ----------
    status
        Its HTTP status.
    headers
        Its headers, by names in small letters.
    body
        Its body, unless a sink has taken it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """That there was no whole answer.

    Attributes
    ----------
    kind
        ``connect``: no connection; ``broken``: it broke off; ``timeout``: it took too long;
        ``local``: the request couldn't be sent as it is.
    name
        The class of the error. Its text may quote what was sent, and isn't kept.
    """

    kind: FaultKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Ask for an answer; what comes of it is an :class:`Answer` or a :class:`Fault`.

    Attributes
    ----------
    call
        The request.
    sink
        What takes the body of the answer, if it wants it.
    """

    call: Call
    sink: Sink | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Do something with a file, which may take its time; gives what it gives."""

    do: Callable[[], object] = field(repr=False)


Effect: TypeAlias = Send | Pause | Work
Flow: TypeAlias = Generator[Effect, Any, T]


def content_of(body: bytes, media_type: str) -> Content:
    """Make the body of a request of bytes.

    Examples
    --------
    >>> content_of(b'{"value":"4111"}', "application/json")
    Content(media_type='application/json', length=16)
    """

    def pieces() -> Generator[bytes, None, None]:
        yield body

    return Content(media_type=media_type, length=len(body), pieces=pieces, can_repeat=lambda: True)
