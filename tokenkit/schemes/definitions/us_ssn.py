"""``us-ssn``: United States social security numbers."""

from tokenkit.schemes.method import DIGITS, Characters, Method
from tokenkit.schemes.parameters import Parameters
from tokenkit.schemes.scheme import Algorithm, Scheme

LENGTH = 9


class UsSsn(Scheme):
    """Nine digits; spaces and hyphens between digits stay."""

    name = "us-ssn"
    summary = "nine digits; spaces and hyphens stay"
    example = "078-05-1120"
    algorithm = Algorithm.FF1
    accepts = frozenset({"keep", "allow_small_domain"})

    def _method(self, parameters: Parameters) -> Method:
        return Characters(
            alphabet=DIGITS,
            separators=" -",
            min_length=LENGTH,
            max_length=LENGTH,
            keep=parameters.keep,
            allow_small_domain=parameters.allow_small_domain,
        )


SCHEME = UsSsn()
