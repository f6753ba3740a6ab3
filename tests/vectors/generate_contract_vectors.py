"""Writes the published vectors of the token contract, from the reference implementation.

Run from the repository's root, after a change of the contract and only then:

    python -m tests.vectors.generate_contract_vectors
"""

from __future__ import annotations

from typing import Any

from tests.vectors import reference
from tests.vectors.contract_vectors import (
    PATH,
    PURPOSES,
    SCHEMES,
    TEST_KEYS,
    Draw,
    Vectors,
    as_text,
    case_of,
    parameters_of,
)
from tests.vectors.reference import ALPHANUMERIC, DIGITS
from tests.vectors.treatment_vectors import treatments

GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
LOWER_HEX = "0123456789abcdef"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
MAHJONG = "".join(chr(0x1F000 + i) for i in range(44))
IDEOGRAPHS = "".join(chr(0x4E00 + i) for i in range(1000))
PRINTABLE = "".join(chr(i) for i in range(0x21, 0x7F))

CARDS = [
    "501800000009",
    "4222222222222",
    "30569309025904",
    "378282246310005",
    "4111111111111111",
    "5555555555554444",
    "6011111111111117",
    "3530111333300000",
    "6759649826438453",
    "6799990100000000019",
]


def grouped(card: str, separator: str) -> str:
    """Return a card number in groups of four."""
    return separator.join(card[i : i + 4] for i in range(0, len(card), 4))


def add_digits(vectors: Vectors) -> None:
    draw = Draw("digits")
    for length in (*range(6, 33), 40, 56, 57, 64, 100, 255, 256, 1000):
        vectors.add("digits", draw.text(DIGITS, length))
    for value in ("000000", "999999", "0000000000000000", "9999999999999999", "123456789"):
        vectors.add("digits", value)
    for length in (2, 3, 4, 5):
        value = draw.text(DIGITS, length)
        vectors.add("digits", value, min_length=length, allow_small_domain=True)
    for first, last in ((1, 0), (0, 1), (2, 2), (3, 0), (0, 4), (6, 4), (5, 4), (15, 15)):
        length = 8 + first + last
        shape: dict[str, Any] = {"keep_first": first, "keep_last": last, "min_length": length}
        value = draw.text(DIGITS, length)
        vectors.add("digits", value, **shape)
        vectors.add("digits", value, tweak="tenant-1", **shape)
        vectors.add("digits", draw.text(DIGITS, length + 7), **shape)
    for value in ("555-0100-99", "1.555.0100", "1-2-3-4-5-6"):
        vectors.add("digits", value, separators="-.")
        shape = {"separators": "-.", "keep_last": 2, "allow_small_domain": True}
        vectors.add("digits", value, **shape)


def add_keys_domains_and_tweaks(vectors: Vectors) -> None:
    card, text = "4111111111111111", "Hello2026World"
    for key in TEST_KEYS:
        for domain in ("digits", "payments", "x", "a.b_c-0", "z" * 64):
            vectors.add("digits", card, key=key, domain=domain)
            vectors.add("alphanumeric", text, key=key, domain=domain)
            vectors.add("credit-card", card, key=key, domain=domain, keep_last=4)
            vectors.add("text", text, key=key, domain=domain)
    for tweak in ("", "a", "tenant-1", "tenant-2", "Zürich", "顧客", "x" * 11, "x" * 12, "x" * 300):
        vectors.add("digits", card, tweak=tweak)
        vectors.add("digits", card, tweak=tweak, keep_last=4, min_length=16)
        vectors.add("alphanumeric", text, tweak=tweak)
        vectors.add("alphanumeric", text, tweak=tweak, keep_first=2, keep_last=3, min_length=14)
        vectors.add("custom", "λογοι", tweak=tweak, alphabet=GREEK, min_length=5)


def add_alphanumeric(vectors: Vectors) -> None:
    draw = Draw("alphanumeric")
    for length in (*range(4, 25), 31, 32, 33, 40, 64, 65, 100, 200, 1000):
        value = draw.text(ALPHANUMERIC, length)
        vectors.add("alphanumeric", value, min_length=min(length, 6))
    for value in ("0000", "zzzz", "AAAAAAAA", "invoice2026", "DE89370400440532013000"):
        vectors.add("alphanumeric", value, min_length=4)
    for first, last in ((1, 0), (0, 1), (2, 2), (4, 0), (0, 4), (15, 15)):
        length = 6 + first + last
        shape: dict[str, Any] = {"keep_first": first, "keep_last": last, "min_length": length}
        vectors.add("alphanumeric", draw.text(ALPHANUMERIC, length), **shape)
        vectors.add("alphanumeric", draw.text(ALPHANUMERIC, length + 20), **shape)
    uuid_like = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    vectors.add("alphanumeric", uuid_like, separators="-")
    vectors.add("alphanumeric", uuid_like, separators="-", keep_first=8, min_length=32)
    vectors.add("alphanumeric", "AB-12/x.9z", separators="-/.")


