"""YAML, read strictly: no doubled fields, no merges, no objects, and errors that quote no value."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.composer import ComposerError

from tokenkit.errors import TokenkitError
from tokenkit.policy.complaints import Location, field_in_words

MAX_BYTES: Final = 4 * 2**20
"""A file's largest size; enough for a policy of some twenty thousand columns."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is read so.

    Attributes
    ----------
    name
        Such as ``policy``.
    error
        What is raised about one.
    first
        How one begins, as a hint.
    """

    name: str
    error: type[TokenkitError]
    first: str


class Document:
    """A file's fields, and where each of them stands."""

    def __init__(self, shown: str, fields: Mapping[str, object], root: yaml.Node) -> None:
        self.fields = fields
        self._shown = shown
        self._root = root

    def place(self, location: Location) -> str:
        """Say where a field stands, as the beginning of a message."""
        return f"{self._shown}, line {_line(self._root, location)}: "


def read_document(path: Path, kind: Kind) -> Document:
    """Read a file whose content is a mapping.

    Raises
    ------
    TokenkitError
        Of the kind's class: if the file can't be read or isn't such YAML; with the line, if one is
        to blame.
    """
    shown = str(path)
    return _parsed(shown, _text(path, kind), kind)


class _RefusedError(Exception):
    def __init__(self, line: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


class _Loader(yaml.SafeLoader):
    """YAML without tags that make objects, doubled keys and merge keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                # A merge of merges grows without bound, so there are none.
                raise _RefusedError(line, "merge keys are not supported", "write the fields out")
            if not isinstance(key, yaml.ScalarNode):
                raise _RefusedError(line, "a field's name is a text")
            if key.value in names:
                raise _RefusedError(
                    line,
                    f"the {field_in_words(key.value)} stands there twice",
                    "leave one of them out",
                )
            names.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _text(path: Path, kind: Kind) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            message, hint = f"{path} is larger than the file of a {kind.name} can be (4 MiB)", None
        else:
            return content.decode("utf-8-sig")
    except FileNotFoundError:
        message, hint = f"there is no {kind.name} at {path}", "check the path"
    except OSError as exc:
        message = f"{path} can't be read: {exc.strerror or type(exc).__name__}"
        hint = "check the permissions of the file and of its folder"
    except UnicodeDecodeError:
        message, hint = f"{path} is not UTF-8 text", "save it as UTF-8"
    raise kind.error(message, hint=hint)


def _parsed(shown: str, text: str, kind: Kind) -> Document:
    hint: str | None = "indentation, quotes and brackets are what is most often wrong"
    line = 0
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if isinstance(root, yaml.MappingNode):
            return Document(shown, loader.construct_document(root), root)
        problem, hint = f"a {kind.name} is a mapping", f"begin with a line {kind.first}"
    except _RefusedError as exc:
        line, problem, hint = exc.line, exc.message, exc.hint
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        problem = f"this is not the YAML of a {kind.name}"
        if isinstance(exc, ComposerError):
            hint = 'a name that begins with * or & stands in quotes: "*_tel": {action: keep}'
    except (ValueError, TypeError, RecursionError):
        # Numbers and dates out of range, and mappings nested beyond measure.
        problem = f"this is not the YAML of a {kind.name}"
    raise kind.error(f"{shown}{f', line {line}' if line else ''}: {problem}", hint=hint)


def _line(node: yaml.Node, location: Location) -> int:
    """Find the line of a field, or of what it is missing from."""
    line: int = node.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == str(step):
                line, node = key.start_mark.line + 1, value
                break
        else:
            break
    return line
