"""What an exchange may ask for: its purpose and time, and the keys that stand in it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tokenkit.errors import ExchangeRefused
from tokenkit.keys.exchange.document import Exchange
from tokenkit.keys.key import KeyRecord, KeyState

MOST_DAYS = 90
"""The longest time that an exchange can be imported."""

_CLOCKS_DIFFER = timedelta(minutes=5)
# The other half of the numbers is left for one's own rotations.
_MOST_NUMBER = 2**31 - 1
_ASK = "ask the sender for a new export"


def check_terms(exchange: Exchange, purpose: str) -> None:
    """Refuse an exchange that is for something else, or not for now.

    Raises
    ------
    ExchangeRefused
        If its purpose is another, or it has expired, isn't valid yet or is valid for too long.
    """
    if exchange.purpose != purpose:
        raise ExchangeRefused(
            f'the exchange is for "{exchange.purpose}", not for "{purpose}"',
            hint="name the purpose that was agreed with the sender",
        )
    now = datetime.now(UTC)
    if now >= exchange.expires:
        raise ExchangeRefused(f"the exchange expired on {exchange.expires:%Y-%m-%d}", hint=_ASK)
    if exchange.created - now > _CLOCKS_DIFFER:
        raise ExchangeRefused(
            f"the exchange was made on {exchange.created:%Y-%m-%d %H:%M} UTC, which is yet to come",
            hint="check this machine's clock, and the sender's",
        )
    if not timedelta(0) < exchange.expires - exchange.created <= timedelta(days=MOST_DAYS):
        raise ExchangeRefused(
            f"the exchange isn't valid for 1 to {MOST_DAYS} days, as exports are", hint=_ASK
        )


def check_keys(records: Sequence[KeyRecord], exchange: Exchange) -> None:
    """Refuse keys that no export has.

    Raises
    ------
    ExchangeRefused
        If there is none, or a version isn't enabled, was made after the exchange, or has a number
        that leaves no room for rotations.
    """
    if not records:
        raise ExchangeRefused("the exchange holds no key", hint=_ASK)
    for record in records:
        for version in record.versions:
            named = f'key "{record.name}" version {version.number} of the exchange'
            if version.state is not KeyState.ENABLED:
                raise ExchangeRefused(f"{named} is {version.state}", hint=_ASK)
            if version.number > _MOST_NUMBER:
                raise ExchangeRefused(f"{named} leaves no numbers for rotations", hint=_ASK)
            made = max(version.created, version.primary_since or version.created)
            if made - exchange.created > _CLOCKS_DIFFER:
                raise ExchangeRefused(f"{named} was made after the exchange", hint=_ASK)
