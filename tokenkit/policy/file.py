"""Policy files: YAML, read strictly, with errors that name file and line and quote no value."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from tokenkit.errors import PolicyError
from tokenkit.policy.model import Policy
from tokenkit.policy.strict_yaml import Kind, read_document

PolicySource: TypeAlias = Policy | Mapping[str, object] | str | os.PathLike[str]
"""A policy, a mapping of its fields, or the path of a policy file."""

_KIND: Final = Kind("policy", PolicyError, "columns:")


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
    document = read_document(Path(path), _KIND)
    return Policy.from_mapping(document.fields, place=document.place)


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
