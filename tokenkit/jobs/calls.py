"""What a job does with each column, and under which key version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from tokenkit.engines.column import ColumnCall, Operation, choose_version
from tokenkit.errors import (
    KeyVersionUnknown,
    MetadataMismatch,
    MetadataMissing,
    PolicyError,
)
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.policy import ColumnRule, Fate, Metadata, Policy, resolve

_Verified: TypeAlias = Mapping[str, tuple[ColumnRule, KeyVersion]]


@dataclass(frozen=True, slots=True)
class Calls:
    """What becomes of each column of the input.

    Attributes
    ----------
    by_column
        For each column of the output, in order: its call, or None if it stays as it is.
    dropped
        The columns that are left out.
    """

    by_column: Mapping[str, ColumnCall | None]
    dropped: tuple[str, ...]

    @property
    def transformed(self) -> dict[str, ColumnCall]:
        """The columns that change, in order."""
        return {name: call for name, call in self.by_column.items() if call is not None}

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns that stay as they are, in order."""
        return tuple(name for name, call in self.by_column.items() if call is None)


def calls_to_tokenize(
    policy: Policy | None,
    columns: Iterable[str],
    keyring: Keyring,
    document: str | bytes | None,
) -> Calls:
    """Resolve a policy; every key's primary version makes the tokens.

    Parameters
    ----------
    policy
        The policy; there must be one.
    columns
        The input's columns.
    keyring
        Where the keys are.
    document
        The input's own metadata, if it has some.

    Raises
    ------
    PolicyError
        If there is no policy, or it doesn't fit the columns.
    MetadataMismatch
        If the input holds tokens already.
    KeyringError
        If a key isn't there.
    """
    if policy is None:
        raise PolicyError(
            "tokenizing needs a policy", hint="it says which column gets which scheme and key"
        )
    if document is not None and (there := Metadata.parse(document).columns):
        # The output's metadata could not say which key versions made the tokens that are there.
        raise MetadataMismatch(
            f"the input holds tokens already, in the columns {', '.join(there)}",
            hint="detokenize it first, and tokenize all columns with one policy",
        )
    fates = resolve(policy, columns, keyring=keyring)
    return _calls(
        fates,
        {
            name: (fate, choose_version(fate, "tokenize", keyring=keyring))
            for name, fate in fates.items()
            if isinstance(fate, ColumnRule)
        },
        "tokenize",
    )


def calls_to_detokenize(
    policy: Policy | None,
    columns: Iterable[str],
    keyring: Keyring,
    document: str | bytes | None,
    file: str,
) -> Calls:
    """Find the rules and key versions that made the tokens.

    Parameters
    ----------
    policy
        The policy, if one is given.
    columns
        The input's columns.
    keyring
        Where the keys are.
    document
        The input's metadata.
    file
        The kind of file that the input is.

    Raises
    ------
    MetadataMissing
        If there is neither metadata nor a policy.
    MetadataTampered, MetadataMismatch
        If the metadata can't be trusted, or describes other columns than the file or the policy.
    KeyVersionUnknown
        If there is no metadata, and a key has had more than one version.
    PolicyError
        If the policy doesn't fit the columns.
    KeyringError
        If a key isn't there.
    """
    names = list(columns)
    if document is None:
        if policy is None:
            raise MetadataMissing(
                "the input has no metadata, so nothing says how its tokens were made",
                hint="give the policy that they were made by, or the file as tokenkit wrote it "
                "(a CSV file's metadata is its sidecar NAME.csv.tokenkit.json)",
            )
        fates = resolve(policy, names, "detokenize", keyring=keyring)
        return _calls(fates, _only_versions(fates, keyring), "detokenize")
    verified = Metadata.parse(document).verify(keyring, file)
    for name in verified:
        if name not in names:
            raise MetadataMismatch(
                "the metadata describes a column that the input does not have",
                column=name,
                hint="detokenize the file with the columns and names that it was written with",
            )
    if policy is None:
        found: dict[str, Fate] = {
            name: verified[name][0] if name in verified else "keep" for name in names
        }
        return _calls(found, _strictly(verified, {}), "detokenize")
    fates = resolve(policy, names, "detokenize", keyring=keyring)
    _check_agreement(fates, verified)
    return _calls(fates, _strictly(verified, fates), "detokenize")


def _calls(fates: Mapping[str, Fate], found: _Verified, operation: Operation) -> Calls:
    by_column: dict[str, ColumnCall | None] = {}
    for name, fate in fates.items():
        if isinstance(fate, ColumnRule):
            rule, version = found[name]
            by_column[name] = ColumnCall(
                rule=rule, version=version, operation=operation, output="outcome"
            )
        elif fate == "keep":
            by_column[name] = None
    return Calls(by_column, tuple(name for name, fate in fates.items() if fate == "drop"))


def _strictly(verified: _Verified, fates: Mapping[str, Fate]) -> _Verified:
    """Let what is no token be an error, unless the policy says otherwise.

    The metadata's own on_invalid is about the values that came in, not about damaged tokens; but
    where some of them were sealed, sealed tokens are looked for.
    """
    found = {}
    for name, (rule, version) in verified.items():
        fate = fates.get(name)
        on_invalid = fate.on_invalid if isinstance(fate, ColumnRule) else "error"
        if rule.on_invalid == "seal":
            on_invalid = "seal"
        found[name] = (replace(rule, on_invalid=on_invalid), version)
    return found


def _only_versions(fates: Mapping[str, Fate], keyring: Keyring) -> _Verified:
    found = {}
    for name, rule in fates.items():
        if isinstance(rule, ColumnRule):
            key = keyring[rule.key]
            if len(key.versions) > 1:
                raise KeyVersionUnknown(
                    f'the input has no metadata, and key "{key.name}" has had '
                    f"{len(key.versions)} versions: nothing says which one made the tokens",
                    column=name,
                    hint="detokenize the file as tokenkit wrote it, with its sidecar if it had one",
                )
            found[name] = (rule, key.primary)
    return found


def _check_agreement(fates: Mapping[str, Fate], verified: _Verified) -> None:
    for name, fate in fates.items():
        if fate == "drop":
            continue
        rule = fate if isinstance(fate, ColumnRule) else None
        recorded = verified[name][0] if name in verified else None
        if _identity(rule) != _identity(recorded):
            raise MetadataMismatch(
                "the policy and the metadata disagree about a column",
                column=name,
                hint="leave the policy out: the metadata says how the tokens were made",
            )


def _identity(rule: ColumnRule | None) -> tuple[object, ...]:
    return () if rule is None else (rule.scheme.name, rule.key, rule.domain, rule.method.shape)
