"""Policy files: YAML, read strictly, with errors that name file and line and quote no value."""

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from yaml.composer import ComposerError

from tokenkit.errors import PolicyError
from tokenkit.policy.complaints import Location, Place, field_in_words
from tokenkit.policy.model import Policy

PolicySource: TypeAlias = Policy | Mapping[str, object] | str | os.PathLike[str]
"""A policy, a mapping of its fields, or the path of a policy file."""

MAX_BYTES = 4 * 2**20
"""A policy file's largest size; enough for some twenty thousand columns."""


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


def load_policy(path: str | os.PathLike[str]) -> Policy:
    r"""Read a policy file.

    Parameters
    ----------
    path
        A YAML file of at most 4 MiB.

    Raises
    ------
    PolicyError
        If the file can't be read, isn't YAML, or isn't a policy; the message names the line.
    SchemeError, DomainTooSmall, InvalidKey
        If a column's scheme can't work so.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
    ...     _ = file.write("columns:\n  card: {scheme: credit-card, key: payments}\n")
    ...     file.flush()
    ...     load_policy(file.name).columns["card"].scheme.name
    'credit-card'
    """
    shown = os.fspath(path)
    fields, root = _parsed(shown, _text(Path(path)))
    return Policy.from_mapping(fields, place=_place(shown, root))


def read_policy(source: PolicySource) -> Policy:
    """Take a policy in any of the forms that it can be given in.

    Raises
    ------
    PolicyError
        If it's none, or there is something wrong with it.
    SchemeError, DomainTooSmall, InvalidKey
        If a column's scheme can't work so.

    Examples
    --------
    >>> read_policy({"columns": {}, "unlisted": "drop"}).unlisted
    'drop'
    """
    if isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        return Policy.from_mapping(source)
    if isinstance(source, str | os.PathLike):
        return load_policy(source)
    raise PolicyError(
        "a policy is a tokenkit.Policy, a mapping of its fields or the path of a policy file",
        hint='{"columns": {"card": {"scheme": "credit-card", "key": "payments"}}}',
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            message, hint = f"{path} is larger than a policy file can be (4 MiB)", None
        else:
            return content.decode("utf-8-sig")
    except FileNotFoundError:
        message, hint = f"there is no policy at {path}", "check the path"
    except OSError as exc:
        message = f"{path} can't be read: {exc.strerror or type(exc).__name__}"
        hint = "check the permissions of the file and of its folder"
    except UnicodeDecodeError:
        message, hint = f"{path} is not UTF-8 text", "save it as UTF-8"
    raise PolicyError(message, hint=hint)


def _parsed(shown: str, text: str) -> tuple[Mapping[str, object], yaml.Node]:
    hint: str | None = "indentation, quotes and brackets are what is most often wrong"
    line = 0
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if isinstance(root, yaml.MappingNode):
            return loader.construct_document(root), root
        problem, hint = "a policy is a mapping", "begin with a line columns:"
    except _RefusedError as exc:
        line, problem, hint = exc.line, exc.message, exc.hint
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        problem = "this is not the YAML of a policy"
        if isinstance(exc, ComposerError):
            hint = 'a name that begins with * or & stands in quotes: "*_tel": {action: keep}'
    except (ValueError, TypeError, RecursionError):
        # Numbers and dates out of range, and mappings nested beyond measure.
        problem = "this is not the YAML of a policy"
    raise PolicyError(f"{shown}{f', line {line}' if line else ''}: {problem}", hint=hint)


def _place(shown: str, root: yaml.Node) -> Place:
    def where(location: Location) -> str:
        return f"{shown}, line {_line(root, location)}: "

    return where


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
