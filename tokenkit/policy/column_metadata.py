"""What a document of metadata says of one column."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from tokenkit.errors import MetadataMismatch, SchemeError
from tokenkit.keys import KeyVersion
from tokenkit.keys.strict_json import MalformedError, fields
from tokenkit.policy.rule import ON_INVALID, ColumnRule, OnInvalid

_MAC_BYTES = 32
_CHECK_VALUE_BYTES = 16
_OPTIONAL: Final[Mapping[str, type]] = {
    "literals": list,
    "normalize": list,
    "tweak": str,
    "output": str,
    "type": str,
}
"""Fields of a column that are left out where they say nothing."""
_ON_INVALID: Final[Mapping[str, OnInvalid]] = {choice: choice for choice in ON_INVALID}


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
    literals, normalize, tweak, output
        As in the policy.
    type
        The type of the values, where their tokens have another.
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
    literals: tuple[str, ...] = ()
    normalize: tuple[str, ...] = ()
    tweak: str | None = None
    output: str = "same"
    type: str | None = None

    @classmethod
    def of(cls, rule: ColumnRule, version: KeyVersion, value_type: str | None = None) -> Self:
        """Describe a column that is about to be tokenized; the MAC is still missing.

        Parameters
        ----------
        rule, version
            How its tokens are made.
        value_type
            The type of the values (``"int64"``), where their tokens are strings; the rule's own
            where it isn't given.
        """
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
            literals=rule.literals,
            normalize=rule.normalize,
            tweak=rule.tweak,
            output=rule.output,
            type=value_type or rule.value_type,
        )

    def to_json(self) -> dict[str, Any]:
        """Give the fields as they are written, without the MAC."""
        optional: dict[str, Any] = {
            "literals": list(self.literals) or None,
            "normalize": list(self.normalize) or None,
            "tweak": self.tweak,
            "output": None if self.output == "same" else self.output,
            "type": self.type,
        }
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
            **{name: value for name, value in optional.items() if value is not None},
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a column's fields, MAC included."""
        given = value.keys() & _OPTIONAL.keys() if isinstance(value, dict) else set()
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
            **{name: _OPTIONAL[name] for name in given},
        )
        lists = [tuple(read.get(name, ())) for name in ("literals", "normalize")]
        if not all(isinstance(text, str) for texts in lists for text in texts):
            raise MalformedError("a list in it holds something else than texts")
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
            check_value=hexadecimal(key["check_value"], _CHECK_VALUE_BYTES),
            mac=hexadecimal(read["mac"], _MAC_BYTES),
            literals=lists[0],
            normalize=lists[1],
            tweak=read.get("tweak"),
            output=read.get("output", "same"),
            type=read.get("type"),
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
                on_invalid=_ON_INVALID.get(self.on_invalid, "error"),
                literals=self.literals,
                normalize=self.normalize,
                tweak=self.tweak,
                output=self.output,
                value_type=self.type,
                **self.parameters,
            )
        except (SchemeError, TypeError):
            # A parameter may also be called like a field that this release has.
            rule = None
        if rule is None or rule.method.shape != self.shape:
            raise MetadataMismatch(
                "the tokens were made with a scheme or parameters that this release does not have",
                column=name,
                hint="use the release of tokenkit that made them, or a newer one",
            )
        return rule


def hexadecimal(text: str, size: int) -> bytes:
    """Read bytes that are spelled in lower-case hexadecimal digits.

    Raises
    ------
    MalformedError
        If the length or the spelling is another.
    """
    try:
        content = bytes.fromhex(text)
    except ValueError:
        content = b""
    if len(content) != size or content.hex() != text:
        raise MalformedError("a field is not of the right length or spelling")
    return content
