"""What is done to values beside their scheme: literals that stay themselves, and normalizing."""

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from tokenkit.errors import SchemeError
from tokenkit.schemes import Characters, Method

Normalization: TypeAlias = Literal["trim", "nfc", "lower", "strip-separators"]
"""A step that makes writings of one value agree; what it changes doesn't come back."""

NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)
"""The steps, in the order in which they are applied."""
MOST_LITERALS = 1_000
LONGEST_LITERAL = 65_536


def read_literals(given: object, method: Method) -> tuple[str, ...]:
    """Check literals; gives them sorted, each once.

    Raises
    ------
    SchemeError
        If they are no texts, too many or too long, empty, or if one could be a token of another
        value that can't be left out.

    Examples
    --------
    >>> from tokenkit.schemes import Parameters, find_scheme
    >>> read_literals(["none", "N/A", "none"], find_scheme("us-ssn").method(Parameters()))
    ('N/A', 'none')
    """
    found = _texts("literals", given, 'literals: ["N/A", "unknown"]')
    if len(found) > MOST_LITERALS:
        raise SchemeError(f"a column has at most {MOST_LITERALS:,} literals")
    for number, literal in enumerate(found, 1):
        if not literal:
            raise SchemeError(
                f"literal {number} is the empty string, which stays empty anyway",
                hint="leave it out of literals",
            )
        if len(literal) > LONGEST_LITERAL:
            raise SchemeError(f"literal {number} is longer than {LONGEST_LITERAL:,} characters")
        if any("\ud800" <= character <= "\udfff" for character in literal):
            raise SchemeError(f"literal {number} is no Unicode text")
        if _only_a_token(literal, method):
            raise SchemeError(
                f"literal {number} could be the token of another value, and is no value itself",
                hint="leave it out of literals, or say check_digit: valid or ignore",
            )
    return tuple(sorted(set(found)))


def read_normalize(given: object) -> tuple[Normalization, ...]:
    """Check the steps of normalizing; gives them in the order in which they are applied.

    Raises
    ------
    SchemeError
        If a step is none.

    Examples
    --------
    >>> read_normalize(["lower", "trim"])
    ('trim', 'lower')
    """
    hint = "normalize: [trim, lower]"
    found = _texts("normalize", given, hint)
    if set(found) - set(NORMALIZATIONS):
        raise SchemeError(f"normalize takes {', '.join(NORMALIZATIONS)}", hint=hint)
    return tuple(step for step in NORMALIZATIONS if step in found)


def literals_in_domain(literals: Iterable[str], method: Method) -> tuple[str, ...]:
    """Give the literals that would get a format-preserving token, were they none.

    Tokens depend on these: columns that are to join must agree on them.
    """
    if not isinstance(method, Characters):
        return ()
    return tuple(literal for literal in literals if method.fits(literal))


def _only_a_token(literal: str, method: Method) -> bool:
    # Values and tokens are different sets under check_digit: invalid, so no walk can avoid it.
    return (
        isinstance(method, Characters)
        and method.check_digit == "invalid"
        and method.has_form(literal)
        and method.residue(literal) == 1
    )


def _texts(name: str, given: object, hint: str) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SchemeError(f"{name} is a list of texts", hint=hint)
    found = list(given)
    if not all(isinstance(text, str) for text in found):
        raise SchemeError(f"{name} is a list of texts", hint=hint)
    return found
