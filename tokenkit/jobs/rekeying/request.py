"""What is to be rekeyed."""

from dataclasses import dataclass, field
from pathlib import Path

from tokenkit.engines.column import VersionChoice
from tokenkit.jobs.connectors import TextOptions
from tokenkit.keys import Keyring
from tokenkit.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyRequest:
    """Files of tokens, and the key version that they are to be of.

    Attributes
    ----------
    source
        A file, a folder or a pattern.
    target
        The file or folder to write. None: each file is replaced, once it's proved.
    to
        The new version: a number, or ``"primary"``. Columns of that version already stay.
    policy, versions
        How the tokens were made, where files have no metadata: the policy, and the number of the
        version if the key has had more than one.
    keyring
        Where the keys are; default: the current keyring.
    text
        How text files are read.
    force
        Replace outputs that are there.

    Examples
    --------
    >>> RekeyRequest(source=Path("tokens"), target=None).to
    'primary'
    """

    source: Path
    target: Path | None
    to: VersionChoice = "primary"
    policy: Policy | None = None
    versions: VersionChoice | None = None
    keyring: Keyring | None = None
    text: TextOptions = field(default_factory=TextOptions)
    force: bool = False
