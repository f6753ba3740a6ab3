"""What stands in the metadata of a file of rejected rows: how to open it, and no value."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import polars as pl

from tokenkit.engines.polars.rejects import RejectCell
from tokenkit.errors import MetadataMismatch, MetadataMissing, MetadataTampered
from tokenkit.jobs.rejects.cells import restored
from tokenkit.keys import Keyring
from tokenkit.keys.strict_json import MalformedError, compact, fields, parse

REJECTS_KEY: Final = "tokenkit-rejects"
"""The name of the description in the file's key-value metadata."""
_FORMAT = "tokenkit-rejects"
_CONTRACT = 1


@dataclass(frozen=True, slots=True)
class RejectsDescription:
    """How rejected rows were sealed.

    Attributes
    ----------
    run
        The run's id, which every cell is bound to.
    operation
        ``tokenize`` or ``detokenize``.
    policy
        The policy's digest.
    schema
        The source's columns, and the types that they come back as.
    keys
        For each column with a key of its own: the key's name, the id and check value of the
        version, and the domain. Other columns are sealed under the failing column's.
    """

    run: str
    operation: str
    policy: str
    schema: pl.Schema
    keys: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(
        cls,
        cells: Sequence[RejectCell],
        schema: pl.Schema,
        *,
        run: str,
        operation: str,
        policy: str,
    ) -> Self:
        """Describe rows that are about to be sealed."""
        keys = {
            cell.column: {
                "name": cell.version.name,
                "version": cell.version.number,
                "id": cell.version.id,
                "check_value": cell.version.check_value.hex(),
                "domain": cell.domain or "",
            }
            for cell in cells
            if cell.version is not None
        }
        types = pl.Schema({name: restored(dtype) for name, dtype in schema.items()})
        return cls(run, operation, policy, types, keys)

    def to_text(self) -> str:
        """Write the description, as JSON in one spelling."""
        empty = io.BytesIO()
        pl.DataFrame(schema=self.schema).write_ipc(empty)
        return compact(
            {
                "format": _FORMAT,
                "contract": _CONTRACT,
                "run": self.run,
                "operation": self.operation,
                "policy": self.policy,
                "schema": base64.b64encode(empty.getvalue()).decode("ascii"),
                "keys": {name: dict(key) for name, key in self.keys.items()},
            }
        ).decode("ascii")

    @classmethod
    def parse(cls, text: str | bytes | None) -> Self:
        """Read a description.

        Raises
        ------
        MetadataMissing
            If there is none: the file isn't one of rejected rows.
        MetadataTampered
            If it can't be read.
        """
        if text is None:
            raise MetadataMissing(
                "this is no file of rejected rows",
                hint="tokenkit writes them to OUTPUT.rejects.parquet",
            )
        content = text.encode() if isinstance(text, str) else text
        found: Self | None = None
        try:
            whole = fields(
                parse(content),
                "it",
                format=str,
                contract=int,
                run=str,
                operation=str,
                policy=str,
                schema=str,
                keys=dict,
            )
            if (whole["format"], whole["contract"]) == (_FORMAT, _CONTRACT):
                schema = pl.read_ipc_schema(io.BytesIO(base64.b64decode(whole["schema"])))
                found = cls(
                    whole["run"],
                    whole["operation"],
                    whole["policy"],
                    pl.Schema(schema),
                    {name: _key(key) for name, key in whole["keys"].items()},
                )
        except (MalformedError, pl.exceptions.PolarsError, ValueError, OSError):
            found = None
        if found is None:
            raise MetadataTampered(
                "the description of the rejected rows is damaged or was altered",
                hint="take the file from where it was written",
            )
        return found

    def cells(self, keyring: Keyring) -> list[RejectCell]:
        """Find the key versions that the cells were sealed under.

        Raises
        ------
        UnknownKey, KeyVersionUnknown, KeyVersionDisabled, KeyConflict
            If the keyring doesn't have one.
        MetadataMismatch
            If no column has a key.
        """
        found = []
        for name in self.schema:
            key = self.keys.get(name)
            if key is None:
                found.append(RejectCell(name, None, None))
                continue
            check_value = bytes.fromhex(key["check_value"])
            version = keyring[key["name"]].version_with_id(key["id"], check_value)
            found.append(RejectCell(name, key["domain"], version))
        if not self.keys:
            raise MetadataMismatch("no column of the rejected rows names a key")
        return found


def _key(value: object) -> dict[str, Any]:
    key = fields(value, "a key", name=str, version=int, id=int, check_value=str, domain=str)
    bytes.fromhex(key["check_value"])
    return key
