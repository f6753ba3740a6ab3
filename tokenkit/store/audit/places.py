"""Where the checkpoints of a database's audit log are."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tokenkit.store.audit.checkpoints import VARIABLE, CheckpointFile
from tokenkit.store.audit.signing import KEY_VARIABLE, SigningKey

if TYPE_CHECKING:
    from tokenkit.store.database import Database

_FOLDER = "audit"
_KEY_NAME = "audit-signing-key.pem"


def checkpoints_path(database: "Database") -> Path:
    """Give the file that ``TOKENKIT_AUDIT_CHECKPOINTS`` names, else the database's own.

    The latter is in the user's data folder, and named by a digest of where the database is.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    url = database.engine.url
    if database.is_postgresql:
        place = f"{url.host}:{url.port}/{url.database}?{sorted(url.query.items())}"
    else:
        place = str(Path(url.database or "").resolve())
    digest = hashlib.sha256(place.encode()).hexdigest()[:16]
    return _folder() / f"checkpoints-{digest}.jsonl"


def signing_key_path() -> Path:
    """Give the file that ``TOKENKIT_AUDIT_SIGNING_KEY`` names, else the one in the data folder."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else _folder() / _KEY_NAME


def configured(database: "Database") -> CheckpointFile:
    """Open the checkpoints for writing; a signing key is made unless one was named.

    Raises
    ------
    StoreError
        If there is no signing key that can be used, and none can be made.
    """
    make = not os.environ.get(KEY_VARIABLE)
    return CheckpointFile(
        checkpoints_path(database), SigningKey.at(signing_key_path(), make=make)
    )


def _folder() -> Path:
    return platformdirs.user_data_path("tokenkit") / _FOLDER
