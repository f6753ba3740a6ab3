"""The connectors that are installed: entry points of the group ``tokenkit.connectors``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError, ValidationInfo

from tokenkit.errors import ConnectorMissing, JobError
from tokenkit.jobs.connectors.tables import TableSink, TableSource

GROUP: Final = "tokenkit.connectors"
_DISTRIBUTION: Final = "tokenkit-vaultless-connectors"
_FOLDER: Final = "folder"
_Table = TypeVar("_Table", TableSource, TableSink)


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get(_FOLDER)
    return path if folder is None else folder / path


LocalPath: TypeAlias = Annotated[Path, AfterValidator(_from_folder)]
"""A path among a connector's options; it starts from the job file's folder."""


@dataclass(frozen=True, slots=True)
class Opening(Generic[_Table]):
    """How a table is opened.

    Attributes
    ----------
    options
        What a job file says beside ``connector``; secrets are of pydantic's secret types.
    open
        Makes the table of the options, without connecting.
    """

    options: type[BaseModel]
    open: Callable[[Any], _Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A system that jobs read tables of, write tables of, or both.

    Attributes
    ----------
    name
        What job files call it; also the name of its entry point.
    summary
        One line that says what it is, and how its sink is atomic.
    source, sink
        How its tables are opened; None if it has no such side.
    """

    name: str
    summary: str
    source: Opening[TableSource] | None = None
    sink: Opening[TableSink] | None = None

    def open_source(self, options: Mapping[str, object], folder: Path | None = None) -> TableSource:
        """Make a table to read; ``folder`` is where paths among its options start.

        Raises
        ------
        JobError
            If the options are wrong, or it has no tables to read.
        """
        return _opened(self.name, "source", self.source, options, folder)

    def open_sink(self, options: Mapping[str, object], folder: Path | None = None) -> TableSink:
        """Make a table to write; ``folder`` is where paths among its options start.

        Raises
        ------
        JobError
            If the options are wrong, or it has no tables to write.
        """
        return _opened(self.name, "sink", self.sink, options, folder)


def connector_names() -> list[str]:
    """List the connectors that are installed, without loading them."""
    return sorted(_entry_points())


def find_connector(name: str) -> Connector:
    """Load a connector.

    Raises
    ------
    ConnectorMissing
        If it isn't installed, or something that it needs isn't.
    """
    found = _entry_points().get(name)
    if found is None:
        known = ", ".join(connector_names()) or "none"
        raise ConnectorMissing(
            f"there is no connector {name}; installed: {known}",
            hint=f"pip install '{_DISTRIBUTION}[{name}]'",
        )
    try:
        connector = found.load()
    except ImportError as exc:
        raise ConnectorMissing(
            f"the connector {name} needs {exc.name or 'a package'}, which isn't installed",
            hint=f"pip install '{_DISTRIBUTION}[{name}]'",
        ) from None
    if not isinstance(connector, Connector):
        raise ConnectorMissing(
            f"the entry point {name} of {GROUP} is no connector",
            hint="it has to name a tokenkit.jobs.connectors.Connector",
        )
    return connector


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _opened(
    name: str,
    side: str,
    opening: Opening[_Table] | None,
    options: Mapping[str, object],
    folder: Path | None,
) -> _Table:
    if opening is None:
        raise JobError(f"the connector {name} has no {side}", hint="use it on the other side")
    try:
        read = opening.options.model_validate(dict(options), context={_FOLDER: folder})
    except ValidationError as exc:
        # Of the errors only where and of what kind: their text quotes values.
        [first, *_] = exc.errors(include_url=False, include_context=False, include_input=False)
        place = ".".join(str(part) for part in first["loc"]) or "it"
        problem = f"{side} {name}: {place}: {first['type'].replace('_', ' ')}"
        known = ", ".join(opening.options.model_fields)
        error = JobError(problem, hint=f"options are {known}")
    else:
        return opening.open(read)
    raise error
