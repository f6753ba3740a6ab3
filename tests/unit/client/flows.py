"""Flows run by hand: what they ask for is answered from a list, and time passes when they wait."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tokenkit.client.effects import Answer, Fault, Pause, Send, Work

PROBLEM = {"content-type": "application/problem+json"}
BROKEN = Fault(kind="broken", name="ReadError")


def problem(status, code, headers=None, **more):
    """Make an answer as the service writes it."""
    said = {"type": f"urn:tokenkit:problem:{code}", "title": "no", "status": status, "code": code}
    body = json.dumps(said | more).encode()
    return Answer(status=status, headers={**PROBLEM, **(headers or {})}, body=body)


def success(**said):
    """Make an answer in JSON."""
    headers = {"content-type": "application/json"}
    return Answer(status=200, headers=headers, body=json.dumps(said).encode())


UNDER_WAY = problem(409, "TK912", {"retry-after": "1"}, reason="under_way")
BUSY = problem(503, "TK903", {"retry-after": "2"})


def first_call(flow):
    """Give the first request that a flow sends."""
    effect = next(flow)
    flow.close()
    assert isinstance(effect, Send)
    return effect.call


@dataclass
class Hands:
    """Carries out what flows ask for, from a list of answers."""

    outcomes: list[Any]
    now: float = 1000.0
    took: float = 0.0
    sent: list[Any] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def clock(self):
        """Give the seconds that have passed."""
        return self.now

    def run(self, flow):
        """Run a flow to its end."""
        try:
            effect = next(flow)
            while True:
                effect = flow.send(self.done(effect))
        except StopIteration as ended:
            return ended.value
        finally:
            flow.close()

    def done(self, effect):
        """Carry one out."""
        if isinstance(effect, Pause):
            self.now += effect.seconds
            self.waited.append(effect.seconds)
            return None
        if isinstance(effect, Work):
            return effect.do()
        assert isinstance(effect, Send)
        self.sent.append(effect.call)
        self.now += self.took
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if callable(outcome):
            return outcome(effect)
        return outcome
