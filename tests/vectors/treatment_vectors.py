"""The published vectors of literals, normalization, sealing and integers."""

from __future__ import annotations

from typing import Any

from tests.vectors import reference_treatment
from tests.vectors.contract_vectors import Draw, case_of, parameters_of
from tests.vectors.reference import DIGITS, UnfitError, luhn_sum
from tests.vectors.reference_treatment import Treatment

SMALL: dict[str, Any] = {"min_length": 3, "max_length": 3, "allow_small_domain": True}
#: A tenth of all values, so that one walk in ten takes a second step.
MANY = tuple(f"{number:03}" for number in range(0, 1000, 10))


def treatment_of(case: dict[str, Any]) -> Treatment:
    """Return the reference's treatment for a case as the file has it."""
    return Treatment(
        literals=tuple(case["literals"]),
        normalize=tuple(case["normalize"]),
        seal=case["on_invalid"] == "seal",
        width=case["width"],
    )


class TreatmentVectors:
    """The cases so far."""

    def __init__(self) -> None:
        self.cases: list[dict[str, Any]] = []

    def add(
        self,
        scheme: str,
        value: str | int,
        *,
        literals: tuple[str, ...] = (),
        normalize: tuple[str, ...] = (),
        on_invalid: str = "null",
        width: int | None = None,
        tweak: str | None = None,
        **shape: Any,
    ) -> None:
        """Add a case with the token that the reference gives, or null."""
        if width is not None:
            shape = {"min_length": width, "max_length": width, **shape}
        case = {
            **case_of(scheme, "counting", None, tweak, shape),
            "literals": list(literals),
            "normalize": list(normalize),
            "on_invalid": on_invalid,
            "width": width,
        }
        parameters, treatment = parameters_of(case), treatment_of(case)
        try:
            token = reference_treatment.tokenize(value, parameters, treatment)
        except UnfitError:
            found: dict[str, Any] = {"token": None, "returned": None}
        else:
            returned = reference_treatment.detokenize(token, parameters, treatment)
            found = {"token": token, "returned": returned}
        self.cases.append({"id": len(self.cases) + 1, **case, "value": value, **found})


def add_literals(vectors: TreatmentVectors) -> None:
    for value in ("N/A", "unknown", "123456", "000000", "N/A ", ""):
        vectors.add("digits", value, literals=("N/A", "unknown", "000000"))
    for number in range(1, 1000, 23):
        vectors.add("digits", f"{number:03}", literals=MANY, **SMALL)
    for number in range(1, 1000, 111):
        value = f"{number:03}"
        vectors.add("digits", value, literals=MANY, tweak="tenant-1", **SMALL)
        spread = f"{value[0]}-{value[1:]}"
        dashed = tuple(f"{literal[0]}-{literal[1:]}" for literal in MANY)
        vectors.add("digits", spread, literals=dashed, separators="-", **SMALL)
        vectors.add("digits", value, literals=dashed, separators="-", **SMALL)
        kept: dict[str, Any] = {**SMALL, "min_length": 5, "max_length": 5, "keep_last": 2}
        vectors.add("digits", f"{value}42", literals=tuple(f"{x}42" for x in MANY), **kept)
    cards = [f"{number:04}" for number in range(10_000)]
    valid = [card for card in cards if luhn_sum([int(digit) for digit in card]) == 0]
    shape: dict[str, Any] = {"min_length": 4, "max_length": 4, "allow_small_domain": True}
    for value in valid[3::197]:
        for mode in ("valid", "invalid"):
            vectors.add(
                "credit-card", value, literals=tuple(valid[::10]), check_digit=mode, **shape
            )
    vectors.add("credit-card", valid[0], literals=tuple(valid[::10]), **shape)
    vectors.add("text", "N/A", literals=("N/A",))
    vectors.add("text", "n/a", literals=("N/A",))
    vectors.add("custom", "αβγ", literals=("αβγ",), alphabet="αβγ", min_length=13)


def add_sealed(vectors: TreatmentVectors) -> None:
    draw = Draw("seal")
    for value in ("12345", "4111 1111", "n/a", "Zoë Müller, Zürich", " ", "1" * 50, "１２３４５６"):
        vectors.add("digits", value, on_invalid="seal", max_length=40)
    vectors.add("digits", draw.text(DIGITS, 16), on_invalid="seal")
    for value in ("4111111111111112", "4111111111111111", "unknown", "n/a"):
        vectors.add("credit-card", value, on_invalid="seal", literals=("n/a",))
    vectors.add("us-ssn", " none ", on_invalid="seal", normalize=("trim",))
    vectors.add("us-ssn", " 123-45-6789 ", on_invalid="seal", normalize=("trim",))


def add_normalized(vectors: TreatmentVectors) -> None:
    everything = ("trim", "nfc", "lower", "strip-separators")
    for value in ("\u3000123456\u00a0\t", "\x1f123456", " 12 3456", " \u2028 ", "\x85123456\v"):
        vectors.add("digits", value, normalize=("trim",))
    for value in (
        "(0)555/0100-99",
        "+4955501",
        "1.5.5.5.0.1.0.0",
        "12\u20103\u20144\u20155\u30006",
    ):
        vectors.add("digits", value, normalize=("strip-separators",))
    vectors.add("digits", "4111-1111 1111", normalize=("strip-separators",), separators=" -")
    for value in ("A_B-c.D e/F", "a_b-c.d", "A\u2013Bc_d_e"):
        vectors.add(
            "custom",
            value,
            normalize=("lower", "strip-separators"),
            alphabet="abcdef_-",
            min_length=7,
        )
    for value in (
        "  Zoe\u0308 M\u00dcLLER ",
        "\u212bngstr\u00f6m",
        "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3",
        "\u0130stanbul",
        "J\u030c",
        "e-\u0301",
        "N/A",
        " N/A",
        " n/a",
        "",
        "   ",
    ):
        vectors.add("text", value, normalize=everything, literals=("N/A", "na"))
        vectors.add("text", value, normalize=("nfc",))
        vectors.add("text", value, normalize=("lower", "trim"))


def add_integers(vectors: TreatmentVectors) -> None:
    for width in (6, 9, 12, 15, 18):
        for value in (0, 7, 10**width - 1, 123_456, 10**width, -1):
            vectors.add("digits", value, width=width)
    for value in (0, 1, 42, 999, 1000, -1, -2):
        small: dict[str, Any] = {"width": 3, "allow_small_domain": True}
        vectors.add("digits", value, literals=("-1", "1000", *MANY), **small)
    for value in (123_456, 99, 5_000_042):
        vectors.add("digits", value, width=9, keep_last=2)
    vectors.add("digits", 123_456, width=9, tweak="tenant-1")


def treatments() -> list[dict[str, Any]]:
    """Return all cases."""
    vectors = TreatmentVectors()
    add_literals(vectors)
    add_sealed(vectors)
    add_normalized(vectors)
    add_integers(vectors)
    return vectors.cases
