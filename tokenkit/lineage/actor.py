"""Who acts: whom run records and audit records name."""

import os
import socket
from functools import cache

from tokenkit.lineage.naming import storable


@cache
def actor() -> str:
    """Say who started this process: the system's user, and the machine.

    Variables such as ``USER`` are not asked: anybody can set them.

    Examples
    --------
    >>> user, at, machine = actor().partition("@")
    >>> at
    '@'
    """
    try:
        import pwd  # noqa: PLC0415 - not on every platform

        user = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "unknown")
    return storable(f"{user}@{socket.gethostname()}")
