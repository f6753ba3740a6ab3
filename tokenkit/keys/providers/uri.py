"""The parts of a KEK's URI: a name, then options as ``?name=value&name=value``."""

import importlib
from collections.abc import Collection, Sequence
from types import ModuleType
from urllib.parse import unquote, urlsplit

from tokenkit.errors import KeyProviderError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def split(
    rest: str, scheme: str, options: Collection[str], *, prefix: str | None = None
) -> tuple[str, dict[str, str]]:
    """Split what stands behind the scheme, and undo percent-encoding.

    Parameters
    ----------
    rest
        What stands behind ``scheme:``.
    scheme
        For messages.
    options
        The names of the options that are known.
    prefix
        What options of any further name may begin with.

    Raises
    ------
    KeyProviderError
        If there is no name, or an option is unknown, doubled or empty.

    Examples
    --------
    >>> split("alias/keyring?region=eu-west-1", "aws-kms", {"region"})
    ('alias/keyring', {'region': 'eu-west-1'})
    """
    name, _, query = rest.partition("?")
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        option, _, value = (unquote(text) for text in part.partition("="))
        known = option in options or bool(
            prefix and option.startswith(prefix) and len(option) > len(prefix)
        )
        # Neither is quoted: a secret typed in the wrong place would be shown.
        if not known or option in found or not value:
            raise KeyProviderError(
                f"an option of the {scheme} KEK is unknown, doubled or empty",
                hint=f"its options are {', '.join(sorted(options))}"
                + (f" and {prefix}NAME" if prefix else ""),
            )
        found[option] = value
    if not name:
        raise KeyProviderError(f"the {scheme} KEK has no name", hint="see docs/key-providers.md")
    return unquote(name), found


def checked_address(address: str, what: str) -> str:
    """Give an address back if nobody on the way can listen: https, or this machine.

    Raises
    ------
    KeyProviderError
        If it is none, or holds credentials.
    """
    try:
        parts = urlsplit(address)
        host, scheme = parts.hostname, parts.scheme
        clean = parts.username is None and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError:
        host, scheme, clean = None, "", False
    if not host or not clean or scheme not in {"https", "http"}:
        raise KeyProviderError(
            f"the address of {what} isn't one of the form https://host:port",
            hint="it holds no user, password or query",
        )
    if scheme == "http" and host not in _LOOPBACK:
        raise KeyProviderError(
            f"the address of {what} is http, so keys would cross the network in clear",
            hint="use https; http is for this machine alone (127.0.0.1)",
        )
    return address.rstrip("/")


def load(modules: Sequence[str], extra: str) -> list[ModuleType]:
    """Import what an extra installs.

    Raises
    ------
    KeyProviderError
        If it isn't installed; names the command that installs it.
    """
    try:
        return [importlib.import_module(module) for module in modules]
    except ImportError:
        pass
    raise KeyProviderError(
        f"{extra} KEKs need the package of {modules[0]}, which can't be imported",
        hint=f"pip install 'tokenkit-vaultless[{extra}]'",
    )
