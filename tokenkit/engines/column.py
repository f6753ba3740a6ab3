"""One column's call, as every engine hands it to the native module."""

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tokenkit import _native
from tokenkit.errors import KeyVersionUnknown
from tokenkit.keys import Key, Keyring, KeyVersion, current_keyring
from tokenkit.policy.rule import ColumnRule, Version, checked_version

Operation: TypeAlias = Literal["tokenize", "detokenize", "rekey"]
Output: TypeAlias = Literal["token", "outcome"]
"""Tokens in the type of the values, or a struct of token and reason that never fails on data."""
REASONS: tuple[str, ...] = _native.REASONS
"""The reason codes: why a value doesn't fit its scheme."""
Side: TypeAlias = Literal["old", "new"]
"""The tokens before a rekey, or those after it; what a job reads, or what it has written."""
VersionChoice: TypeAlias = Version
"""A key version: its number, or ``"primary"``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCall:
    """What to do with one column, under which key version. Holds no key, and neither does a plan.

    Attributes
    ----------
    rule
        The column's scheme, domain and treatment of what doesn't fit.
    version
        The key version.
    operation
        ``tokenize``, ``detokenize`` or ``rekey``.
    output
        ``token`` or ``outcome``.
    has_tweak_column
        Whether a second column gives each value a tweak; always so if the rule names one.
    new_version
        For ``rekey`` the version of the new tokens; ``version`` made the old ones.
    proof
        The proof that the values are added to, and whether as old or new ones.
    by_row
        Whether the marks of rows are wanted, instead of adding them to the proof.
    """

    rule: ColumnRule
    version: KeyVersion
    operation: Operation
    output: Output = "token"
    has_tweak_column: bool = False
    new_version: KeyVersion | None = None
    proof: "tuple[_native.RekeyProof, Side] | None" = None
    by_row: bool = False

    def __post_init__(self) -> None:
        for version in (self.version, self.new_version):
            if version is not None:
                version.require_algorithm(self.rule.scheme.algorithm)
        if self.operation != "tokenize":
            self.version.require_revealing()
        if self.rule.tweak is not None:
            object.__setattr__(self, "has_tweak_column", True)

    @property
    def specification(self) -> str:
        """The call as JSON, for the native module; names the key version by id and check value.

        Fields that have their default are left out, but for those of the first release.
        """
        rule = self.rule
        given: dict[str, Any] = {
            "literals": list(rule.literals),
            "normalize": list(rule.normalize) if self.operation == "tokenize" else [],
            "width": rule.parameters.width,
            # Strings of digits are rekeyed as such, whatever type their values have.
            "token_type": "string"
            if rule.output == "string" and self.operation != "rekey"
            else None,
            "value_type": rule.value_type
            if self.operation == "detokenize" and self.proof is None
            else None,
            "new_key": None if self.new_version is None else _named(self.new_version),
            "proof": None
            if self.proof is None
            else {"id": self.proof[0].id, "side": self.proof[1], "by_row": self.by_row},
        }
        return json.dumps(
            {
                "operation": self.operation,
                "key": _named(self.version),
                "domain": rule.domain,
                "method": rule.method.to_native(),
                # Setting rows aside is a job's: to the native module their values are null.
                "on_invalid": "null" if rule.on_invalid == "reject" else rule.on_invalid,
                "output": self.output,
                "tweak_column": self.has_tweak_column,
                **{name: value for name, value in given.items() if value},
            },
            separators=(",", ":"),
        )


def _named(version: KeyVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.number,
        "id": version.id,
        "check_value": version.check_value.hex(),
    }


def choose_version(
    rule: ColumnRule,
    operation: Operation,
    *,
    key: str | Key | None = None,
    keyring: Keyring | None = None,
    version: VersionChoice | None = None,
) -> KeyVersion:
    """Find the key version for a column.

    Parameters
    ----------
    rule
        The column's rule, which names the key.
    operation
        New tokens are made with the primary version; old ones may be of any.
    key
        The key itself, where the caller has it; a name says no more than the rule does.
    keyring
        Where the key is; by default the current keyring.
    version
        The version's number or ``"primary"``; by default the rule's, if that is a number.
        Detokenizing needs one once the key has had more than one version, since a format-preserving
        token can't say which one made it.

    Raises
    ------
    KeyVersionUnknown
        If detokenizing under a key of several versions and none is named.
    KeyringError
        If there is no keyring, key or enabled version of that name.
    """
    if not isinstance(key, Key):
        key = (current_keyring() if keyring is None else keyring)[rule.key]
    if version is None and rule.version != "primary":
        version = rule.version
    if version is None and operation != "tokenize" and len(key.versions) > 1:
        raise KeyVersionUnknown(
            f'key "{key.name}" has had {len(key.versions)} versions, and nothing says which one '
            "made these tokens",
            hint=f"pass its number (versions={{COLUMN: 1}} or version=1), or "
            f'"primary" for version {key.primary_number}',
        )
    chosen = "primary" if version is None else checked_version(version)
    return key.primary if chosen == "primary" else key.version(chosen)


def key_name(key: str | Key) -> str:
    """Give the name of a key that is given by name or as the key itself."""
    return key.name if isinstance(key, Key) else key
