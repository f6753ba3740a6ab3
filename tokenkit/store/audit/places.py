"""Where the checkpoints of a database's audit log are."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from tokenkit.store.audit.checkpoints import VARIABLE, CheckpointFile
from tokenkit.store.audit.signing import KEY_VARIABLE, SigningKey

if TYPE_CHECKING:
    from tokenkit.store.database import Database

_FOLDER = "audit"
_KEY_NAME = "audit-signing-key.pem"


def checkpoints_path(database: "Database") -> Path | None:
    """Give the file that ``TOKENKIT_AUDIT_CHECKPOINTS`` names, else the database's own.

    The latter is in the user's data folder, and named by a digest of where the database is. None
    for a database in memory, whose log ends with the process.
    """
    address = database.address
    if not address.is_postgresql and address.file is None:
        return None
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    place = str(address) if address.file is None else str(address.file.resolve())
    digest = hashlib.sha256(place.encode()).hexdigest()[:16]
    return _folder() / f"checkpoints-{digest}.jsonl"


def signing_key_path() -> Path:
    """Give the file that ``TOKENKIT_AUDIT_SIGNING_KEY`` names, else the one in the data folder."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else _folder() / _KEY_NAME


def configured(database: "Database") -> CheckpointFile | None:
    """Open the checkpoints for writing; a signing key is made unless one was named.

    Raises
    ------
    StoreError
        If there is no signing key that can be used, and none can be made.
    """
    path = checkpoints_path(database)
    if path is None:
        return None
    make = not os.environ.get(KEY_VARIABLE)
    return CheckpointFile(path, SigningKey.at(signing_key_path(), make=make))


def _folder() -> Path:
    return user_data_path("tokenkit", appauthor=False) / _FOLDER
