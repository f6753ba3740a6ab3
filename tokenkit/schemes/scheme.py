"""What all schemes have in common."""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar

from tokenkit.errors import SchemeError
from tokenkit.schemes.method import Characters, Method, shortest_length
from tokenkit.schemes.parameters import Parameters

ALPHABET_PARAMETERS = frozenset(
    {"keep", "separators", "min_length", "max_length", "allow_small_domain"}
)
"""What every scheme over a plain alphabet takes."""
LONGEST_TEXT = 4_096
"""Longest value that format-preserving schemes accept by default, in characters."""


class Algorithm(StrEnum):
    """The algorithm under a scheme."""

    FF1 = "FF1"
    AES_SIV = "AES-SIV"


class Scheme(ABC):
    """A kind of value, and how it becomes a token.

    Attributes
    ----------
    name
        The name in policies and expressions; also the default domain.
    summary
        What it is for, in one line.
    example
        A value that fits, made up.
    algorithm
        What turns values into tokens.
    accepts
        The names of the parameters that it takes.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    example: ClassVar[str]
    algorithm: ClassVar[Algorithm]
    accepts: ClassVar[frozenset[str]]

    def method(self, parameters: Parameters) -> Method:
        """Turn the parameters into what the native module runs.

        Raises
        ------
        SchemeError
            If the scheme doesn't take a parameter, or the parameters contradict each other.
        DomainTooSmall
            If the shortest accepted value has too few possible tokens.
        """
        foreign = sorted(parameters.given() - self.accepts)
        if foreign:
            takes = ", ".join(sorted(self.accepts)) or "no parameters"
            raise SchemeError(
                f"the scheme {self.name} does not take {foreign[0]}", hint=f"it takes {takes}"
            )
        return self._method(parameters)

    @abstractmethod
    def _method(self, parameters: Parameters) -> Method:
        """Build the method from parameters that the scheme takes."""

    def __repr__(self) -> str:
        return f"<Scheme {self.name}>"


class AlphabetScheme(Scheme):
    """A scheme whose values are characters of one alphabet and nothing else."""

    algorithm = Algorithm.FF1
    accepts = ALPHABET_PARAMETERS
    alphabet: ClassVar[str]

    def _method(self, parameters: Parameters) -> Method:
        return over_alphabet(self.alphabet, parameters)


def over_alphabet(alphabet: str, parameters: Parameters) -> Characters:
    """Accept every length that has a large enough domain, unless the parameters say otherwise."""
    kept = parameters.keep.count if parameters.keep else 0
    shortest = shortest_length(max(len(alphabet), 2), kept, small=parameters.allow_small_domain)
    least = parameters.width or parameters.min_length or shortest
    longest = parameters.width or parameters.max_length or max(LONGEST_TEXT, least)
    return Characters(
        alphabet=alphabet,
        separators=parameters.separators or "",
        min_length=least,
        max_length=longest,
        keep=parameters.keep,
        allow_small_domain=parameters.allow_small_domain,
    )
