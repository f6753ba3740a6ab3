"""``credit-card``: payment card numbers."""

from tokenkit.schemes.method import DIGITS, Characters, Method
from tokenkit.schemes.parameters import Parameters
from tokenkit.schemes.scheme import Algorithm, Scheme

SHORTEST = 12
LONGEST = 19
"""ISO/IEC 7812-1 allows 8 to 19 digits; no network issues fewer than 12."""


class CreditCard(Scheme):
    """12 to 19 digits with a Luhn check digit; spaces and hyphens between digits stay.

    By default the token's check digit is off by one, so that a token can never be a live number;
    ``check_digit: valid`` is for systems that check it.
    """

    name = "credit-card"
    summary = "12-19 digits with a Luhn check digit; spaces and hyphens stay"
    example = "4111 1111 1111 1111"
    algorithm = Algorithm.FF1
    accepts = frozenset({"keep", "check_digit", "min_length", "max_length", "allow_small_domain"})

    def _method(self, parameters: Parameters) -> Method:
        return Characters(
            alphabet=DIGITS,
            separators=" -",
            min_length=parameters.min_length or SHORTEST,
            max_length=parameters.max_length or max(LONGEST, parameters.min_length or 0),
            keep=parameters.keep,
            check_digit=parameters.check_digit or "invalid",
            allow_small_domain=parameters.allow_small_domain,
        )


SCHEME = CreditCard()
