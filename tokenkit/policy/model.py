"""The policy: its fields, and the checks that need no data."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from tokenkit.errors import InvalidKey, PolicyError, SchemeError, TokenkitError
from tokenkit.keys.strict_json import compact
from tokenkit.policy.complaints import Location, complaint
from tokenkit.policy.rule import ColumnRule, OnInvalid
from tokenkit.schemes import CheckDigit

Action: TypeAlias = Literal["keep", "drop"]
"""What happens to a column that isn't tokenized."""
Fate: TypeAlias = ColumnRule | Action
"""What happens to a column: its rule, or ``"keep"`` or ``"drop"``."""
Unlisted: TypeAlias = Literal["error", "keep", "drop"]
"""What happens to columns that the policy doesn't name."""
Place: TypeAlias = Callable[[Location], str]
"""Says where a field stands, as the beginning of a message (``"policy.yaml, line 3: "``)."""


class _Fields(BaseModel):
    # strict: a number isn't quietly read as a text, nor a text as a number.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class KeepFields(_Fields):
    """``keep``: how many characters stay as they are at either end."""

    first: int = Field(default=0, ge=0, le=15)
    last: int = Field(default=0, ge=0, le=15)


def _spelled_out(value: object) -> object:
    # YAML reads a bare null as nothing; the field's name stands there, so it is the choice "null".
    return "null" if value is None else value


class TokenizedColumn(_Fields):
    """A column that is tokenized."""

    scheme: str
    key: str
    domain: str = ""
    keep: KeepFields = KeepFields()
    check_digit: CheckDigit | None = None
    alphabet: str | None = None
    separators: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    allow_small_domain: bool = False
    on_invalid: Annotated[OnInvalid, BeforeValidator(_spelled_out)] = "error"

    def rule(self) -> ColumnRule:
        """Build the column's rule."""
        given = self.model_dump(exclude_unset=True)
        return ColumnRule.build(given.pop("scheme"), **given)


class UntouchedColumn(_Fields):
    """A column that is kept as it is, or dropped."""

    action: Action


def _kind(column: object) -> str:
    untouched = isinstance(column, UntouchedColumn) or (
        isinstance(column, Mapping) and "action" in column
    )
    return "untouched" if untouched else "tokenized"


class PolicyFields(_Fields):
    """The fields of a policy file."""

    columns: dict[
        str,
        Annotated[
            Annotated[TokenizedColumn, Tag("tokenized")]
            | Annotated[UntouchedColumn, Tag("untouched")],
            Discriminator(_kind),
        ],
    ]
    unlisted: Unlisted = "error"


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to each column of an input.

    Made by :meth:`from_mapping` or :func:`~tokenkit.policy.load_policy`, which check everything
    that can be checked without data and keys.

    Attributes
    ----------
    columns
        For each named column its rule, or ``"keep"`` or ``"drop"``.
    unlisted
        What happens to columns that aren't named: ``error``, ``keep`` or ``drop``.
    digest
        SHA-256 of the policy's canonical JSON, as hexadecimal digits: the same for every file that
        says the same, whatever its order, comments and defaults that it spells out.

    Examples
    --------
    >>> policy = Policy.from_mapping(
    ...     {"columns": {"card": {"scheme": "credit-card", "key": "payments"}}, "unlisted": "keep"}
    ... )
    >>> policy.columns["card"].domain, policy.unlisted, len(policy.digest)
    ('credit-card', 'keep', 64)
    """

    columns: Mapping[str, Fate]
    unlisted: Unlisted
    digest: str

    @classmethod
    def from_mapping(cls, fields: Mapping[str, object], *, place: Place | None = None) -> Self:
        """Check the fields of a policy.

        Parameters
        ----------
        fields
            The fields, as a policy file has them.
        place
            Says where a field stands, for messages.

        Raises
        ------
        PolicyError
            If a field is missing, unknown or of the wrong kind, or if columns look joinable and
            aren't.
        SchemeError, DomainTooSmall, InvalidKey
            If a column's scheme can't work so.
        """
        where = place or (lambda _: "")
        parsed = _parsed(fields, where)
        columns = {name: _fate(name, column, where) for name, column in parsed.columns.items()}
        _check_joins({n: r for n, r in columns.items() if isinstance(r, ColumnRule)}, where)
        canonical = compact(parsed.model_dump(exclude_defaults=True))
        return cls(
            MappingProxyType(columns), parsed.unlisted, hashlib.sha256(canonical).hexdigest()
        )

    @property
    def rules(self) -> dict[str, ColumnRule]:
        """The columns that are tokenized."""
        return {name: fate for name, fate in self.columns.items() if isinstance(fate, ColumnRule)}


def _parsed(fields: Mapping[str, object], where: Place) -> PolicyFields:
    try:
        return PolicyFields.model_validate(dict(fields))
    except ValidationError as exc:
        error = _refusal(exc, where)
    # Raised here, so that pydantic's error, which knows the values, isn't attached.
    raise error


def _refusal(exc: ValidationError, where: Place) -> PolicyError:
    found = exc.errors(include_url=False)
    location, column, message, hint = complaint(found[0])
    more = f" ({len(found) - 1} more after it)" if len(found) > 1 else ""
    return PolicyError(f"{where(location)}{message}{more}", column=column, hint=hint)


def _fate(name: str, column: TokenizedColumn | UntouchedColumn, where: Place) -> Fate:
    if isinstance(column, UntouchedColumn):
        return column.action
    error: TokenkitError
    try:
        return column.rule()
    except (SchemeError, InvalidKey) as exc:
        error = type(exc)(f"{where(('columns', name))}{exc.message}", column=name, hint=exc.hint)
    raise error


def _check_joins(rules: Mapping[str, ColumnRule], where: Place) -> None:
    first: dict[tuple[str, str], str] = {}
    for name, rule in rules.items():
        other = first.setdefault((rule.key, rule.domain), name)
        differing = _differences(rules[other], rule)
        if differing:
            raise PolicyError(
                f'{where(("columns", name))}the columns "{other}" and "{name}" share the key '
                f'"{rule.key}" and the domain "{rule.domain}", but not {" and ".join(differing)}: '
                "they look joinable and aren't",
                column=name,
                hint="give them the same parameters so that they join, or domains of their own",
            )


def _differences(one: ColumnRule, other: ColumnRule) -> list[str]:
    if one.scheme.name != other.scheme.name:
        return ["the scheme"]
    shapes: tuple[dict[str, Any], dict[str, Any]] = (one.method.shape, other.method.shape)
    names = sorted(shapes[0].keys() | shapes[1].keys())
    return [name for name in names if shapes[0].get(name) != shapes[1].get(name)]
