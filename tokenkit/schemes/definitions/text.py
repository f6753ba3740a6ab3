"""``text``: any text, sealed."""

from tokenkit.schemes.method import Method, Sealed
from tokenkit.schemes.parameters import Parameters
from tokenkit.schemes.scheme import Algorithm, Scheme

MOST_BYTES = 1 << 20


class Text(Scheme):
    """Any text as a sealed token: authenticated, reversible, in base64url, longer than it was."""

    name = "text"
    summary = "any text up to 1 MiB; tokens are base64url, authenticated, and longer"
    example = "Call after 6 pm"
    algorithm = Algorithm.AES_SIV
    accepts = frozenset({"max_length"})

    def _method(self, parameters: Parameters) -> Method:
        return Sealed(max_length=parameters.max_length or MOST_BYTES)


SCHEME = Text()
