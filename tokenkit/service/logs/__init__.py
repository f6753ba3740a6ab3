"""Logs in JSON, in four streams: access, error, debug and performance."""

from tokenkit.service.logs.forwarding import forwarded
from tokenkit.service.logs.opening import logging_as
from tokenkit.service.logs.streams import Logs

__all__ = ["Logs", "forwarded", "logging_as"]