def add_custom(vectors: Vectors) -> None:
    draw = Draw("custom")
    for alphabet, lengths in (
        ("01", (20, 21, 64, 127, 500)),
        ("abc", (13, 14, 40)),
        ("ACGT", (10, 30, 101)),
        (LOWER_HEX, (5, 8, 32, 64)),
        (LOWER_HEX[::-1], (8, 32)),
        (CROCKFORD, (4, 26)),
        (PRINTABLE, (4, 12, 33)),
        (GREEK, (5, 6, 12, 24, 50)),
        (CYRILLIC, (4, 11, 30)),
        (MAHJONG, (4, 13, 34)),
        ("0" + GREEK + "🂡", (5, 17)),
        (IDEOGRAPHS, (2, 3, 15)),
        ("9876543210", (6, 16)),
        (DIGITS, (6, 16)),
    ):
        for length in lengths:
            value = draw.text(alphabet, length)
            vectors.add("custom", value, alphabet=alphabet, min_length=length)
    for alphabet, first, last, length in (
        (GREEK, 2, 0, 9),
        (GREEK, 0, 3, 9),
        (GREEK, 4, 4, 20),
        (MAHJONG, 15, 15, 36),
        (LOWER_HEX, 4, 4, 16),
        ("9876543210", 6, 4, 18),
        (DIGITS, 6, 4, 18),
    ):
        shape: dict[str, Any] = {"alphabet": alphabet, "keep_first": first, "keep_last": last}
        value = draw.text(alphabet, length)
        vectors.add("custom", value, min_length=length, **shape)
        vectors.add("custom", value, min_length=length, tweak="tenant-1", **shape)
    vectors.add("custom", "αβγ δεζ·ηθι", alphabet=GREEK, separators=" ·")
    vectors.add(
        "custom", "αβγ δεζ·ηθι", alphabet=GREEK, separators=" ·", keep_first=4, min_length=9
    )
    vectors.add("custom", "de:ad:be:ef:00:01", alphabet=LOWER_HEX, separators=":", min_length=12)


def add_credit_card(vectors: Vectors) -> None:
    for mode in ("invalid", "valid", "ignore", "none"):
        for card in CARDS:
            vectors.add("credit-card", card, check_digit=mode)
    draw = Draw("credit-card")
    keeps = ((0, 4), (6, 0), (1, 4), (0, 1), (4, 3), (6, 4), (8, 4), (4, 6))
    for mode in ("invalid", "valid", "ignore"):
        for first, last in keeps:
            shape: dict[str, Any] = {
                "check_digit": mode,
                "keep_first": first,
                "keep_last": last,
                "min_length": 16,
                "allow_small_domain": first + last > 8,
            }
            if mode != "ignore" and first + last > 11:
                shape["min_length"] = 19
            for length in sorted({shape["min_length"], 19}):
                card = draw.card(length)
                vectors.add("credit-card", card, **shape)
                vectors.add("credit-card", grouped(card, "-"), tweak="tenant-1", **shape)
    for separator in (" ", "-"):
        for card in CARDS[::3]:
            vectors.add("credit-card", grouped(card, separator))
            vectors.add("credit-card", grouped(card, separator), check_digit="valid", keep_last=4)
    vectors.add("credit-card", "3782 822463 10005", keep_last=4)
    vectors.add("credit-card", "4111 1111-1111 1111")
    vectors.add("credit-card", "4111111111111112", check_digit="ignore")


def add_us_ssn(vectors: Vectors) -> None:
    for value in ("123456789", "123-45-6789", "123 45 6789", "000000000", "987-65-4320"):
        vectors.add("us-ssn", value)
        vectors.add("us-ssn", value, tweak="tenant-1")
        vectors.add("us-ssn", value, keep_last=4, allow_small_domain=True)
        vectors.add("us-ssn", value, keep_first=3)
        vectors.add("us-ssn", value, keep_first=3, keep_last=4, allow_small_domain=True)


def add_text(vectors: Vectors) -> None:
    values = [
        "a",
        "Ada Lovelace",
        "fifteen bytes..",
        "sixteen bytes...",
        "seventeen bytes..",
        "thirty-two bytes of text, exact.",
        "thirty-three bytes of text, so 3.",
        "Zoë Müller, Zürich",
        "e\u0301 is not \u00e9",
        "顧客番号",
        "👩\u200d🚀",
        " leading and trailing ",
        'line\nbreak, tab\t, quote " and backslash \\',
        "nul \x00 inside",
        "x" * 1000,
    ]
    for key in TEST_KEYS:
        for value in values:
            vectors.add("text", value, key=key)
    vectors.add("text", values[1], domain="people")


