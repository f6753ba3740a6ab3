"""Where jobs read and write: one module a format; tables by connectors that are installed."""

from tokenkit.jobs.connectors.catalogue import all_formats, format_of, known_suffix, suffix_of
from tokenkit.jobs.connectors.options import TextOptions, refuse_options
from tokenkit.jobs.connectors.protocol import Format, Sink, Source
from tokenkit.jobs.connectors.registry import (
    Connector,
    LocalPath,
    Opening,
    connector_names,
    find_connector,
)
from tokenkit.jobs.connectors.sidecar import sidecar_of
from tokenkit.jobs.connectors.streams import Stream
from tokenkit.jobs.connectors.tables import (
    ReadableTable,
    TableMode,
    TableSink,
    TableSource,
    TableWriting,
)

__all__ = [
    "Connector",
    "Format",
    "LocalPath",
    "Opening",
    "ReadableTable",
    "Sink",
    "Source",
    "Stream",
    "TableMode",
    "TableSink",
    "TableSource",
    "TableWriting",
    "TextOptions",
    "all_formats",
    "connector_names",
    "find_connector",
    "format_of",
    "known_suffix",
    "refuse_options",
    "sidecar_of",
    "suffix_of",
]
