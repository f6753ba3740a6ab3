"""``digits``: numbers of any length as text."""

from tokenkit.schemes.method import DIGITS
from tokenkit.schemes.scheme import ALPHABET_PARAMETERS, AlphabetScheme


class Digits(AlphabetScheme):
    """Text of the digits 0 to 9, and integers with a ``width``; leading zeros and length stay."""

    name = "digits"
    summary = "digits 0-9, any length from 6 on; the length stays"
    example = "0042719365"
    accepts = ALPHABET_PARAMETERS | {"width"}
    alphabet = DIGITS


SCHEME = Digits()
