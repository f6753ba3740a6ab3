"""What a job is to do."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import TextOptions
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

if TYPE_CHECKING:
    from tokenkit.jobs.connectors.tables import TableSink, TableSource
    from tokenkit.jobs.destinations import Destination
    from tokenkit.jobs.origins import Origin

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
        or a pattern such as ``"in/*.csv"``. Suffixes say the formats. Or the same in an object
        store, or a table that a connector reads; or an origin of the caller's own.
    target
        The file to write, or a folder, or an object, or a table that a connector writes, or a
        destination of the caller's own. None needs ``dry_run``.
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
        Where rejected rows go; default: ``TARGET.rejects.parquet`` beside a target that is a file
        or a folder.
    prove
        Record a keyed digest of what is read of each tokenized column, in the same pass, so that
        :func:`tokenkit.jobs.proving.check_output` can compare it with what was written.
    limit
        Read only so many rows of each input.
    dry_run
        Count, and write nothing.
    overwrite
        Replace what an older run has left in the target; what no run is known to have written
        stays, and is an error.
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
    source: "Path | ObjectPlace | TableSource | Origin"
    target: "Path | ObjectPlace | TableSink | Destination | None" = None
    policy: Policy | None = None
    keyring: Keyring | None = None
    mode: Mode = "replace"
    partition_by: tuple[str, ...] = ()
    output_format: str | None = None
    text: TextOptions = field(default_factory=TextOptions)
    replay: bool = False
    rejects: Path | ObjectPlace | None = None
    prove: bool = False
    limit: int | None = None
    dry_run: bool = False
    overwrite: bool = False
    force: bool = False

    @property
    def replaces(self) -> bool:
        """Whether a target that is there may go."""
        return self.force or self.overwrite

    @property
    def output_path(self) -> Path:
        """The target, where it is a file or a folder.

        Raises
        ------
        JobError
            If there is none, or it is none of these.
        """
        if self.target is None:
            raise JobError(
                "a job needs a target", hint="-o OUTPUT, or --dry-run to count and write nothing"
            )
        if not isinstance(self.target, Path):
            raise JobError("this needs a target that is a file or a folder", file=self.target.shown)
        return self.target
