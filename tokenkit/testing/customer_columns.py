"""How each column of the made-up customers is made, as Polars expressions over ``row``."""

from __future__ import annotations

import datetime as dt
import itertools
import string
import zlib
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_NAMES = (
    "Ada Aisha Alan Amélie Ana Anders Beatriz Björn Carlos Chloé Chen Dara Diego Eleni Emeka Emma "
    "Farah Fatima Finn Grace Hana Hiroshi Ibrahim Ines Ivan Jamal Jiwoo Johanna Kofi Lars Leila "
    "Linh Lucía Maja Mateo Mei Mira Mohamed Nadia Noor Olga Omar Paolo Priya Quentin Rosa Rui "
    "Sakura Sami Sofía Søren Tariq Thandi Uma Valentina Wanjiru Xiu Yara Yusuf Zoë"
).split()
_LAST_NAMES = (
    "Abebe Adeyemi Ahmed Alvarez Andersen Bauer Becker Bianchi Castro Chen Cohen Dubois Fischer "
    "García Gruber Haddad Hansen Ito Ivanova Jansen Jensen Kaur Khan Kim Kowalski Kumar Larsen "
    "Lefèvre Lopez Mbeki Moreau Müller Nakamura Nguyen Novák O'Brien Okafor Olsen Park Patel "
    "Pereira Petrov Rossi Sato Schmidt Silva Singh Smith Strauß Suzuki Tanaka Torres Wang Weber "
    "Williams Wong Yamamoto Yıldız Zhang Zulu"  # noqa: RUF001 - Turkish
).split()
_MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example")
_NOTES = (
    "prefers e-mail",
    "called about the invoice",
    "bitte nur abends anrufen, danke schön",
    "a friend of the house, handle with care",
    "ne pas appeler avant 10 h",
    "住所変更の連絡あり",
    'said "ship it, no hurry"',
    "moved; the new address is on file, see the letter of last May\nand the reply to it",
)
_AREA_CODES = (201, 212, 303, 312, 404, 415, 503, 602, 617, 702, 808, 907)
_COUNTRY_CODES = ("33", "44", "49", "81")

# Issuer prefix, number of digits, weight out of 100.
_CARD_NETWORKS = (
    ("4", 16, 40),
    ("4", 19, 5),
    ("51", 16, 8),
    ("53", 16, 8),
    ("55", 16, 8),
    ("2221", 16, 4),
    ("2720", 16, 4),
    ("34", 15, 7),
    ("37", 15, 8),
    ("6011", 16, 4),
    ("62", 19, 4),
)

_BIRTH_DATES = (dt.date(1930, 1, 1), dt.date(2008, 12, 31))
_NULLABLE = ("email", "phone", "card", "ssn", "birth_date", "account", "note")
_EMPTIABLE = ("email", "phone", "card", "ssn", "account", "note")
_NULLS_PERCENT = 2
_EMPTIES_PERCENT = 1

_MASK = 2**64 - 1
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15


