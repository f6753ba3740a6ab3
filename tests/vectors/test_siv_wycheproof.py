"""AES-SIV agrees with every Wycheproof case."""

from __future__ import annotations

import pytest

from tests.vectors.wycheproof_cases import groups
from tokenkit.errors import NotAuthentic
from tokenkit.hazmat import AESSIV


def test_siv_agrees(kernel: str) -> None:
    """Valid cases agree in both directions, and what is not authentic is refused."""
    seen = 0
    for group in groups("aes_siv_cmac_test.json.gz"):
        for case in group["tests"]:
            made = AESSIV(bytes.fromhex(case["key"]))
            associated = [bytes.fromhex(case["aad"])]
            message, sealed = bytes.fromhex(case["msg"]), bytes.fromhex(case["ct"])
            seen += 1
            if case["result"] == "valid":
                assert made.encrypt(message, associated) == sealed, case["tcId"]
                assert made.decrypt(sealed, associated) == message, case["tcId"]
            else:
                with pytest.raises(NotAuthentic):
                    made.decrypt(sealed, associated)
    assert seen == 442
