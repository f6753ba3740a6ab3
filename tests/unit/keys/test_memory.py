"""After a release no copy of a key, a subkey or a round key is left in the process's memory."""

import hmac
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# A process of its own, since this one's memory holds what it looks for.
_SCAN = Path(__file__).with_name("memory_scan.py")
_RUN = bytes(range(16))
KERNELS = ["auto", "portable"]


def substitution_box() -> list[int]:
    """Compute AES's S-box, as FIPS 197 section 5.1.1 defines it."""
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= ((p << 1) & 0xFF) ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= (q << shift) & 0xFF
        q ^= 9 if q & 0x80 else 0
        turned = [((q << n) | (q >> (8 - n))) & 0xFF for n in range(5)]
        box[p] = turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63
        if p == 1:
            return box


def round_keys(key: bytes) -> list[bytes]:
    """Expand an AES-256 key, as FIPS 197 section 5.2 does."""
    box, constant = substitution_box(), 1
    words = [key[start : start + 4] for start in range(0, 32, 4)]
    for index in range(8, 60):
        word = words[-1]
        if index % 8 == 0:
            word = bytes(box[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant <<= 1
        elif index % 8 == 4:
            word = bytes(box[byte] for byte in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[index - 8], strict=True)))
    joined = b"".join(words)
    return [joined[start : start + 16] for start in range(0, 240, 16)]


def test_the_expansion_is_the_standards():
    """The round keys looked for are FIPS 197's own (appendix A.3)."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    assert round_keys(key)[14].hex() == "fe4890d1e6188d0b046df344706c631e"


def derive(key: bytes, info: bytes, size: int = 32) -> bytes:
    """Derive a key by HKDF-SHA-256."""
    return HKDF(SHA256(), size, salt=None, info=info).derive(key)


def encrypt(key: bytes, block: bytes) -> bytes:
    """Encrypt one block by AES."""
    encryptor = Cipher(AES(key), ECB()).encryptor()
    return encryptor.update(block)


def cmac_subkeys(key: bytes) -> list[bytes]:
    """Give CMAC's two subkeys (SP 800-38B section 6.1)."""
    found, number = [], int.from_bytes(encrypt(key, bytes(16)))
    for _ in range(2):
        number = (number << 1 & (1 << 128) - 1) ^ (0x87 if number >> 127 else 0)
        found.append(number.to_bytes(16))
    return found


def needles(secret: bytes) -> list[bytes]:
    """Give the key, its subkeys and what is expanded of them, in pieces of 16 bytes."""

    def subkey(purpose: int, domain: str, size: int = 32) -> bytes:
        return derive(secret, b"tokenkit/1\0" + bytes([purpose]) + domain.encode(), size)

    text, sealed = subkey(1, "text", 64), subkey(1, "digits", 64)
    proof = derive(subkey(9, "digits"), _RUN + b"\0\0\0\4file\0\0\0\1v", 64)
    rejects = derive(subkey(10, "digits"), _RUN)
    audit = [subkey(11, ""), subkey(12, "digits")]
    macs = [text[:32], sealed[:32], proof[:32]]
    ciphers = [subkey(2, "digits"), text[32:], sealed[32:], rejects]
    pieces = [secret[:16], secret[16:], proof[32:48], proof[48:], encrypt(rejects, bytes(16))]
    for key in (hmac.digest(bytes(32), secret, "sha256"), *audit):
        # As it is, and as HMAC pads it (RFC 2104 section 2).
        for pad in (0, 0x36, 0x5C):
            padded = bytes(byte ^ pad for byte in key)
            pieces += [padded[:16], padded[16:]]
    for key in macs + ciphers:
        pieces += round_keys(key)
    for key in macs:
        pieces += cmac_subkeys(key)
        pieces.append(encrypt(key, pieces[-2]))
    return pieces


def scan(mode: str, task: str, calls: int, kernel: str) -> int:
    """Count what a process that made column calls still holds."""
    secret = os.urandom(32)
    mask = bytes(byte ^ 0x5A for byte in range(256))
    masked = " ".join(piece.translate(mask).hex() for piece in needles(secret))
    done = subprocess.run(
        [sys.executable, str(_SCAN), mode, task, str(calls)],
        input=f"{secret.translate(mask).hex()}\n{masked}\n",
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "TOKENKIT_KERNEL": kernel,
            "TOKENKIT_THREADS": "4",
        },
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_search_finds_keys_while_they_are_loaded(kernel):
    """The search works: it finds keys, subkeys and round keys before they are released."""
    assert scan("live", "threads", 16, kernel) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_nothing_is_left_after_ten_thousand_calls(kernel):
    """On both kernels, with worker threads and after an error, a release leaves no copy."""
    assert scan("released", "threads", 10_000, kernel) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("task", ["signals", "engines", "rekeying", "rejecting", "auditing"])
def test_nothing_is_left_after_other_work(task, kernel):
    """Nor does a signal, another engine, a rekey with a proof, a rejected row or the audit log."""
    assert scan("released", task, 800, kernel) == 0