def clean_columns(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Every column of the customers numbered in ``row``: nothing missing, nothing dirty."""
    first, last = _pick(seed, "first name", _FIRST_NAMES), _pick(seed, "last name", _LAST_NAMES)
    return rows.select(
        pl.col("row"),
        (pl.col("row") + 1).cast(pl.Int64).alias("customer_id"),
        first.alias("first_name"),
        last.alias("last_name"),
        _email(seed, first, last).alias("email"),
        _phone(seed).alias("phone"),
        _card(rows, seed),
        _ssn(seed).alias("ssn"),
        _birth_date(seed).alias("birth_date"),
        _amount(seed).alias("amount"),
        _account(seed).alias("account"),
        _pick(seed, "note", _NOTES).alias("note"),
    )


def punch(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Put nulls and empty strings where customers left a field out."""
    return frame.with_columns(_with_gaps(seed, column) for column in _NULLABLE)


def spoil(frame: pl.DataFrame, seed: int, share: float) -> pl.DataFrame:
    """Make a share of the cards, SSNs and accounts dirty; nulls and empty strings stay."""
    return frame.with_columns(
        _with_dirt(seed, "card", share, _spoiled_cards(pl.col("card"))),
        _with_dirt(seed, "ssn", share, _spoiled_ssns(pl.col("ssn"))),
        _with_dirt(seed, "account", share, _spoiled_accounts(pl.col("account"))),
    )


def _random(seed: int, purpose: str) -> pl.Expr:
    """64 random bits a row: SplitMix64 (Steele, Lea and Flood 2014) at the row's position."""
    origin = (seed * _GOLDEN_GAMMA + (zlib.crc32(purpose.encode()) << 32)) & _MASK
    state = pl.col("row") * _u64(_GOLDEN_GAMMA) + _u64(origin)
    state = (state ^ (state // _u64(1 << 30))) * _u64(0xBF58476D1CE4E5B9)
    state = (state ^ (state // _u64(1 << 27))) * _u64(0x94D049BB133111EB)
    return state ^ (state // _u64(1 << 31))


def _u64(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.UInt64)


def _below(seed: int, purpose: str, bound: int) -> pl.Expr:
    # The bias of a plain remainder is below bound / 2^64: nothing, for made-up data.
    return _random(seed, purpose) % _u64(bound)


def _pick(seed: int, purpose: str, choices: Sequence[str]) -> pl.Expr:
    return _gather(choices, _below(seed, purpose, len(choices)))


def _gather(choices: Sequence[str], index: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(choices, dtype=pl.String)).gather(index)


def _digits(value: pl.Expr, width: int) -> pl.Expr:
    return value.cast(pl.String).str.zfill(width)


def _email(seed: int, first: pl.Expr, last: pl.Expr) -> pl.Expr:
    number = _below(seed, "mail number", 10_000).cast(pl.String)
    local = pl.concat_str(first, pl.lit("."), last, number).str.to_lowercase()
    return pl.concat_str(local, pl.lit("@"), _pick(seed, "mail domain", _MAIL_DOMAINS))


def _phone(seed: int) -> pl.Expr:
    area = _gather([str(code) for code in _AREA_CODES], _below(seed, "area", len(_AREA_CODES)))
    country = _pick(seed, "country", _COUNTRY_CODES)
    exchange = (_below(seed, "exchange", 800) + 200).cast(pl.String)
    line = _digits(_below(seed, "line", 10_000), 4)
    style = _below(seed, "phone style", 4)
    return (
        pl.when(style == 0)
        .then(pl.concat_str(area, pl.lit("-"), exchange, pl.lit("-"), line))
        .when(style == 1)
        .then(pl.concat_str(pl.lit("("), area, pl.lit(") "), exchange, pl.lit("-"), line))
        .when(style == 2)
        .then(pl.concat_str(area, exchange, line))
        .otherwise(pl.concat_str(pl.lit("+"), country, pl.lit(" "), area, exchange, line))
    )


def _card(rows: pl.DataFrame, seed: int) -> pl.Series:
    # In stages: as one expression, the account number would be worked out once for every use.
    wheel = [n for n, (_, _, weight) in enumerate(_CARD_NETWORKS) for _ in range(weight)]
    spans = [10 ** (length - 1 - len(prefix)) for prefix, length, _ in _CARD_NETWORKS]
    bases = [int(prefix) * span for (prefix, _, _), span in zip(_CARD_NETWORKS, spans, strict=True)]
    network = pl.lit(pl.Series(wheel, dtype=pl.UInt32)).gather(_below(seed, "network", len(wheel)))
    span = pl.lit(pl.Series(spans, dtype=pl.UInt64)).gather(pl.col("network"))
    base = pl.lit(pl.Series(bases, dtype=pl.UInt64)).gather(pl.col("network"))
    digits = pl.col("digits")
    style = _below(seed, "card style", 5)
    separator = pl.when(style == 3).then(pl.lit(" ")).otherwise(pl.lit("-"))
    return (
        rows.with_columns(network.alias("network"))
        .with_columns((base + _random(seed, "card") % span).alias("body"))
        .with_columns(_luhn_sum(pl.col("body")).alias("sum"))
        .select(
            (pl.col("body") * 10 + (10 - pl.col("sum") % 10) % 10).cast(pl.String).alias("digits"),
            separator.alias("separator"),
            style.alias("style"),
        )
        .select(pl.when(pl.col("style") < 3).then(digits).otherwise(_grouped()).alias("card"))
        .to_series()
    )


def _luhn_sum(body: pl.Expr) -> pl.Expr:
    """Luhn sum of a number that still lacks its check digit (ISO/IEC 7812-1, annex B)."""
    weighted = []
    for position in range(18):
        digit = (body // _u64(10**position)) % _u64(10)
        doubled = position % 2 == 0
        weighted.append((digit * 2) // 10 + (digit * 2) % 10 if doubled else digit)
    return pl.sum_horizontal(weighted)


def _grouped() -> pl.Expr:
    digits, separator = pl.col("digits"), pl.col("separator")

    def groups(*widths: int) -> pl.Expr:
        starts = itertools.accumulate(widths, initial=0)
        parts = [digits.str.slice(s, w) for s, w in zip(starts, widths, strict=False)]
        joined: list[pl.Expr] = [parts[0]]
        for part in parts[1:]:
            joined += [separator, part]
        return pl.concat_str(joined)

    length = digits.str.len_bytes()
    return (
        pl.when(length == 15)
        .then(groups(4, 6, 5))
        .when(length == 16)
        .then(groups(4, 4, 4, 4))
        .otherwise(groups(4, 4, 4, 4, 3))
    )


def _ssn(seed: int) -> pl.Expr:
    # Never issued: area 000, 666 and 900 to 999, group 00, serial 0000.
    area = _below(seed, "ssn area", 898) + 1
    area = _digits(area + (area >= 666).cast(pl.UInt64), 3)
    group = _digits(_below(seed, "ssn group", 99) + 1, 2)
    serial = _digits(_below(seed, "ssn serial", 9999) + 1, 4)
    separator = pl.when(_below(seed, "ssn style", 3) > 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(area, separator, group, separator, serial)


def _birth_date(seed: int) -> pl.Expr:
    first, last = _BIRTH_DATES
    epoch = dt.date(1970, 1, 1)
    days = _below(seed, "birth date", (last - first).days + 1).cast(pl.Int32)
    return (days + (first - epoch).days).cast(pl.Date)


def _amount(seed: int) -> pl.Expr:
    cents = _below(seed, "amount", 250_000_00).cast(pl.Int64)
    return (cents.cast(pl.Decimal(14, 2)) / 100).cast(pl.Decimal(12, 2))


def _account(seed: int) -> pl.Expr:
    characters = string.digits + string.ascii_letters
    pairs = [a + b for a in characters for b in characters]
    value = _random(seed, "account")
    # Five pairs of 62^2 = 3844 take 59.5 of the 64 random bits.
    return pl.concat_str(
        *(_gather(pairs, (value // _u64(len(pairs) ** n)) % _u64(len(pairs))) for n in range(5))
    )


def _with_gaps(seed: int, column: str) -> pl.Expr:
    draw = _below(seed, f"gap {column}", 100)
    value = pl.col(column)
    if column in _EMPTIABLE:
        full = draw >= _NULLS_PERCENT + _EMPTIES_PERCENT
        value = pl.when(full).then(value).otherwise(pl.lit(""))
    return pl.when(draw >= _NULLS_PERCENT).then(value).alias(column)


def _with_dirt(seed: int, column: str, share: float, spoiled: list[pl.Expr]) -> pl.Expr:
    value = pl.col(column)
    is_dirty = _random(seed, f"dirt {column}") < _u64(min(int(share * 2**64), _MASK))
    if share == 1:
        is_dirty = pl.lit(value=True)
    kind = _below(seed, f"kind of dirt {column}", len(spoiled))
    dirt = value
    for number, variant in enumerate(spoiled):
        dirt = pl.when(kind == number).then(variant).otherwise(dirt)
    return pl.when(is_dirty & (value.str.len_bytes() > 0)).then(dirt).otherwise(value).alias(column)


def _full_width(value: pl.Expr) -> pl.Expr:
    ascii_digits = list(string.digits)
    full_width = [chr(ord("０") + n) for n in range(10)]  # noqa: RUF001 - the point of it
    return value.str.replace_many(ascii_digits, full_width)


def _other_last_digit(value: pl.Expr) -> pl.Expr:
    last = value.str.slice(-1).cast(pl.UInt8, strict=False)
    return pl.concat_str(value.str.head(-1), ((last + 1) % 10).cast(pl.String))


def _spoiled_cards(card: pl.Expr) -> list[pl.Expr]:
    return [
        _other_last_digit(card),
        pl.concat_str(card.str.head(-1), pl.lit("x")),
        card.str.head(8),
        _full_width(card),
    ]


def _spoiled_ssns(ssn: pl.Expr) -> list[pl.Expr]:
    return [
        pl.concat_str(pl.lit("A"), ssn.str.slice(1)),
        ssn.str.head(6),
        pl.concat_str(ssn, pl.lit("00")),
        _full_width(ssn),
    ]


def _spoiled_accounts(account: pl.Expr) -> list[pl.Expr]:
    return [
        pl.concat_str(account.str.head(-1), pl.lit("#")),
        pl.concat_str(pl.lit("é"), account.str.slice(1)),
        account.str.head(2),
        pl.concat_str(pl.lit("７"), account.str.slice(1)),  # noqa: RUF001 - the point of it
    ]
