"""What a file's rekey comes down to before any row is read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tokenkit.engines.column import ColumnCall, choose_version
from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.rekey import new_version, rekey_call, require_reversible, strict
from tokenkit.errors import JobError, MetadataMissing, PolicyError
from tokenkit.jobs.calls import calls_to_detokenize
from tokenkit.jobs.inputs import InputFile
from tokenkit.jobs.preparation import Input, kept_as_they_are
from tokenkit.jobs.rekeying.request import RekeyRequest
from tokenkit.jobs.run_id import RUN_BYTES
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.keys.strict_json import compact
from tokenkit.policy import ColumnRule, Metadata, resolve

if TYPE_CHECKING:
    from tokenkit.jobs.connectors import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenColumn:
    """A column of tokens.

    Attributes
    ----------
    rule
        How its tokens are made, as metadata records it.
    old, new
        The versions; the same if nothing is to change.
    """

    rule: ColumnRule
    old: KeyVersion
    new: KeyVersion

    @property
    def changes(self) -> bool:
        """Whether the column is to get other tokens."""
        return self.old.id != self.new.id

    def back(self, version: KeyVersion) -> ColumnCall:
        """Give the call that turns tokens of a version back; what is no token is an error."""
        return ColumnCall(rule=strict(self.rule), version=version, operation="detokenize")

    def forth(self) -> ColumnCall:
        """Give the call that makes the new tokens."""
        call = rekey_call(self.back(self.old), self.new)
        return self.back(self.old) if call is None else call


@dataclass(frozen=True, slots=True, kw_only=True)
class RekeyInput:
    """A file of tokens, opened far enough to know what is to become of it.

    Attributes
    ----------
    opened
        What reads it.
    file
        Where it is.
    tokens
        Its columns of tokens.
    policy
        The digest of the policy that they were made by.
    before
        What changes when the file does.
    run
        The id of its run.
    target
        Where the new tokens go.
    """

    opened: Input
    file: InputFile
    tokens: Mapping[str, TokenColumn]
    policy: str
    before: list[object]
    run: str
    target: Path

    @property
    def written(self) -> Path:
        """The way to the new file from the target, to which its proofs are bound."""
        return self.file.relative.with_name(self.target.name)

    @property
    def changing(self) -> dict[str, TokenColumn]:
        """The columns that get other tokens."""
        return {name: column for name, column in self.tokens.items() if column.changes}

    def metadata(self, file: str) -> str:
        """Write the metadata of the new tokens, into a file of the given kind."""
        pairs = {name: (column.rule, column.new) for name, column in self.tokens.items()}
        return Metadata.sign(file, self.policy, pairs, self.run)

    def proofs(self) -> dict[str, Proof]:
        """Begin a proof for each column that changes."""
        name_of_file = str(self.written)
        return {
            name: Proof(column.new, column.rule.domain, self.run, name_of_file, name)
            for name, column in self.changing.items()
        }


def prepare_file(
    request: RekeyRequest, file: InputFile, keyring: Keyring, target: Path
) -> RekeyInput:
    """Open a file, and find the versions that its tokens are of.

    Raises
    ------
    MetadataError, PolicyError, KeyringError, SchemeError
        If nothing says how the tokens were made, a key isn't there, or there's no way back.
    JobError
        If tokens stand in the file's path.
    """
    [opened] = kept_as_they_are([file], request.text)
    found, policy = _recorded(request, opened, keyring)
    for name, (rule, _) in found.items():
        require_reversible(rule, name)
        if name in file.partition:
            raise JobError(
                "tokens in a path can't be rekeyed: the file would have to move",
                file=file.shown,
                column=name,
                hint="tokenize the folder anew, or keep the column of its partitions",
            )
    tokens = {
        name: TokenColumn(rule=rule, old=old, new=new_version(keyring, rule.key, request.to))
        for name, (rule, old) in found.items()
    }
    before = file.fingerprint()
    described = {
        "operation": "rekey",
        "input": before,
        "columns": {
            name: [
                column.old.id,
                column.old.check_value.hex(),
                column.new.id,
                column.new.check_value.hex(),
            ]
            for name, column in tokens.items()
        },
    }
    run = hashlib.sha256(compact(described)).hexdigest()[: 2 * RUN_BYTES]
    return RekeyInput(
        opened=opened,
        file=file,
        tokens=tokens,
        policy=policy,
        before=before,
        run=run,
        target=target,
    )


def _recorded(
    request: RekeyRequest, opened: Input, keyring: Keyring
) -> tuple[dict[str, tuple[ColumnRule, KeyVersion]], str]:
    source: Source = opened.source
    names = opened.schema.names()
    document, format_ = source.metadata, opened.inlet.kind
    if document is None:
        if request.policy is None:
            raise MetadataMissing(
                f"{opened.inlet.shown} has no metadata, so nothing says how its tokens were made",
                hint="give the policy that they were made by, and --from VERSION",
            )
        fates = resolve(request.policy, names, "detokenize", keyring=keyring)
        if "drop" in fates.values():
            raise PolicyError("the policy drops a column that the tokens still have")
        rules = {name: rule for name, rule in fates.items() if isinstance(rule, ColumnRule)}
        chosen = {
            name: (rule, choose_version(rule, "rekey", keyring=keyring, version=request.versions))
            for name, rule in rules.items()
        }
        return chosen, request.policy.digest
    # Checks the MACs, the columns, and that the policy, if there is one, agrees.
    calls_to_detokenize(request.policy, names, keyring, document, format_)
    metadata = Metadata.parse(document)
    return metadata.verify(keyring, format_), metadata.policy


def token_rows(opened: Input, name: str) -> pl.Expr:
    """Give a column of an input whose rows have their number in front, as the type it's read as."""
    if name in opened.inlet.partition:
        return pl.lit(opened.inlet.partition[name], pl.String)
    # Columns go by their place: Polars takes names such as "*" for patterns.
    inside = [column for column in opened.schema if column not in opened.inlet.partition]
    values = pl.nth(inside.index(name) + 1)
    types = opened.source.types
    return values.cast(types[name]) if name in types else values
