"""Where jobs read and write: one module a format."""

from tokenkit.jobs.connectors.catalogue import all_formats, format_of, known_suffix, suffix_of
from tokenkit.jobs.connectors.options import TextOptions
from tokenkit.jobs.connectors.protocol import Format, Sink, Source
from tokenkit.jobs.connectors.sidecar import sidecar_of

__all__ = [
    "Format",
    "Sink",
    "Source",
    "TextOptions",
    "all_formats",
    "format_of",
    "known_suffix",
    "sidecar_of",
    "suffix_of",
]
