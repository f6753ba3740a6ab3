"""The metadata beside tokens: which scheme, key and key version made each column's tokens.

Format-preserving tokens can't name their key version, so a document stands beside them (token
contract, "Which key version"): under :data:`METADATA_KEY` in a Parquet file's key-value metadata,
in the sidecar ``NAME.tokenkit.json`` of other files. It is JSON with one spelling::

    {"columns": {"card": {"domain": "credit-card",
                          "key": {"check_value": "...", "id": 7, "name": "payments", "version": 1},
                          "mac": "...",
                          "on_invalid": "null",
                          "parameters": {"keep": {"first": 0, "last": 4}},
                          "scheme": "credit-card",
                          "shape": {...}}},
     "contract": 1, "file": "parquet", "format": "tokenkit-metadata", "policy": "..."}

``parameters`` are what the policy said, ``shape`` what they came down to. Each column's ``mac`` is
HMAC-SHA-256 under the "metadata MAC" subkey of its own key version, over the canonical JSON of its
fields without the MAC, its name, the names of all columns, and the fields of the whole document
(contract, file, format, policy). So no field can be changed, no column moved to another name, added
or taken away, and no document moved to another kind of file, without the key; and rekeying one
column leaves the MACs of the others as they are.
"""

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from tokenkit.errors import (
    MetadataMismatch,
    MetadataTampered,
    SchemeError,
)
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.keys.strict_json import MalformedError, compact, fields, parse
from tokenkit.policy.rule import ColumnRule

