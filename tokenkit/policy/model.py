"""The policy: what happens to each column, and the checks that need no data."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias

from pydantic import ValidationError

from tokenkit.errors import InvalidKey, PolicyError, SchemeError, TokenkitError
from tokenkit.keys import Pins
from tokenkit.keys.names import checked_name
from tokenkit.keys.strict_json import MalformedError, compact
from tokenkit.policy.complaints import Location, Place, complaint
from tokenkit.policy.fields import PolicyFields, TokenizedColumn, Unlisted, UntouchedColumn
from tokenkit.policy.names import ColumnNames
from tokenkit.policy.rule import ColumnRule
from tokenkit.schemes import Keep, Parameters

Action: TypeAlias = Literal["keep", "drop"]
"""What happens to a column that isn't tokenized."""
Fate: TypeAlias = ColumnRule | Action
"""What happens to a column: its rule, or ``"keep"`` or ``"drop"``."""


@dataclass(frozen=True, slots=True)
class RejectsRule:
    """How rejected rows are sealed, and how many there may be.

    Attributes
    ----------
    key
        The name of the key for them.
    max_fraction
        The largest part of a job's rows that may be rejected; None if all may.
    """

    key: str | None = None
    max_fraction: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Give the fields that were given."""
        found: dict[str, Any] = {}
        if self.key is not None:
            found["key"] = self.key
        if self.max_fraction is not None:
            found["max_fraction"] = self.max_fraction
        return found


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to each column of an input.

    Made by :meth:`from_mapping` or :func:`~tokenkit.policy.load_policy`, which check everything
    that can be checked without data and keys.

    Attributes
    ----------
    columns
        For each entry, a column's name or a pattern of names, its rule, or ``"keep"`` or
        ``"drop"``.
    unlisted
        What happens to columns that no entry means: ``error``, ``keep`` or ``drop``.
    digest
        SHA-256 of the policy's canonical JSON, as hexadecimal digits: the same for every file that
        says the same, whatever its order, comments and defaults that it spells out.
    rejects
        How rejected rows are sealed, and how many there may be, if the policy says so.
    pins
        What the keyring must hold.
    names
        Finds the entry that means a column.

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
    rejects: RejectsRule | None = None
    pins: Pins = field(default_factory=lambda: Pins({}))
    names: ColumnNames = field(default=ColumnNames(()), repr=False, compare=False)

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
            If a field is missing, unknown or of the wrong kind, if columns look joinable and
            aren't, or if a tweak column is not kept in clear.
        SchemeError, DomainTooSmall, InvalidKey
            If a column's scheme can't work so.
        """
        where = place or (lambda _: "")
        parsed = _parsed(fields, where)
        columns = {name: _fate(name, column, where) for name, column in parsed.columns.items()}
        rules = {name: fate for name, fate in columns.items() if isinstance(fate, ColumnRule)}
        _check_joins(rules, where)
        names = _names(columns, where)
        rejects = _rejects(parsed, where)
        pins = _pins(parsed, where)
        found = cls(MappingProxyType(columns), parsed.unlisted, "", rejects, pins, names)
        for name, rule in rules.items():
            if rule.tweak is not None:
                _check_tweak(found, name, rule.tweak, where)
        digest = hashlib.sha256(compact(found.to_mapping())).hexdigest()
        return replace(found, digest=digest)

    @property
    def rules(self) -> dict[str, ColumnRule]:
        """The columns that are tokenized."""
        return {name: fate for name, fate in self.columns.items() if isinstance(fate, ColumnRule)}

    def fate(self, column: str) -> Fate | None:
        """Say what happens to a column; None where nothing says it and ``unlisted`` is ``error``.

        Raises
        ------
        PolicyError
            If two patterns fit its name.

        Examples
        --------
        >>> Policy.from_mapping({"columns": {"*_id": {"action": "keep"}}}).fate("order_id")
        'keep'
        """
        entry = self.names.entry(column)
        if entry is not None:
            return self.columns[entry]
        return None if self.unlisted == "error" else self.unlisted

    def to_mapping(self) -> dict[str, Any]:
        """Give the fields of the shortest policy that says the same, as :meth:`from_mapping` reads.

        Examples
        --------
        >>> Policy.from_mapping({"columns": {"a": {"action": "keep"}}, "unlisted": "error"})
        ... # doctest: +ELLIPSIS
        Policy(columns=mappingproxy({'a': 'keep'}), unlisted='error', ...
        >>> Policy.from_mapping({"columns": {}, "unlisted": "error"}).to_mapping()
        {'columns': {}}
        """
        columns = {
            name: _rule_fields(fate) if isinstance(fate, ColumnRule) else {"action": fate}
            for name, fate in self.columns.items()
        }
        found: dict[str, Any] = {"columns": columns}
        if self.unlisted != "error":
            found["unlisted"] = self.unlisted
        if self.rejects is not None and (rejects := self.rejects.to_mapping()):
            found["rejects"] = rejects
        if self.pins.check_values:
            found["pins"] = self.pins.to_mapping()
        return found


