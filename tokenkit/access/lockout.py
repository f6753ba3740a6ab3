"""How long to wait after attempts that failed, and for whom.

What is counted is a pair of name and address, so that who guesses from elsewhere delays himself and
nobody else. Guesses at one name from many addresses are counted for the name too; that count leaves
out addresses from which its owner has signed in before, and no wait is longer than fifteen minutes.
So nobody can lock another out for ever, or at all from where he usually is. Names that don't exist
are counted just the same.
"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=24)
"""After so long without an attempt the count begins anew."""
KNOWN_FOR = timedelta(days=90)
"""How long an address counts as known after its last successful sign-in."""

Subject: TypeAlias = Literal["pair", "name", "code", "known"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How many attempts are free, and the wait after the first that isn't; then it doubles.

    Examples
    --------
    >>> limit = Limit(free=5, first_wait=timedelta(seconds=2))
    >>> [limit.wait(count) for count in (4, 5, 6)]
    [None, datetime.timedelta(seconds=2), datetime.timedelta(seconds=4)]
    >>> limit.wait(100) == LONGEST_WAIT
    True
    """

    free: int
    first_wait: timedelta

    def wait(self, attempts: int) -> timedelta | None:
        """Say how long the next attempt has to wait after so many that failed."""
        if attempts < self.free:
            return None
        return min(self.first_wait * (1 << min(attempts - self.free, 20)), LONGEST_WAIT)


LIMITS: dict[Subject, Limit] = {
    "pair": Limit(free=5, first_wait=timedelta(seconds=2)),
    "name": Limit(free=100, first_wait=timedelta(minutes=1)),
    # Only who knows the password gets as far as the code, so no stranger can use this one up.
    "code": Limit(free=5, first_wait=timedelta(seconds=30)),
}


def subject(kind: Subject, name: str, network: str = "") -> str:
    r"""Give the text that is counted under, by its keyed fingerprint.

    Examples
    --------
    >>> subject("name", "ann")
    'name\nann\n'
    """
    return f"{kind}\n{name}\n{network}"


def network_of(address: str | None) -> str:
    """Give the network that an address stands for: itself, or its /64 in IPv6.

    Examples
    --------
    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2:3:4"), network_of(None)
    ('192.0.2.7', '2001:db8::/64', '')
    """
    if address is None:
        return ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
    return str(parsed)
