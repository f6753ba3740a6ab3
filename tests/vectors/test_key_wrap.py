"""AES-KWP, RSA-OAEP and HKDF as key providers use them agree with Wycheproof and with NIST."""

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_private_key

from tests.vectors.wycheproof_cases import groups
from tokenkit.keys.providers import data_keys


def test_kwp_agrees():
    """Valid cases agree in both directions; what was altered doesn't unwrap."""
    seen = 0
    for group in groups("aes_kwp_test.json.gz"):
        for case in group["tests"]:
            key, message, wrapped = (bytes.fromhex(case[name]) for name in ("key", "msg", "ct"))
            seen += 1
            if case["result"] == "valid":
                assert keywrap.aes_key_wrap_with_padding(key, message) == wrapped
                assert keywrap.aes_key_unwrap_with_padding(key, wrapped) == message
                if len(key) == 32:
                    assert data_keys.wrap(key, bytearray(message), "it") == wrapped
                    assert data_keys.unwrap(key, wrapped, "it") == bytearray(message)
            elif case["result"] == "invalid":
                with pytest.raises(keywrap.InvalidUnwrap):
                    keywrap.aes_key_unwrap_with_padding(key, wrapped)
    assert seen > 100


def test_oaep_agrees():
    """Valid cases decrypt, the others are refused."""
    seen = 0
    for group in groups("rsa_oaep_3072_sha256_mgf1sha256_test.json.gz"):
        private = load_der_private_key(bytes.fromhex(group["privateKeyPkcs8"]), None)
        assert isinstance(private, RSAPrivateKey)
        for case in group["tests"]:
            scheme = padding.OAEP(
                padding.MGF1(hashes.SHA256()), hashes.SHA256(), bytes.fromhex(case["label"])
            )
            seen += 1
            if case["result"] == "valid":
                found = private.decrypt(bytes.fromhex(case["ct"]), scheme)
                assert found.hex() == case["msg"], case["tcId"]
            elif case["result"] == "invalid":
                with pytest.raises(ValueError, match=r"ecryption|length"):
                    private.decrypt(bytes.fromhex(case["ct"]), scheme)
    assert seen > 20


def test_hkdf_agrees():
    """HKDF-SHA-256 agrees where the output has a length that it can have."""
    seen = 0
    for group in groups("hkdf_sha256_test.json.gz"):
        for case in group["tests"]:
            if case["result"] != "valid":
                continue
            ikm, salt, info = (bytes.fromhex(case[name]) for name in ("ikm", "salt", "info"))
            seen += 1
            made = HKDF(hashes.SHA256(), case["size"], salt, info).derive(ikm)
            assert made.hex() == case["okm"], case["tcId"]
    assert seen > 50


@pytest.mark.parametrize("name", ["KWP_AE_256.txt", "KWP_AD_256.txt"])
def test_kwp_agrees_with_nist(name):
    """NIST's own vectors for AES-256-KWP agree."""
    seen = 0
    case: dict[str, str] = {}
    with cryptography_vectors.open_vector_file(f"keywrap/kwtestvectors/{name}", "r") as file:
        for line in [*file, "COUNT = end"]:
            word, _, value = line.strip().partition(" = ")
            if word == "COUNT" and "K" in case:
                key, wrapped = bytes.fromhex(case["K"]), bytes.fromhex(case["C"])
                seen += 1
                if "P" in case:
                    assert data_keys.unwrap(key, wrapped, "it") == bytearray.fromhex(case["P"])
                else:
                    assert data_keys.unwrap(key, wrapped, "it") is None
            if word == "COUNT":
                case = {}
            elif line.startswith("FAIL"):
                case.pop("P", None)
            elif value:
                case[word] = value
    assert seen > 50
