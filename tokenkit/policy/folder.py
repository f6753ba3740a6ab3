"""A folder of policy files, each a policy by the name of its file."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from tokenkit.errors import PolicyError
from tokenkit.policy.file import load_policy
from tokenkit.policy.model import Policy

Policies: TypeAlias = Mapping[str, Policy]
"""Policies by their names."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SUFFIXES = (".yaml", ".yml")
"""What the names of policy files end in."""


def load_policies(folder: Path | None) -> Policies:
    """Read every policy of a folder; none where there is no folder.

    Raises
    ------
    PolicyError, SchemeError, InvalidKey
        If the folder or a policy can't be read, or two files are of one name.

    Examples
    --------
    >>> load_policies(None)
    mappingproxy({})
    """
    if folder is None:
        return MappingProxyType({})
    if not folder.is_dir():
        raise PolicyError(
            f"there is no folder of policies at {folder}",
            hint="name one that holds files such as orders.yaml: TOKENKIT_POLICIES",
        )
    found: dict[str, Policy] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in SUFFIXES or path.name.startswith("."):
            continue
        name = path.stem
        if _NAME.fullmatch(name) is None:
            raise PolicyError(
                f"the policy file {path} can't give its policy a name",
                hint="up to 64 letters, digits, dots, underscores and hyphens",
            )
        if name in found:
            raise PolicyError(f'two files of {folder} are the policy "{name}"')
        found[name] = load_policy(path)
    return MappingProxyType(found)


def find_policy(folder: Path | None, name: str) -> Policy | None:
    """Read one policy of a folder, whatever the others are like; None if there is none.

    Raises
    ------
    PolicyError, SchemeError, InvalidKey
        If it can't be read.

    Examples
    --------
    >>> find_policy(Path("/nowhere"), "orders") is None
    True
    """
    if folder is None or _NAME.fullmatch(name) is None:
        return None
    paths = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((load_policy(path) for path in paths if path.is_file()), None)
