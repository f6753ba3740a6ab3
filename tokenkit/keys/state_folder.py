"""Where this user's own marks about keyrings and exchanges are kept."""

import os
from pathlib import Path


def state_folder(kind: str) -> Path | None:
    """Give ``$XDG_STATE_HOME/tokenkit/KIND``; None where there is no home either.

    Examples
    --------
    >>> folder = state_folder("generations")
    >>> folder is None or folder.parts[-2:] == ("tokenkit", "generations")
    True
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return folder / "tokenkit" / kind
