"""Whatever goes in: no panic, no clear value out, and what is tokenized comes back."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import tokenkit as tk
from tokenkit import _native
from tokenkit.errors import DomainTooSmall, InvalidValues, SchemeError, TweakMismatch
from tokenkit.hazmat import FF1, keyring_from_bytes

RING = keyring_from_bytes({"test": random.randbytes(32)})
GREEK = "αβγδεζηθικλμνξοπρστυφχψω"
SCHEMES: list[tuple[str, dict[str, Any]]] = [
    ("digits", {}),
    ("digits", {"keep": {"first": 1, "last": 2}, "separators": "-"}),
    ("alphanumeric", {}),
    ("custom", {"alphabet": GREEK}),
    ("custom", {"alphabet": GREEK, "keep": {"last": 1}, "separators": " "}),
    ("credit-card", {}),
    ("credit-card", {"check_digit": "valid", "keep": {"last": 4}}),
    ("us-ssn", {}),
    ("text", {}),
]
HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet=string.digits + "-. \0", max_size=30),
    st.text(alphabet="０１２３４５６７８９" + string.digits, max_size=20),
    st.text(alphabet=GREEK + "Α\u0345", max_size=20),
    st.text(alphabet=string.ascii_letters + string.digits, max_size=70),
)
COLUMN = st.lists(st.one_of(st.none(), HOSTILE), max_size=40)
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(params=["auto", "portable"], autouse=True, scope="module")
def _kernel(request: pytest.FixtureRequest) -> Any:
    previous = _native.select_kernel(request.param)
    yield
    _native.select_kernel(previous)


def outcome(values: pl.Series, scheme: str, parameters: dict[str, Any]) -> pl.DataFrame:
    """Tokenize with reasons."""
    tried = tk.expr.try_tokenize("value", scheme, key="test", keyring=RING, **parameters)
    return pl.DataFrame([values]).select("value", tried.alias("outcome")).unnest("outcome")


@pytest.mark.parametrize(("scheme", "parameters"), SCHEMES, ids=str)
@SETTINGS
@given(values=COLUMN)
@example(values=["4111111111111111", "4111-1111-1111-1111", "", None, "\0", "１２３４５６７"])
def test_any_text(scheme: str, parameters: dict[str, Any], values: list[str | None]) -> None:
    """Each value is null, empty, a token that comes back, or null with a reason."""
    series = pl.Series("value", values, pl.String)
    turned = outcome(series, scheme, parameters)
    back = turned.select(
        tk.expr.detokenize("token", scheme, key="test", keyring=RING, **parameters)
    ).to_series()
    for value, token, reason, returned in zip(
        values, turned["token"], turned["reason"], back, strict=True
    ):
        if value is None:
            assert (token, reason) == (None, None)
        elif value == "":
            assert (token, reason) == ("", None)
        elif reason is not None:
            assert token is None
        else:
            assert returned == value
            if scheme != "text":
                assert len(token) == len(value)
    strict = tk.expr.tokenize("value", scheme, key="test", keyring=RING, **parameters)
    if turned["reason"].null_count() == len(values):
        assert pl.DataFrame([series]).select(strict).to_series().equals(turned["token"])
    else:
        with pytest.raises(pl.exceptions.ComputeError, match="TK301"):
            pl.DataFrame([series]).select(strict)


@pytest.mark.parametrize(("scheme", "parameters"), SCHEMES, ids=str)
@SETTINGS
@given(tokens=COLUMN)
def test_any_text_as_token(
    scheme: str, parameters: dict[str, Any], tokens: list[str | None]
) -> None:
    """Detokenizing arbitrary text gives null with a reason, or a value that gives the text."""
    frame = pl.DataFrame({"token": pl.Series(tokens, dtype=pl.String)})
    options: dict[str, Any] = {"key": "test", "keyring": RING, **parameters}
    tried = tk.expr.try_detokenize("token", scheme, **options)
    found = frame.select(tried.alias("outcome")).unnest("outcome")
    assert found.filter(pl.col("token").is_not_null() & pl.col("reason").is_not_null()).is_empty()
    again = found.select(tk.expr.tokenize("token", scheme, **options)).to_series()
    fits = found["reason"].is_null()
    assert again.filter(fits).to_list() == frame["token"].filter(fits).to_list()


@pytest.mark.parametrize(("scheme", "parameters"), SCHEMES, ids=str)
def test_a_megabyte(scheme: str, parameters: dict[str, Any]) -> None:
    """A value of a million characters has a token or a reason, and so do its neighbours."""
    values = ["7" * 1_000_000, "α" * 500_000, "x" * 1_000_000, "4111111111111111"]
    turned = outcome(pl.Series("value", values), scheme, parameters)
    assert turned["token"].is_null().to_list() == turned["reason"].is_not_null().to_list()
    if scheme == "text":
        assert turned["reason"].null_count() == 4


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([1, 2]),
        pl.Series([1.5]),
        pl.Series([True]),
        pl.Series([b"1234567"]),
        pl.Series([["1234567"]]),
        pl.Series([{"a": "1234567"}]),
        pl.Series([None], dtype=pl.Date),
        pl.Series(["1234567"], dtype=pl.Enum(["1234567"])),
        pl.Series([None], dtype=pl.Decimal(10, 2)),
        pl.Series([None], dtype=pl.Duration),
    ],
    ids=lambda column: str(column.dtype),
)
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_wrong_types(column: pl.Series, engine: Any) -> None:
    """Columns of other types are refused with a hint, and no value shows."""
    plan = (
        pl.DataFrame({"a": column})
        .lazy()
        .select(tk.expr.tokenize("a", "digits", key="test", keyring=RING))
    )
    with pytest.raises(pl.exceptions.PolarsError) as caught:
        plan.collect(engine=engine)
    error = tk.errors.from_polars(caught.value)
    assert isinstance(error, tk.errors.UnsupportedType)
    assert isinstance(error, TypeError)
    assert error.hint
    assert "1234567" not in str(caught.value)


@SETTINGS
@given(
    key=st.binary(min_size=0, max_size=40),
    radix=st.integers(-1, 70_000),
    numerals=st.lists(st.integers(-1, 70_000), max_size=60),
    tweak=st.binary(max_size=40),
)
def test_hazmat_numerals(key: bytes, radix: int, numerals: list[int], tweak: bytes) -> None:
    """Raw FF1 raises ValueErrors only, and decrypts what it encrypts."""
    try:
        cipher = FF1(key, radix=radix)
        encrypted = cipher.encrypt(numerals, tweak)
    except ValueError:
        return
    assert cipher.decrypt(encrypted, tweak) == numerals


@SETTINGS
@given(
    alphabet=st.text(max_size=40),
    values=st.lists(st.one_of(st.none(), HOSTILE), max_size=20),
    tweaks=st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=20),
)
def test_hazmat_arrays(alphabet: str, values: list[str | None], tweaks: list[bytes | None]) -> None:
    """Raw FF1 over arrays raises ValueErrors only; tweaks that are too few are one of them."""
    try:
        cipher = FF1(bytes(16), alphabet=alphabet, allow_small_domain=True)
    except SchemeError:
        return
    array = pa.array(values, pa.string())
    each = pa.array(tweaks, pa.binary())
    if len(values) != len(tweaks):
        with pytest.raises(TweakMismatch):
            cipher.encrypt_array(array, each)
        return
    try:
        encrypted = cipher.encrypt_array(array, each)
    except InvalidValues as error:
        assert error.count
        return
    assert cipher.decrypt_array(encrypted, each).equals(array)


@pytest.mark.parametrize("wrong", ["text", None, 3, [1.5], [True], ["1"], [10**30], object()])
def test_hazmat_wrong_python_types(wrong: Any) -> None:
    """Wrong Python types are ValueErrors too."""
    cipher = FF1(bytes(16), radix=10, alphabet=string.digits)
    with pytest.raises(ValueError, match=r"."):
        cipher.encrypt(wrong)
    with pytest.raises(ValueError, match=r"."):
        cipher.encrypt_array(wrong)
    with pytest.raises(ValueError, match=r"."):
        cipher.encrypt([1] * 10, wrong)
    if wrong != "text":
        with pytest.raises(ValueError, match=r"."):
            cipher.encrypt_text(wrong)
        with pytest.raises(ValueError, match=r"."):
            FF1(wrong, radix=10)
    with pytest.raises(ValueError, match=r"."):
        cipher.encrypt_text("\ud800234567")
    with pytest.raises(ValueError, match=r"."):
        FF1(bytes(16), alphabet="ab\ud800")


def test_hazmat_longest() -> None:
    """Values of 2,500 numerals of radix 65,536, and of 4,096 and 65,536 digits, come back."""
    drawn = random.Random(3)
    for radix, length in [(65_536, 2_500), (10, 4_096), (10, 65_536), (2, 5_001), (257, 999)]:
        cipher = FF1(random.randbytes(32), radix=radix)
        numerals = drawn.choices(range(radix), k=length)
        assert cipher.decrypt(cipher.encrypt(numerals, b"tweak"), b"tweak") == numerals
    with pytest.raises(ValueError, match="at most"):
        FF1(bytes(16), radix=10).encrypt([0] * 65_537)
    with pytest.raises(DomainTooSmall):
        FF1(bytes(16), radix=10).encrypt([0] * 5)


SPECIFICATION = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
)


@SETTINGS
@given(
    changes=st.dictionaries(
        st.sampled_from(
            [
                "operation",
                "key",
                "domain",
                "method",
                "on_invalid",
                "output",
                "tweak_column",
                "other",
            ]
        ),
        SPECIFICATION,
    ),
    inner=st.dictionaries(
        st.sampled_from(
            [
                "kind",
                "alphabet",
                "separators",
                "min_length",
                "max_length",
                "keep_first",
                "keep_last",
                "check_digit",
                "small_domain",
            ]
        ),
        SPECIFICATION,
    ),
)
def test_altered_specifications(changes: dict[str, Any], inner: dict[str, Any]) -> None:
    """A plan that somebody altered raises a tokenkit error, never a panic."""
    from tokenkit.engines.column import ColumnCall
    from tokenkit.policy.rule import ColumnRule

    call = ColumnCall(
        rule=ColumnRule.build("digits", key="test"),
        version=RING["test"].primary,
        operation="tokenize",
    )
    specification = json.loads(call.specification)
    specification["method"].update(inner)
    specification.update(changes)
    try:
        _native.transform(json.dumps(specification), pa.array(["1234567"]), "a")
    except tk.errors.TokenkitError as error:
        assert not isinstance(error, tk.errors.NativeDefect)
