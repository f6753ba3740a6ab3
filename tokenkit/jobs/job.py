"""What a job is to do."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import TextOptions
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

Operation: TypeAlias = Literal["tokenize", "detokenize"]
Mode: TypeAlias = Literal["replace", "append", "partition"]
"""How a folder is written: as a whole, by one more file, or partition by partition."""

MODES: tuple[Mode, ...] = ("replace", "append", "partition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Files to tokenize or detokenize.

    Attributes
    ----------
    operation
        ``tokenize`` or ``detokenize``.
    source
        The file to read, a folder (every file of a known format in it, Hive partitions included),
        or a pattern such as ``"in/*.csv"``. Suffixes say the formats.
    target
        The file to write, or a folder. None needs ``dry_run``.
    policy
        What happens to each column. Detokenizing needs none where metadata stands beside the
        tokens; given one, the two must agree.
    keyring
        Where the keys are; default: the current keyring, see :func:`tokenkit.use_keyring`.
    mode
        How a folder is written. ``replace``: it holds what this job wrote and nothing else.
        ``append``: it gets one more file. ``partition``: the partitions that the job has rows for
        are replaced, others stay.
    partition_by
        The columns whose values (tokens, where they are tokenized) make the folders of
        ``partition``.
    output_format
        The format of files in a folder, as a suffix such as ``".parquet"``; default: the input's.
    text
        How text files are read: delimiter, quote, encoding, header, types.
    replay
        Whether the source is a file of rejected rows, to be opened and tokenized again.
    rejects
        Where rejected rows go; default: ``TARGET.rejects.parquet`` beside the target.
    limit
        Read only so many rows of each input.
    dry_run
        Count, and write nothing.
    force
        Replace a target that is there, and do again what has been done already.

    Examples
    --------
    >>> policy = Policy.from_mapping({"columns": {}, "unlisted": "keep"})
    >>> job = Job(operation="tokenize", source=Path("a.csv"), target=Path("b.csv"), policy=policy)
    >>> job.mode, job.force
    ('replace', False)
    """

    operation: Operation
    source: Path
    target: Path | None = None
    policy: Policy | None = None
    keyring: Keyring | None = None
    mode: Mode = "replace"
    partition_by: tuple[str, ...] = ()
    output_format: str | None = None
    text: TextOptions = field(default_factory=TextOptions)
    replay: bool = False
    rejects: Path | None = None
    limit: int | None = None
    dry_run: bool = False
    force: bool = False

    @property
    def output(self) -> Path:
        """The target, where something is written.

        Raises
        ------
        JobError
            If there is none.
        """
        if self.target is None:
            raise JobError(
                "a job needs a target", hint="-o OUTPUT, or --dry-run to count and write nothing"
            )
        return self.target
