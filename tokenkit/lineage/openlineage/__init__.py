"""Runs as OpenLineage events, sent to a file or over HTTP where the environment says so."""

from tokenkit.lineage.openlineage.emission import EventLost, emitting
from tokenkit.lineage.openlineage.events import EventType, event

__all__ = ["EventLost", "EventType", "emitting", "event"]
