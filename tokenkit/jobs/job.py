"""What a job is to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tokenkit.keys import Keyring
from tokenkit.policy import Policy

Operation: TypeAlias = Literal["tokenize", "detokenize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A file to tokenize or detokenize.

    Attributes
    ----------
    operation
        ``tokenize`` or ``detokenize``.
    source
        The file to read; its suffix says the format.
    target
        The file to write; its suffix says the format.
    policy
        What happens to each column. Detokenizing needs none where metadata stands beside the
        tokens; given one, the two must agree.
    keyring
        Where the keys are; default: the current keyring, see :func:`tokenkit.use_keyring`.
    replace
        Whether a target that is already there is replaced.

    Examples
    --------
    >>> policy = Policy.from_mapping({"columns": {}, "unlisted": "keep"})
    >>> job = Job(operation="tokenize", source=Path("a.csv"), target=Path("b.csv"), policy=policy)
    >>> job.replace
    False
    """

    operation: Operation
    source: Path
    target: Path
    policy: Policy | None = None
    keyring: Keyring | None = None
    replace: bool = False
