"""After a release no copy of a key, a subkey or a round key is left in the process's memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# A process of its own, since this one's memory holds what it looks for. What is looked for comes
# masked, so that the search doesn't find itself.
_SCAN = """
import sys
from concurrent.futures import ThreadPoolExecutor
import polars as pl
import tokenkit as tk

MASK = bytes(byte ^ 0x5A for byte in range(256))

def found(masked):
    count = 0
    for line in open("/proc/self/maps").read().splitlines():
        place, rights = line.split()[:2]
        if "w" not in rights:
            continue
        start, end = (int(part, 16) for part in place.split("-"))
        with open("/proc/self/mem", "rb", 0) as memory:
            memory.seek(start)
            held = memory.read(end - start).translate(MASK)
        count += sum(held.count(needle) for needle in masked)
    return count

mode, calls = sys.argv[1], int(sys.argv[2])
secret = bytearray(bytes.fromhex(sys.stdin.readline()).translate(MASK))
ring = tk.Keyring.from_secrets({"a": secret})
secret[:] = bytes(32)
masked = [bytes.fromhex(part) for part in sys.stdin.readline().split()]
frame = pl.DataFrame({"v": [f"{number:016d}" for number in range(20)]})
made = [
    tk.expr.tokenize("v", "digits", key=ring["a"]),
    tk.expr.tokenize("v", "text", key=ring["a"]).alias("t"),
]

def work(count):
    for _ in range(count):
        frame.select(made)

with ThreadPoolExecutor(4) as pool:
    list(pool.map(work, [calls // 8] * 4))
pl.DataFrame({"v": [f"{number:016d}" for number in range(300_000)]}).select(made)
try:
    pl.DataFrame({"v": ["x"] * 1000}).select(made)
except Exception:
    pass
if mode == "released":
    ring.close()
print(found(masked))
"""


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


def needles(secret: bytes) -> list[bytes]:
    """Give the key, its subkeys and their round keys, in pieces of 16 bytes."""

    def subkey(purpose: int, domain: str, size: int) -> bytes:
        info = b"tokenkit/1\0" + bytes([purpose]) + domain.encode()
        return HKDF(SHA256(), size, salt=None, info=info).derive(secret)

    siv = subkey(1, "text", 64)
    expanded = [round_keys(key) for key in (subkey(2, "digits", 32), siv[:32], siv[32:])]
    return [secret[:16], secret[16:], *(piece for pieces in expanded for piece in pieces)]


def scan(mode: str, calls: int, kernel: str) -> int:
    """Count what a process that made column calls still holds."""
    secret = os.urandom(32)
    mask = bytes(byte ^ 0x5A for byte in range(256))
    masked = " ".join(piece.translate(mask).hex() for piece in needles(secret))
    done = subprocess.run(
        [sys.executable, "-c", _SCAN, mode, str(calls)],
        input=f"{secret.translate(mask).hex()}\n{masked}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"TOKENKIT_KERNEL": kernel, "TOKENKIT_THREADS": "4"},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["auto", "portable"])
def test_a_search_finds_keys_while_they_are_loaded(kernel):
    """The search works: it finds keys, subkeys and round keys before they are released."""
    assert scan("live", 16, kernel) >= 40
