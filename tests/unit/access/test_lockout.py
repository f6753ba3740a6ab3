"""How long failures delay, and addresses that stand for one place."""

from datetime import timedelta

import pytest

from tokenkit.access.lockout import LIMITS, LONGEST_WAIT, network_of


@pytest.mark.parametrize("kind", LIMITS)
def test_waits_grow_and_end(kind):
    """Each wait is at least the one before, and none is longer than fifteen minutes."""
    limit = LIMITS[kind]
    waits = [limit.wait(count) or timedelta(0) for count in range(limit.free + 5000)]
    assert waits == sorted(waits)
    assert waits[limit.free - 1] == timedelta(0)
    assert waits[-1] == LONGEST_WAIT == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("nonsense", ""),
        (None, ""),
    ],
)
def test_addresses_stand_for_networks(address, network):
    """A household's IPv6 addresses are one; what is no address is none."""
    assert network_of(address) == network