def add_nothing(vectors: Vectors) -> None:
    """The empty string stays empty under every scheme."""
    for scheme in SCHEMES:
        shape: dict[str, Any] = {"alphabet": GREEK} if scheme == "custom" else {}
        vectors.add(scheme, "", **shape)


def add_refused(vectors: Vectors) -> None:
    for scheme, value, why in (
        ("digits", "12345", "too short"),
        ("digits", "12345x", "a letter"),
        ("digits", "１２３４５６", "full-width digits"),
        ("digits", "123 456", "a separator that the scheme does not have"),
        ("alphanumeric", "Zürich2026", "a letter outside the alphabet"),
        ("credit-card", "4111111111111112", "the check digit does not hold"),
        ("credit-card", "41111111111", "too short"),
        ("credit-card", "41111111111111111111", "too long"),
        ("credit-card", "4111--1111-1111-1111", "two separators side by side"),
        ("credit-card", "-4111111111111111", "a separator at the start"),
        ("credit-card", "4111111111111111 ", "a separator at the end"),
        ("us-ssn", "12345678", "too short"),
        ("us-ssn", "1234567890", "too long"),
        ("us-ssn", "-", "nothing but a separator"),
    ):
        vectors.refuse("tokenize", scheme, value, why)
    card, why = "4111111111111112", "the check digit does not hold"
    vectors.refuse("tokenize", "credit-card", card, why, check_digit="valid")
    for mode in ("valid", "invalid"):
        other = "valid" if mode == "invalid" else "invalid"
        parameters = parameters_of(
            case_of("credit-card", "counting", None, None, {"check_digit": other})
        )
        token = reference.tokenize("4111111111111111", parameters)
        assert token is not None
        vectors.refuse(
            "detokenize", "credit-card", token, f"a token of the mode {other}", check_digit=mode
        )

    sealed = parameters_of(case_of("text", "counting", None, None, {}))
    # 12 bytes make a token of 33, which end on a whole character; 14 leave two bits unused.
    token = reference.tokenize("Ada Lovelace", sealed)
    uneven = reference.tokenize("Ada Lovelace 1", sealed)
    assert token is not None
    assert uneven is not None
    alphabet = ALPHANUMERIC[10:] + DIGITS + "-_"
    last = alphabet.index(uneven[-1])
    for text, why in (
        (token[:-1] + ("A" if token[-1] != "A" else "B"), "the last byte was changed"),
        (uneven + "=", "padding"),
        (uneven[:-1] + alphabet[last + 1], "unused bits that are not zero"),
        (token[:-4], "cut"),
        (token + "AAAA", "lengthened"),
        (token + "A", "a length that base64 does not have"),
        (token.replace(token[10], "+", 1), "the alphabet of plain base64"),
        (token + "\n", "a line break"),
        ("Ag" + token[2:], "another type of token"),
        ("A" * 28, "zeros"),
    ):
        vectors.refuse("detokenize", "text", text, why)
    vectors.refuse("detokenize", "text", token, "another key", key="text")
    vectors.refuse("detokenize", "text", token, "another domain", domain="people")


def build() -> dict[str, Any]:
    """Return the whole file."""
    vectors = Vectors()
    add_digits(vectors)
    add_alphanumeric(vectors)
    add_custom(vectors)
    add_credit_card(vectors)
    add_us_ssn(vectors)
    add_text(vectors)
    add_keys_domains_and_tweaks(vectors)
    add_nothing(vectors)
    add_refused(vectors)
    keys = [
        {
            "name": f"{name} (test key, published: protects nothing)",
            "key": version.hex(),
            "key_id": key_id,
            "check_value": reference.check_value(version).hex(),
        }
        for name, (version, key_id) in TEST_KEYS.items()
    ]
    subkeys = [
        {
            "key": version.hex(),
            "purpose": purpose,
            "number": number,
            "domain": domain,
            "subkey": reference.subkey(
                version, number, domain, 64 if purpose == "aes-siv" else 32
            ).hex(),
        }
        for version, _ in TEST_KEYS.values()
        for purpose, number in PURPOSES.items()
        for domain in ("", "digits", "a.b_c-0")
    ]
    return {
        "contract": "tokenkit/1",
        "warning": "The keys are published test keys. They protect nothing.",
        "keys": keys,
        "subkeys": subkeys,
        "cases": vectors.cases,
        "refused": vectors.refused,
        "treatments": treatments(),
    }


if __name__ == "__main__":
    PATH.write_text(as_text(build()), encoding="utf-8")
