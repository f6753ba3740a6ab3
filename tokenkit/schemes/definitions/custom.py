"""``custom``: an alphabet of the user's own."""

from tokenkit.errors import SchemeError
from tokenkit.schemes.method import Method
from tokenkit.schemes.parameters import Parameters
from tokenkit.schemes.scheme import ALPHABET_PARAMETERS, Algorithm, Scheme, over_alphabet


class Custom(Scheme):
    """Text over any 2 to 65,536 Unicode characters; the number of characters stays."""

    name = "custom"
    summary = "an alphabet of your own; the number of characters stays"
    example = "ΑΒΓΔΕΖ"
    algorithm = Algorithm.FF1
    accepts = ALPHABET_PARAMETERS | {"alphabet"}

    def _method(self, parameters: Parameters) -> Method:
        if parameters.alphabet is None:
            raise SchemeError(
                "the scheme custom needs an alphabet", hint='alphabet: "0123456789ABCDEF"'
            )
        return over_alphabet(parameters.alphabet, parameters)


SCHEME = Custom()