METADATA_KEY: Final = "tokenkit"
"""The name of the document in a file's key-value metadata."""
CONTRACT: Final = 1
"""The version of the token contract that this release follows."""
_FORMAT = "tokenkit-metadata"
_MAC_BYTES = 32
_CHECK_VALUE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMetadata:
    """What a document says of one column. Not to be trusted before :meth:`Metadata.verify`.

    Attributes
    ----------
    scheme, domain, on_invalid
        As in the policy that the tokens were made by.
    parameters
        The scheme's parameters that differed from their defaults.
    shape
        The parameters that shape tokens, defaults included.
    key, version, id, check_value
        The key's name, and the number, id and key-check value of its version.
    mac
        The MAC over all of it.
    """

    scheme: str
    domain: str
    on_invalid: str
    parameters: Mapping[str, Any]
    shape: Mapping[str, Any]
    key: str
    version: int
    id: int
    check_value: bytes
    mac: bytes

    @classmethod
    def of(cls, rule: ColumnRule, version: KeyVersion) -> Self:
        """Describe a column that is about to be tokenized; the MAC is still missing."""
        given = asdict(rule.parameters)
        return cls(
            scheme=rule.scheme.name,
            domain=rule.domain,
            on_invalid=rule.on_invalid,
            parameters={name: given[name] for name in sorted(rule.parameters.given())},
            shape=rule.method.shape,
            key=version.name,
            version=version.number,
            id=version.id,
            check_value=version.check_value,
            mac=b"",
        )

    def to_json(self) -> dict[str, Any]:
        """Give the fields as they are written, without the MAC."""
        return {
            "scheme": self.scheme,
            "domain": self.domain,
            "on_invalid": self.on_invalid,
            "parameters": dict(self.parameters),
            "shape": dict(self.shape),
            "key": {
                "name": self.key,
                "version": self.version,
                "id": self.id,
                "check_value": self.check_value.hex(),
            },
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a column's fields, MAC included."""
        read = fields(
            value,
            "a column",
            scheme=str,
            domain=str,
            on_invalid=str,
            parameters=dict,
            shape=dict,
            key=dict,
            mac=str,
        )
        key = fields(read["key"], "a key", name=str, version=int, id=int, check_value=str)
        return cls(
            scheme=read["scheme"],
            domain=read["domain"],
            on_invalid=read["on_invalid"],
            parameters=read["parameters"],
            shape=read["shape"],
            key=key["name"],
            version=key["version"],
            id=key["id"],
            check_value=_hexadecimal(key["check_value"], _CHECK_VALUE_BYTES),
            mac=_hexadecimal(read["mac"], _MAC_BYTES),
        )

    def rule(self, name: str) -> ColumnRule:
        """Build the rule that the tokens were made by.

        Raises
        ------
        MetadataMismatch
            If this release would make other tokens from the same parameters.
        """
        try:
            rule = ColumnRule.build(
                self.scheme,
                key=self.key,
                domain=self.domain,
                on_invalid="null" if self.on_invalid == "null" else "error",
                **self.parameters,
            )
        except SchemeError:
            rule = None
        if rule is None or rule.method.shape != self.shape:
            raise MetadataMismatch(
                "the tokens were made with a scheme or parameters that this release does not have",
                column=name,
                hint="use the release of tokenkit that made them, or a newer one",
            )
        return rule


@dataclass(frozen=True, slots=True)
class Metadata:
    """A document of metadata.

    Attributes
    ----------
    file
        The kind of file that it belongs to (``"parquet"``, ``"csv"``).
    policy
        The digest of the policy that the tokens were made by.
    columns
        What it says of each column, by name.

    Examples
    --------
    >>> rule = ColumnRule.build("us-ssn", key="people")
    >>> with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
    ...     text = Metadata.sign("parquet", "00" * 32, {"ssn": (rule, ring["people"].primary)})
    ...     columns = Metadata.parse(text).verify(ring, "parquet")
    >>> columns["ssn"][0] == rule, columns["ssn"][1].number
    (True, 1)
    """

    file: str
    policy: str
    columns: Mapping[str, ColumnMetadata]

    @classmethod
    def sign(
        cls, file: str, policy: str, columns: Mapping[str, tuple[ColumnRule, KeyVersion]]
    ) -> str:
        """Write the document for tokens that are about to be made.

        Parameters
        ----------
        file
            The kind of file that it goes into.
        policy
            The policy's digest.
        columns
            For each tokenized column its rule and key version.

        Raises
        ------
        KeyNotLoaded
            If a key version isn't loaded.
        """
        found = {name: ColumnMetadata.of(*pair) for name, pair in columns.items()}
        unsigned = cls(file, policy, found)
        written = {
            name: {
                **described.to_json(),
                "mac": columns[name][1].authenticate(unsigned.message(name)).hex(),
            }
            for name, described in found.items()
        }
        return compact({**unsigned.header(), "columns": written}).decode("ascii")

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a document; nothing in it is to be trusted before :meth:`verify`.

        Raises
        ------
        MetadataTampered
            If it isn't a document of metadata, or not spelled as one is.
        MetadataMismatch
            If it follows a later version of the token contract.
        """
        content = text.encode() if isinstance(text, str) else text
        try:
            read, problem = parse(content), ""
            if isinstance(read, dict) and type(read.get("contract")) is int:
                _require_known_contract(read["contract"])
            whole = fields(read, "it", format=str, contract=int, file=str, policy=str, columns=dict)
            if whole["format"] != _FORMAT or compact(whole) != content.rstrip(b"\n"):
                problem = "it is not spelled as tokenkit does"
            columns = {
                name: ColumnMetadata.from_json(column) for name, column in whole["columns"].items()
            }
        except MalformedError as exc:
            problem, whole, columns = str(exc), {}, {}
        if problem:
            raise MetadataTampered(
                f"the metadata is damaged or was altered: {problem}", hint=_TAMPERED_HINT
            )
        return cls(whole["file"], whole["policy"], columns)

    def verify(self, keyring: Keyring, file: str) -> dict[str, tuple[ColumnRule, KeyVersion]]:
        """Check every MAC, and find the rules and key versions that the tokens were made by.

        Parameters
        ----------
        keyring
            Where the keys are.
        file
            The kind of file that the document was found in.

        Raises
        ------
        MetadataTampered
            If a MAC doesn't hold.
        MetadataMismatch
            If it belongs to another kind of file, or to a scheme that this release doesn't have.
        UnknownKey, KeyVersionUnknown, KeyVersionDisabled, KeyConflict
            If the keyring doesn't have a key version that it names.
        """
        if self.file != file:
            raise MetadataMismatch(
                "the metadata belongs to another kind of file",
                hint=f"it must come from the {file} file that the tokens were written to",
            )
        return {name: self._verify(name, column, keyring) for name, column in self.columns.items()}

    def _verify(
        self, name: str, column: ColumnMetadata, keyring: Keyring
    ) -> tuple[ColumnRule, KeyVersion]:
        version = keyring[column.key].version_with_id(column.id, column.check_value)
        if not hmac.compare_digest(version.authenticate(self.message(name)), column.mac):
            raise MetadataTampered(
                "the metadata was altered, or belongs to another column",
                column=name,
                hint=_TAMPERED_HINT,
            )
        return column.rule(name), version

    def header(self) -> dict[str, Any]:
        """Give the fields of the whole document."""
        return {
            "format": _FORMAT,
            "contract": CONTRACT,
            "file": self.file,
            "policy": self.policy,
        }

    def message(self, name: str) -> bytes:
        """Give what the MAC of a column is computed over."""
        return compact(
            {
                **self.header(),
                "columns": sorted(self.columns),
                "name": name,
                "column": self.columns[name].to_json(),
            }
        )


_TAMPERED_HINT = "take the file, and its sidecar if it has one, from where they were written"


def _require_known_contract(contract: int) -> None:
    if contract > CONTRACT:
        raise MetadataMismatch(
            f"the tokens follow version {contract} of the token contract; this release knows "
            f"version {CONTRACT}",
            hint="use a newer release of tokenkit",
        )


def _hexadecimal(text: str, size: int) -> bytes:
    try:
        content = bytes.fromhex(text)
    except ValueError:
        content = b""
    if len(content) != size or content.hex() != text:
        raise MalformedError("a field is not of the right length or spelling")
    return content
