"""Arrow data that breaks its own rules, or bends them, ends in a clear error and leaks nothing."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pytest
from polars.plugins import register_plugin_function

import tokenkit as tk
from tokenkit import _native
from tokenkit.hazmat import FF1, keyring_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUTS = [pa.string(), pa.large_string(), pa.string_view()]


@pytest.fixture
def ring() -> Iterator[tk.Keyring]:
    """Open a keyring of a random key."""
    with keyring_from_bytes({"test": random.randbytes(32)}) as opened:
        yield opened


def test_a_tweak_of_many_megabytes(ring: tk.Keyring) -> None:
    """A tweak cell that is no label makes its row unfit; the process goes on."""
    frame = pl.DataFrame({"a": ["123456", "123456"], "t": ["x" * (64 << 20), "tenant"]})
    tried = tk.expr.try_tokenize("a", "digits", key=ring["test"], tweak="t")
    assert frame.select(tried.struct.field("reason")).to_series().to_list() == ["tweak", None]


def test_tweaks_of_many_lengths(ring: tk.Keyring) -> None:
    """Thousands of distinct tweak and value lengths come back."""
    drawn = random.Random(1)
    values = ["7" * drawn.randint(6, 60) for _ in range(6_000)]
    tweaks = ["t" * drawn.randint(0, 3_000) for _ in values]
    frame = pl.DataFrame({"a": values, "t": tweaks})
    options: Any = {"key": ring["test"], "tweak": "t"}
    tokens = frame.with_columns(tk.expr.tokenize("a", "digits", **options))
    assert tokens.with_columns(tk.expr.detokenize("a", "digits", **options)).equals(frame)


@pytest.mark.parametrize("layout", [pa.string(), pa.large_string()], ids=str)
def test_what_is_no_text_is_not_sealed(layout: pa.DataType, ring: tk.Keyring) -> None:
    """Bytes that aren't UTF-8, which Arrow lets pass, don't fit: they couldn't come back."""
    binary = pa.binary() if layout == pa.string() else pa.large_binary()
    array = pa.array([b"caf\xe9", b"fine"], binary).view(layout)
    with pytest.raises(tk.errors.InvalidValues) as caught:
        tk.tokenize(array, "text", key=ring["test"])
    assert (caught.value.reason, caught.value.count) == ("encoding", 1)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_separators_of_several_bytes(layout: pa.DataType, ring: tk.Keyring) -> None:
    """A separator outside ASCII stays where it is, whatever the alphabet."""
    options: Any = {"key": ring["test"], "separators": "–·"}
    array = pa.array(["4111–1111·1111", "411111111111"], layout)
    tokens = tk.tokenize(array, "digits", **options)
    tokens.validate(full=True)
    first, second = tokens.to_pylist()
    assert (first[4], first[9]) == ("–", "·")
    assert len(second) == 12
    assert tk.detokenize(tokens, "digits", **options).equals(array)
    plain = tk.tokenize(pa.array(["411111111111"]), "digits", key=ring["test"])
    assert plain.to_pylist() == [second]


class Twice:
    """Gives the same capsules again and again, although the first taker empties them."""

    def __init__(self) -> None:
        self._capsules: tuple[object, object] = pa.array(["1234567"]).__arrow_c_array__()

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        return self._capsules


def test_released_capsules() -> None:
    """An array that somebody has taken already is an error, not a panic."""
    given: Any = Twice()
    cipher = _native.FF1(bytes(16), None, "0123456789", False)
    cipher.array(given, b"", None, False)
    for _ in range(2):
        with pytest.raises(tk.errors.UnsupportedType):
            cipher.array(given, b"", None, False)


def unsound(offsets: list[int], size: int) -> pa.Array:
    """Make a string array whose offsets are what they must not be."""
    buffer = pa.array(offsets, pa.int32()).buffers()[1]
    return pa.Array.from_buffers(
        pa.string(), len(offsets) - 1, [None, buffer, pa.py_buffer(b"7" * size)]
    )


@pytest.mark.parametrize("offsets", [[0, 8, 4, 12], [0, 1 << 20, 4, 12], [0, -8, 4, 12]])
def test_unsound_offsets(offsets: list[int], ring: tk.Keyring) -> None:
    """Offsets that fall or leave the buffer are an error, in values, tweaks and dictionaries."""
    array = unsound(offsets, 16)
    sound = pa.array(["7777777"] * 3)
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), array, safe=False)
    for values in (array, dictionary):
        with pytest.raises(tk.errors.TokenkitError):
            tk.tokenize(values, "digits", key=ring["test"])
    with pytest.raises(tk.errors.TokenkitError):
        FF1(bytes(16), alphabet="0123456789").encrypt_array(sound, array.view(pa.binary()))


def test_dictionary_keys_out_of_range(ring: tk.Keyring) -> None:
    """Keys that point past the dictionary are an error."""
    keys = pa.array([0, 7])
    array = pa.DictionaryArray.from_arrays(keys, pa.array(["7777777"]), safe=False)
    with pytest.raises(tk.errors.UnsupportedType):
        tk.tokenize(array, "digits", key=ring["test"])


def test_extension_types(ring: tk.Keyring) -> None:
    """An extension array is refused rather than losing its type."""
    array = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1234567"]))
    with pytest.raises(tk.errors.UnsupportedType):
        tk.tokenize(array, "digits", key=ring["test"])


def test_a_reader_s_own_errors(ring: tk.Keyring) -> None:
    """What a source raises while it is read may quote values, and doesn't get out."""
    text = b"a,b\n" + b"1234567,1\n" * 10_000 + b"1234567,4111111111111111x\n"
    reader = pyarrow.csv.open_csv(
        io.BytesIO(text),
        read_options=pyarrow.csv.ReadOptions(block_size=10_000),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={"a": pa.string(), "b": pa.int64()}
        ),
    )
    policy = {"columns": {"a": {"scheme": "digits", "key": "test"}}, "unlisted": "keep"}
    with pytest.raises(tk.errors.EngineError) as caught:
        tk.tokenize(reader, policy, keyring=ring).read_all()
    assert "4111" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_series_with_a_pattern_for_a_name(ring: tk.Keyring) -> None:
    """The name of a series is no pattern."""
    series = pl.Series("^ssn$", ["078-05-1120"])
    tokens = tk.tokenize(series, "us-ssn", key=ring["test"])
    assert tk.detokenize(tokens, "us-ssn", key=ring["test"]).equals(series)


def nested(depth: int) -> list[Any]:
    """Nest a list in lists."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"specification": ""},
        {"specification": "{}"},
        {"specification": 3},
        {"specification": nested(200)},
        {"other": "{}"},
        {"specification": "{}", "other": "{}"},
        {"specification": "[" * 200_000},
        {"specification": "{" * 1_000 + "}" * 1_000},
    ],
    ids=lambda arguments: str(arguments)[:40],
)
def test_altered_arguments(arguments: dict[str, Any]) -> None:
    """Plugin arguments of any other shape are refused, however deep they go."""
    expression = register_plugin_function(
        plugin_path=Path(_native.__file__).parent,
        function_name="transform",
        args=[pl.col("a")],
        kwargs=arguments,
        is_elementwise=True,
    )
    with pytest.raises(pl.exceptions.ComputeError, match="TK101"):
        pl.DataFrame({"a": ["1234567"]}).select(expression)
