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
     "contract": 1, "file": "parquet", "format": "tokenkit-metadata", "policy": "...", "run": "..."}

``parameters`` are what the policy said, ``shape`` what they came down to. A column also has
``literals``, ``normalize``, ``tweak``, ``output`` and ``type`` (the type of the values, where their
tokens have another), each only where it says something. Each column's ``mac`` is
HMAC-SHA-256 under the "metadata MAC" subkey of its own key version, over the canonical JSON of its
fields without the MAC, its name, the names of all columns, and the fields of the whole document
(contract, file, format, policy, run). So no field can be changed, no column moved to another name,
added or taken away, and no document moved to another kind of file, without the key; and rekeying
one column leaves the MACs of the others as they are.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from tokenkit.errors import MetadataMismatch, MetadataTampered
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.keys.strict_json import MalformedError, compact, fields, parse
from tokenkit.policy.column_metadata import ColumnMetadata, hexadecimal
from tokenkit.policy.rule import ColumnRule

METADATA_KEY: Final = "tokenkit"
"""The name of the document in a file's key-value metadata."""
CONTRACT: Final = 1
"""The version of the token contract that this release follows."""
_FORMAT = "tokenkit-metadata"
_RUN_BYTES = 16

VerifiedMetadata: TypeAlias = Mapping[str, tuple[ColumnRule, KeyVersion]]
"""For each column of tokens, how and under which key version they were made: what
:meth:`Metadata.verify` gives."""


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
    run
        The id of the run that wrote the tokens, 32 hexadecimal digits; empty if there is none.

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
    run: str = ""

    @classmethod
    def sign(cls, file: str, policy: str, columns: VerifiedMetadata, run: str = "") -> str:
        """Write the document for tokens that are about to be made.

        Parameters
        ----------
        file
            The kind of file that it goes into.
        policy
            The policy's digest.
        columns
            For each tokenized column its rule and key version. Where the tokens of integers are
            strings, the rule has the type of the integers.
        run
            The id of the run, 32 hexadecimal digits; empty if there is none.

        Raises
        ------
        KeyNotLoaded
            If a key version isn't loaded.
        """
        found = {name: ColumnMetadata.of(*pair) for name, pair in columns.items()}
        unsigned = cls(file, policy, found, run)
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
            whole = fields(
                read,
                "it",
                format=str,
                contract=int,
                file=str,
                policy=str,
                run=str,
                columns=dict,
            )
            if whole["run"]:
                hexadecimal(whole["run"], _RUN_BYTES)
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
        # A field that is spelled out as nothing would be a second spelling of the same document.
        if any(
            column.to_json().keys() | {"mac"} != whole["columns"][name].keys()
            for name, column in columns.items()
        ):
            raise MetadataTampered(
                "the metadata is damaged or was altered: it has a field that says nothing",
                hint=_TAMPERED_HINT,
            )
        return cls(whole["file"], whole["policy"], columns, whole["run"])

    def verify(
        self, keyring: Keyring, file: str | None = None
    ) -> dict[str, tuple[ColumnRule, KeyVersion]]:
        """Check every MAC, and find the rules and key versions that the tokens were made by.

        Parameters
        ----------
        keyring
            Where the keys are.
        file
            The kind of file that the document was found in, where there is one.

        Raises
        ------
        MetadataTampered
            If a MAC doesn't hold.
        MetadataMismatch
            If it belongs to another kind of file, or to a scheme that this release doesn't have.
        UnknownKey, KeyVersionUnknown, KeyVersionDisabled, KeyConflict
            If the keyring doesn't have a key version that it names.
        """
        if file is not None and self.file != file:
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
            "run": self.run,
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
