"""When a request is sent again: after what, after how long, and how often."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import uuid4

from tokenkit.client.effects import Answer, Call, Fault, Flow, Pause, Send, Sink
from tokenkit.client.problems import (
    REQUEST_ID,
    error_of,
    error_of_fault,
    is_passing,
    is_under_way,
)
from tokenkit.client.settings import Retries
from tokenkit.errors import ClientError

_LOG = logging.getLogger("tokenkit.client")
_MOST_DOUBLED = 30
_UNDER_WAY_WAIT: Final = 5.0
"""The longest wait while an attempt is under way at the service, in seconds."""


class Attempts:
    """The attempts at one request.

    Parameters
    ----------
    retries
        How often and how long.
    monotonic, chance
        Give seconds that only grow, and a number from 0 to 1.
    """

    def __init__(
        self,
        retries: Retries,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._retries = retries
        self._monotonic = monotonic
        self._chance = chance
        self.may_have_counted = False
        """Whether an attempt that wasn't answered may have been carried out."""

    def run(self, call: Callable[[], Call], sink: Sink | None = None) -> Flow[Answer]:
        """Send a request until it is answered, and give the answer if it is a success.

        Parameters
        ----------
        call
            Makes the request, anew for each attempt; what it changes has the same idempotency key
            each time.
        sink
            What takes the body, and says how far it is.

        Raises
        ------
        ClientError
            If it is refused, or isn't answered within the attempts and the time that there are.
        """
        began, tried = self._monotonic(), 0
        under_way_since: float | None = None
        asked_again = 0
        while True:
            tried += 1
            had = 0 if sink is None else sink.received
            request_id = uuid4().hex
            made = call()
            sent = replace(made, headers={**made.headers, REQUEST_ID: request_id})
            outcome: Answer | Fault = yield Send(call=sent, sink=sink)
            if isinstance(outcome, Answer) and 200 <= outcome.status < 300:
                return outcome
            if sink is not None and isinstance(outcome, Fault):
                if sink.is_whole:
                    return Answer(status=200, headers={})
                if sink.received > had:
                    began, tried = self._monotonic(), 0
            error = self._error(outcome, request_id)
            if not (_may_pass(outcome) and (sent.content is None or sent.content.can_repeat())):
                raise error
            now = self._monotonic()
            if isinstance(outcome, Answer) and is_under_way(outcome):
                # Neither an attempt of its own, nor part of the time that those have.
                under_way_since = now if under_way_since is None else under_way_since
                asked_again += 1
                wait = self._wait(asked_again, error.retry_after, _UNDER_WAY_WAIT)
                left = under_way_since + self._retries.under_way_seconds - now
                began, tried = now, tried - 1
            else:
                wait = self._wait(tried, error.retry_after, self._retries.most)
                left = began + self._retries.seconds - now
                if tried >= self._retries.attempts:
                    raise error
            if wait > left:
                raise error
            _LOG.info("%s: attempt again in %.1f s", error.reason or error.status, wait)
            yield Pause(wait)

    def _error(self, outcome: Answer | Fault, request_id: str) -> ClientError:
        if isinstance(outcome, Fault):
            self.may_have_counted |= outcome.kind in {"broken", "timeout"}
            return error_of_fault(outcome, request_id)
        self.may_have_counted |= outcome.status >= 500
        return error_of(outcome)

    def _wait(self, tried: int, asked: float | None, most: float) -> float:
        """Give a random wait, after the one that was asked for: not all come back at once."""
        bound = min(most, self._retries.first * 2.0 ** min(max(tried - 1, 0), _MOST_DOUBLED))
        return (asked or 0.0) + bound * self._chance()


def _may_pass(outcome: Answer | Fault) -> bool:
    if isinstance(outcome, Fault):
        return outcome.kind != "local"
    return is_passing(outcome) or is_under_way(outcome)
