"""Where an exception came from: what can be logged of one whose text may quote values."""

from pathlib import Path
from traceback import walk_tb


def place_of(exc: BaseException) -> str:
    """Say where in tokenkit an exception came from; not what it says."""
    frames = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in walk_tb(exc.__traceback__)
        if frame.f_globals.get("__name__", "").startswith("tokenkit")
    ]
    return f" at {frames[-1][0].name}:{frames[-1][1]}" if frames else ""
