"""The reference implementation agrees with published vectors, and the contract's file with it."""

from __future__ import annotations

import gzip
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors import contract_vectors, reference
from tests.vectors.generate_contract_vectors import build

WYCHEPROOF = Path(__file__).parent / "wycheproof"
FF1_FILES = [
    f"aes_ff1_{kind}_test.json.gz"
    for kind in (
        "base10", "base16", "base26", "base62", "radix10", "radix16", "radix256", "radix65536",
    )
]  # fmt: skip

VECTORS = json.loads(contract_vectors.PATH.read_text(encoding="utf-8"))


def numerals(message: Any, alphabet: str | None) -> list[int]:
    """Numerals of a Wycheproof message; -1 for what is not in the alphabet."""
    return list(message) if alphabet is None else [alphabet.find(c) for c in message]


@pytest.mark.parametrize("name", FF1_FILES)
def test_ff1_agrees_with_wycheproof(name: str) -> None:
    """Every eighth case of each file, both directions; the invalid ones are refused."""
    vectors = json.loads(gzip.decompress((WYCHEPROOF / name).read_bytes()))
    cases = [(group, case) for group in vectors["testGroups"] for case in group["tests"]]
    for group, case in cases[::8]:
        key, tweak = bytes.fromhex(case["key"]), bytes.fromhex(case["tweak"])
        alphabet = group.get("alphabet")
        message, encrypted = (numerals(case[part], alphabet) for part in ("msg", "ct"))
        small = "SmallMessageSize" in case["flags"]
        minimum = reference.SMALL_DOMAIN_MINIMUM if small else reference.DOMAIN_MINIMUM

        if case["result"] == "valid":
            result = reference.ff1_encrypt(key, group["radix"], tweak, message, minimum=minimum)
            assert result == encrypted, case["tcId"]
            result = reference.ff1_decrypt(key, group["radix"], tweak, encrypted, minimum=minimum)
            assert result == message, case["tcId"]
        else:
            with pytest.raises((reference.UnfitError, reference.RefusedError)):
                reference.ff1_encrypt(key, group["radix"], tweak, message)


@pytest.mark.parametrize(
    ("key", "radix", "tweak", "message", "encrypted"),
    [
        ("2b7e151628aed2a6abf7158809cf4f3c", 10, "", "0123456789", "2433477484"),
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            10,
            "39383736353433323130",
            "0123456789",
            "6124200773",
        ),
        (
            "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94",
            36,
            "3737373770717273373737",
            "0123456789abcdefghi",
            "xs8a0azh2avyalyzuwd",
        ),
    ],
)
def test_ff1_agrees_with_nist_samples(
    key: str, radix: int, tweak: str, message: str, encrypted: str
) -> None:
    """Samples 1, 2 and 9 of the examples that NIST publishes with SP 800-38G."""
    x = [int(c, 36) for c in message]
    result = reference.ff1_encrypt(bytes.fromhex(key), radix, bytes.fromhex(tweak), x)
    assert result == [int(c, 36) for c in encrypted]


def test_subkeys_are_hkdf_written_out() -> None:
    """Each published subkey is RFC 5869's extract and expand over the contract's info."""
    for entry in VECTORS["subkeys"]:
        pseudorandom_key = hmac.digest(bytes(32), bytes.fromhex(entry["key"]), "sha256")
        info = b"tokenkit/1\x00" + bytes([entry["number"]]) + entry["domain"].encode()
        first = hmac.digest(pseudorandom_key, info + b"\x01", "sha256")
        second = hmac.digest(pseudorandom_key, first + info + b"\x02", "sha256")
        length = 64 if entry["purpose"] == "aes-siv" else 32
        assert bytes.fromhex(entry["subkey"]) == (first + second)[:length]


@pytest.mark.parametrize(
    ("first", "last", "alphabet", "k"),
    [
        ("411111", "1111", reference.DIGITS, "644111111111"),
        ("123", "", reference.DIGITS, "30123f"),
        ("", "", reference.DIGITS, "00"),
        ("δβ", "x", "βδx", "020004ceb4ceb2000178"),
        ("", "", reference.ALPHANUMERIC, "0200000000"),
    ],
)
def test_kept_parts_in_the_tweak(first: str, last: str, alphabet: str, k: str) -> None:
    """K, byte by byte, as the contract's text has it."""
    assert reference.kept_parts_tweak(first, last, alphabet=alphabet).hex() == k


def test_published_file_is_what_the_generator_writes() -> None:
    """Nobody has edited the file, and nobody has changed the contract without publishing it."""
    assert contract_vectors.as_text(build()) == contract_vectors.PATH.read_text(encoding="utf-8")


def test_published_tokens_come_back() -> None:
    """Each token detokenizes to its value and keeps length, separators and kept parts."""
    for case in VECTORS["cases"]:
        parameters = contract_vectors.parameters_of(case)
        assert reference.detokenize(case["token"], parameters) == case["value"], case["id"]
        if not case["parameters"]:
            continue
        assert len(case["token"]) == len(case["value"])
        separators = parameters.separators
        value, token = (
            [c for c in case[side] if c not in separators] for side in ("value", "token")
        )
        first, last = parameters.keep_first, len(value) - parameters.keep_last
        assert (value[:first], value[last:]) == (token[:first], token[last:])
        if parameters.has_solved_digit and value:
            assert reference.luhn_sum([int(c) for c in token]) == parameters.token_residue


def test_published_refusals_are_refused() -> None:
    """Each text of the list has no token, or no value."""
    for case in VECTORS["refused"]:
        with pytest.raises(reference.UnfitError):
            getattr(reference, case["operation"])(
                case["text"], contract_vectors.parameters_of(case)
            )