def joins_apart(one: ColumnRule, other: ColumnRule) -> list[str]:
    """Name what keeps the tokens of two columns apart, key and domain aside.

    Examples
    --------
    >>> card = ColumnRule.build("credit-card", key="k", domain="d")
    >>> joins_apart(card, ColumnRule.build("credit-card", key="k", domain="d", keep={"last": 4}))
    ['keep']
    """
    if one.scheme.name != other.scheme.name:
        return ["the scheme"]
    shapes: tuple[dict[str, Any], dict[str, Any]] = (one.method.shape, other.method.shape)
    names = sorted(shapes[0].keys() | shapes[1].keys())
    found = [name for name in names if shapes[0].get(name) != shapes[1].get(name)]
    if (one.tweak is None) != (other.tweak is None):
        found.append("a tweak")
    if one.version != other.version:
        found.append("the key version")
    if one.shaping_literals != other.shaping_literals:
        found.append("the literals that the scheme would tokenize")
    return found


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
    given = column.model_dump(exclude_unset=True)
    given.pop("action", None)
    error: TokenkitError
    try:
        return ColumnRule.build(given.pop("scheme"), **given)
    except (SchemeError, InvalidKey) as exc:
        error = _located(exc, ("columns", name), name, where)
    raise error


def _rejects(parsed: PolicyFields, where: Place) -> RejectsRule | None:
    if parsed.rejects is None:
        return None
    error: TokenkitError
    try:
        key = parsed.rejects.key
        most = parsed.rejects.max_fraction
        return RejectsRule(
            None if key is None else checked_name(key), None if most is None else float(most)
        )
    except InvalidKey as exc:
        error = _located(exc, ("rejects", "key"), None, where)
    raise error


def _pins(parsed: PolicyFields, where: Place) -> Pins:
    for number, (id_, check_value) in enumerate(parsed.pins.items(), 1):
        try:
            Pins.from_mapping({id_: check_value})
        except MalformedError as exc:
            error = PolicyError(f"{where(('pins', id_))}pin number {number} is none: {exc}")
        else:
            continue
        raise error
    return Pins.from_mapping(parsed.pins)


def _names(columns: Mapping[str, Fate], where: Place) -> ColumnNames:
    error: TokenkitError
    try:
        return ColumnNames(columns)
    except PolicyError as exc:
        error = _located(exc, ("columns", exc.column or ""), exc.column, where)
    raise error


def _located(
    exc: TokenkitError, location: Location, column: str | None, where: Place
) -> TokenkitError:
    return type(exc)(f"{where(location)}{exc.message}", column=column, hint=exc.hint)


def _check_joins(rules: Mapping[str, ColumnRule], where: Place) -> None:
    first: dict[tuple[str, str], str] = {}
    for name, rule in rules.items():
        other = first.setdefault((rule.key, rule.domain), name)
        differing = joins_apart(rules[other], rule)
        if differing:
            raise PolicyError(
                f'{where(("columns", name))}the columns "{other}" and "{name}" share the key '
                f'"{rule.key}" and the domain "{rule.domain}", but not {" and ".join(differing)}: '
                "they look joinable and aren't",
                column=name,
                hint="give them the same parameters so that they join, or domains of their own",
            )


def _check_tweak(policy: Policy, name: str, tweak: str, where: Place) -> None:
    error: TokenkitError
    try:
        if policy.fate(tweak) == "keep":
            return
        error = PolicyError(
            f'the tweak of "{name}" is the column "{tweak}", which the policy does not keep',
            hint=f'a tweak column stays in clear: "{tweak}": {{action: keep}}',
        )
    except PolicyError as exc:
        error = exc
    raise _located(error, ("columns", name, "tweak"), name, where)


def _rule_fields(rule: ColumnRule) -> dict[str, Any]:
    found: dict[str, Any] = {"scheme": rule.scheme.name, "key": rule.key}
    if rule.domain != rule.scheme.name:
        found["domain"] = rule.domain
    default = ColumnRule.build("text", key="any")
    for name in ("on_invalid", "normalize", "literals", "tweak", "output", "version"):
        value = getattr(rule, name)
        if value != getattr(default, name):
            found[name] = list(value) if isinstance(value, tuple) else value
    return found | _given(rule)


def _given(rule: ColumnRule) -> dict[str, Any]:
    """Give the parameters that make a difference, as they are written."""
    parameters = rule.parameters
    for name in sorted(parameters.given()):
        without = replace(parameters, **{name: getattr(Parameters(), name)})
        try:
            method = rule.scheme.method(without)
        except SchemeError:
            continue
        # An integer column needs its width, even where the lengths say the same.
        if method == rule.method and name != "width":
            parameters = without
    written = {name: getattr(parameters, name) for name in parameters.given()}
    if isinstance(kept := written.get("keep"), Keep):
        written["keep"] = {end: count for end, count in asdict(kept).items() if count}
    return written
