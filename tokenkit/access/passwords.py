"""What a new password must be (NIST SP 800-63B revision 4, section 3.1.1).

Long enough, and not one that attackers try first; nothing is asked of its characters, and it never
expires by itself.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tokenkit.access.breached import BreachedList, breached_lists
from tokenkit.errors import InvalidAccess, PasswordRefused

SHORTEST = 15
"""Characters of a password that may be the only factor."""

SHORTEST_WITH_SECOND_FACTOR = 8
"""No rule may go below: what the standard allows where a second factor is always asked for."""

LONGEST = 256
"""Characters; the standard asks for at least 64. A bound keeps hashing cheap to refuse."""

_LONGEST_STEP = 4


def normalised(password: str) -> str:
    r"""Give the form of a password that is hashed: NFC, so that every keyboard gives the same.

    Examples
    --------
    >>> len(normalised("e\u0301"))
    1
    """
    return unicodedata.normalize("NFC", password)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """The rules for new passwords.

    Attributes
    ----------
    shortest
        How many characters a password has at least: 15, or down to 8 where every role asks for a
        second factor.
    lists
        Lists of breached passwords.

    Examples
    --------
    >>> PasswordRules().checked("kettle paper otter moss", user="ann")
    'kettle paper otter moss'
    """

    shortest: int = SHORTEST
    lists: Sequence[BreachedList] = field(default_factory=breached_lists)

    def __post_init__(self) -> None:
        if not SHORTEST_WITH_SECOND_FACTOR <= self.shortest <= LONGEST:
            raise InvalidAccess(
                f"the shortest password has {SHORTEST_WITH_SECOND_FACTOR} to {LONGEST} characters",
                reason="password_length",
            )

    def checked(self, password: str, *, user: str) -> str:
        """Give a new password in the form that is hashed.

        Parameters
        ----------
        password
            What the user chose.
        user
            The user's name, which the password must not be made of.

        Raises
        ------
        PasswordRefused
            With the reason: ``characters``, ``too_short``, ``too_long``, ``user_name``,
            ``repetition``, ``sequence`` or ``breached``.
        """
        chosen = normalised(password)
        if any(unicodedata.category(char) in {"Cc", "Cs"} for char in chosen):
            raise PasswordRefused(
                "a password has no control characters", reason="characters", hint="type it anew"
            )
        if len(chosen) < self.shortest:
            raise PasswordRefused(
                f"a password has at least {self.shortest} characters",
                reason="too_short",
                hint="four or five unrelated words are easy to remember, and long enough",
            )
        if len(chosen) > LONGEST:
            raise PasswordRefused(f"a password has at most {LONGEST} characters", reason="too_long")
        reason = self._weakness(chosen.casefold(), user.casefold())
        if reason is not None:
            raise PasswordRefused(
                "that password is among the first that an attacker tries",
                reason=reason,
                hint="choose one that has nothing to do with your name, and is no row of keys",
            )
        return chosen

    def _weakness(self, folded: str, user: str) -> str | None:
        once = _without_repetition(folded)
        names = {user, user.partition("@")[0], "tokenkit"}
        if once in names or _stripped(folded) in names:
            return "user_name"
        if len(once) <= max(_LONGEST_STEP, len(folded) // 3):
            return "repetition"
        if _is_sequence(folded):
            return "sequence"
        # "passwordpassword" is no better than what it repeats.
        if any(known(each) for known in self.lists for each in {folded, once}):
            return "breached"
        return None


def _without_repetition(text: str) -> str:
    """Give the shortest piece that a text repeats, cut off or not at the end."""
    for size in range(1, len(text) // 2 + 1):
        if all(text[at] == text[at % size] for at in range(size, len(text))):
            return text[:size]
    return text


def _stripped(text: str) -> str:
    """Leave out the digits and signs around a word, with which names are made to look long."""
    return text.strip("".join({char for char in text if not char.isalpha()}))


def _is_sequence(text: str) -> bool:
    """Whether each character is the one after, or before, the last: ``abcdef``, ``987654``."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    # Digits that run over, from 9 to 0, still count.
    return steps <= {1, -9} or steps <= {-1, 9}
