"""FF1 agrees with every Wycheproof case, through the numeral, the text and the array calls."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
import pytest

from tests.vectors.wycheproof_cases import Ff1Case, ff1_cases
from tokenkit.errors import DomainTooSmall
from tokenkit.hazmat import FF1

KINDS_OF_NUMERALS = ["radix10", "radix16", "radix256", "radix65536"]
KINDS_OF_TEXT = ["base10", "base16", "base26", "base62"]
ARRAY_TYPES = [pa.string(), pa.large_string(), pa.string_view()]


def cipher(case: Ff1Case, *, small: bool = False) -> FF1:
    """Make the cipher of a case."""
    return FF1(case.key, radix=case.radix, alphabet=case.alphabet, allow_small_domain=small)


@pytest.mark.parametrize("kind", KINDS_OF_NUMERALS)
def test_numerals_agree(kind: str, kernel: str) -> None:
    """Numeral lists agree in both directions; small domains need the opt-in; invalid is refused."""
    for case in ff1_cases(kind):
        if not case.valid:
            with pytest.raises(ValueError, match=r"."):
                cipher(case, small=True).encrypt(case.message, case.tweak)
            continue
        if case.small:
            with pytest.raises(DomainTooSmall):
                cipher(case).encrypt(case.message, case.tweak)
        made = cipher(case, small=case.small)
        assert made.encrypt(case.message, case.tweak) == case.encrypted, case.number
        assert made.decrypt(case.encrypted, case.tweak) == case.message, case.number


@pytest.mark.parametrize("kind", KINDS_OF_TEXT)
def test_text_agrees(kind: str, kernel: str) -> None:
    """Texts agree in both directions; small domains need the opt-in; invalid is refused."""
    for case in ff1_cases(kind):
        if not case.valid:
            with pytest.raises(ValueError, match=r"."):
                cipher(case, small=True).encrypt_text(case.message, case.tweak)
            continue
        if case.small:
            with pytest.raises(ValueError, match=r"."):
                cipher(case).encrypt_text(case.message, case.tweak)
        made = cipher(case, small=case.small)
        assert made.encrypt_text(case.message, case.tweak) == case.encrypted, case.number
        assert made.decrypt_text(case.encrypted, case.tweak) == case.message, case.number


@pytest.mark.parametrize("array_type", ARRAY_TYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS_OF_TEXT)
def test_arrays_agree(kind: str, array_type: pa.DataType, kernel: str) -> None:
    """Arrays of one key's values agree, each value with its own tweak and with a shared one."""
    by_key: dict[bytes, list[Ff1Case]] = defaultdict(list)
    for case in ff1_cases(kind):
        if case.valid:
            by_key[case.key].append(case)
        else:
            with pytest.raises(ValueError, match=r"."):
                cipher(case, small=True).encrypt_array(
                    pa.array([case.message], array_type), case.tweak
                )
    for cases in by_key.values():
        made = cipher(cases[0], small=any(case.small for case in cases))
        messages = pa.array([case.message for case in cases], array_type)
        encrypted = pa.array([case.encrypted for case in cases], array_type)
        tweaks = pa.array([case.tweak for case in cases], pa.binary())
        assert made.encrypt_array(messages, tweaks).equals(encrypted)
        assert made.decrypt_array(encrypted, tweaks).equals(messages)
        by_tweak: dict[bytes, list[Ff1Case]] = defaultdict(list)
        for case in cases:
            by_tweak[case.tweak].append(case)
        for tweak, alike in by_tweak.items():
            messages = pa.array([case.message for case in alike], array_type)
            encrypted = pa.array([case.encrypted for case in alike], array_type)
            assert made.encrypt_array(messages, tweak).equals(encrypted)
            assert made.decrypt_array(encrypted, tweak).equals(messages)
