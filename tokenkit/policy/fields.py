"""The fields of a policy file, and their kinds."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from tokenkit.policy.rule import OnInvalid, TokenOutput
from tokenkit.policy.values import Normalization
from tokenkit.schemes import CheckDigit

Unlisted: TypeAlias = Literal["error", "keep", "drop"]
"""What happens to columns that the policy doesn't name."""


class _Fields(BaseModel):
    # strict: a number isn't quietly read as a text, nor a text as a number.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nothing(cls, value: object, info: ValidationInfo) -> object:
        # A field whose value was forgotten is no field with its default.
        if value is None and info.field_name != "on_invalid":
            raise PydanticCustomError("nothing", "a value")
        return value


def _spelled_out(value: object) -> object:
    # YAML reads a bare null as nothing; the field's name stands there, so it is the choice "null".
    return "null" if value is None else value


def _listed(value: object) -> object:
    # Files have lists, and rules have tuples; strictly, neither is the other.
    return tuple(value) if isinstance(value, list) else value


def _version(value: object) -> object:
    if value != "primary" and (type(value) is not int or value < 1):
        raise PydanticCustomError("version", "a key version")
    return value


def _named_by_id(value: object) -> object:
    # YAML reads an id as a number; JSON can only write it as a text.
    if not isinstance(value, Mapping):
        return value
    return {str(id_) if type(id_) is int else id_: pinned for id_, pinned in value.items()}


class KeepFields(_Fields):
    """How many characters stay as they are at either end; they go into the tweak."""

    first: int = Field(default=0, ge=0, le=15, description="How many stay at the start.")
    last: int = Field(default=0, ge=0, le=15, description="How many stay at the end.")


class TokenizedColumn(_Fields):
    """A column that is tokenized: it needs no more than scheme and key."""

    action: Literal["tokenize"] = Field(
        default="tokenize", description="What happens to the column; tokenize may be left out."
    )
    scheme: str = Field(
        description="The kind of value; `tokenkit schemes` lists them.", examples=["credit-card"]
    )
    key: str = Field(
        description="The name of a key in the keyring.", examples=["payments", "people"]
    )
    domain: str = Field(
        default="",
        description="Separates or joins columns under one key; default: the scheme's name.",
        examples=["phone"],
    )
    keep: KeepFields = Field(
        default=KeepFields(),
        description="Characters that stay as they are.",
        examples=[{"first": 6, "last": 4}],
    )
    check_digit: CheckDigit | None = Field(
        default=None,
        description="What the token's check digit is: off by one (invalid), one that holds "
        "(valid), or any digit (ignore).",
    )
    alphabet: str | None = Field(
        default=None,
        description="The characters of values and tokens, in the order of their numerals.",
        examples=["0123456789ABCDEF"],
    )
    separators: str | None = Field(
        default=None,
        description="Characters that stay where they are, each alone between two others.",
        examples=[" -"],
    )
    min_length: int | None = Field(
        default=None, description="The shortest value that is accepted.", examples=[8]
    )
    max_length: int | None = Field(
        default=None, description="The longest value that is accepted.", examples=[16]
    )
    width: int | None = Field(
        default=None,
        description="The number of digits that integers are written with, and the one length of "
        "text. Integer columns need it.",
        examples=[10],
    )
    allow_small_domain: bool = Field(
        default=False,
        description="Accept fewer than 1,000,000 possible tokens, which makes guessing easier.",
    )
    literals: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="Values that stay themselves.", examples=[["N/A", "unknown"]]
    )
    normalize: Annotated[tuple[Normalization, ...], BeforeValidator(_listed)] = Field(
        default=(),
        description="What is done to values first, so that writings of one value agree. "
        "Detokenizing gives the normalized value back.",
        examples=[["trim", "lower"]],
    )
    tweak: str | None = Field(
        default=None,
        description="A column that is kept in clear; equal values beside other values of it get "
        "other tokens.",
        examples=["tenant"],
    )
    output: TokenOutput = Field(
        default="same",
        description="The type of the tokens: that of the values, or strings of width digits.",
    )
    version: Annotated[int | Literal["primary"], BeforeValidator(_version)] = Field(
        default="primary", description="The key version that makes the tokens.", examples=[1]
    )
    on_invalid: Annotated[OnInvalid, BeforeValidator(_spelled_out)] = Field(
        default="error",
        description="What becomes of values that don't fit: the job fails (error), they become "
        "null (null) or sealed tokens (seal), or their rows are set aside (reject).",
    )


class UntouchedColumn(_Fields):
    """A column that is kept in clear, or left out."""

    action: Literal["keep", "drop"] = Field(
        description="keep leaves the column in clear, drop leaves it out."
    )


class RejectsFields(_Fields):
    """How rejected rows are sealed, and how many there may be."""

    key: str | None = Field(
        default=None, description="The name of a key in the keyring.", examples=["people"]
    )
    max_fraction: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="The largest part of the rows that may be rejected: a job with more of them "
        "fails, and writes nothing.",
        examples=[0.01],
    )


def _kind(column: object) -> str:
    untouched = isinstance(column, UntouchedColumn) or (
        isinstance(column, Mapping) and column.get("action", "tokenize") != "tokenize"
    )
    return "untouched" if untouched else "tokenized"


class PolicyFields(_Fields):
    """Which column gets which scheme, key and domain, and what becomes of what doesn't fit."""

    columns: dict[
        str,
        Annotated[
            Annotated[TokenizedColumn, Tag("tokenized")]
            | Annotated[UntouchedColumn, Tag("untouched")],
            Discriminator(_kind),
        ],
    ] = Field(
        description="For each column what happens to it. Names may be patterns with *, ? and "
        "[...]; an exact name wins, and [*] stands for the character itself."
    )
    unlisted: Unlisted = Field(
        default="error", description="What happens to columns that aren't named."
    )
    rejects: RejectsFields | None = Field(
        default=None, description="How rejected rows are sealed, and how many there may be."
    )
    pins: Annotated[dict[str, str], BeforeValidator(_named_by_id)] = Field(
        default={},
        description="The key versions that the keyring must have: the key-check value (32 "
        "hexadecimal digits) of each, by its id.",
        examples=[{"305419896": "5eb63bbbe01eeed093cb22bb8f5acdc3"}],
    )
