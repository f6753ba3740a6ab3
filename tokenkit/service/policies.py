"""The policies of the service: a folder of files, each a policy by the name of its file."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tokenkit.errors import PolicyError
from tokenkit.policy import Policy, load_policy

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES = (".yaml", ".yml")


def load_policies(folder: Path | None) -> Mapping[str, Policy]:
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
        if path.suffix not in _SUFFIXES or path.name.startswith("."):
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
