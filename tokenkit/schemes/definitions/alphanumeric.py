"""``alphanumeric``: codes of ASCII digits and letters."""

from string import ascii_lowercase, ascii_uppercase

from tokenkit.schemes.method import DIGITS
from tokenkit.schemes.scheme import AlphabetScheme


class Alphanumeric(AlphabetScheme):
    """Text of 0-9, A-Z and a-z, in this order of numerals; the length stays."""

    name = "alphanumeric"
    summary = "0-9, A-Z, a-z, any length from 4 on; the length stays"
    example = "A7kQ29xZ"
    alphabet = DIGITS + ascii_uppercase + ascii_lowercase


SCHEME = Alphanumeric()
