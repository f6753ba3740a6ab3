"""TOTP and recovery codes, without tables."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from tokenkit.access.recovery_codes import new_recovery_codes, recovery_code_digest
from tokenkit.access.totp import matching_step, new_totp_secret, provisioning_uri

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
    ],
)
def test_codes_are_those_of_the_standard(seconds, code):
    """RFC 6238, appendix B, cut to six digits."""
    at = datetime.fromtimestamp(seconds, UTC)
    assert matching_step(SECRET, code, at, None) == seconds // 30


def test_clocks_may_differ_by_one_step_and_no_more():
    """A code counts half a minute early or late."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    app = pyotp.TOTP(SECRET)
    now = int(at.timestamp()) // 30
    for steps in (-2, -1, 0, 1, 2):
        code = app.at(at + timedelta(seconds=30 * steps))
        expected = now + steps if abs(steps) <= 1 else None
        assert matching_step(SECRET, code, at, None) == expected


def test_a_used_step_and_those_before_are_over():
    """RFC 6238, section 5.2: no code is accepted twice."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    step = int(at.timestamp()) // 30
    code = pyotp.TOTP(SECRET).at(at)
    assert matching_step(SECRET, code, at, step - 1) == step
    assert matching_step(SECRET, code, at, step) is None
    assert matching_step(SECRET, code, at, step + 1) is None


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "٣٤٥٦٧٨"]
)
def test_what_is_no_code_is_wrong(code):
    """Other lengths, letters, and digits of other scripts."""
    assert matching_step(SECRET, code, datetime(2026, 1, 1, tzinfo=UTC), None) is None


@pytest.mark.parametrize(("package", "module"), [("pyotp", "totp"), ("argon2", "hashing")])
def test_a_missing_extra_is_named(package, module):
    """Without the extra `service` the error says what to install."""
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        "from tokenkit.errors import AccessError\n"
        f"try: import tokenkit.access.{module}\n"
        "except AccessError as error: assert 'tokenkit-vaultless[service]' in error.hint\n"
        "else: raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_secrets_have_160_bits():
    """As RFC 4226 recommends; the address for apps names user and issuer."""
    assert len({new_totp_secret() for _ in range(50)}) == 50
    assert len(pyotp.TOTP(new_totp_secret()).byte_secret()) == 20
    assert "a%40b" in provisioning_uri(SECRET, "a@b")


def test_recovery_codes_are_long_and_read_leniently():
    """120 bits each; case, spaces and strokes don't count, a missing letter does."""
    codes = new_recovery_codes()
    digests = {recovery_code_digest(code) for code in codes}
    assert len(digests) == len(codes) == 10
    assert None not in digests
    assert recovery_code_digest(f"  {codes[0].lower()} ") in digests
    assert recovery_code_digest(codes[0][:-1]) is None
