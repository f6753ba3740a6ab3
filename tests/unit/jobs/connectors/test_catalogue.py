"""Formats are found by suffix, options are checked when they're made."""

import sys
import types
from pathlib import Path

import polars as pl
import pytest

from tokenkit.errors import JobError
from tokenkit.jobs.connectors import (
    Format,
    TextOptions,
    all_formats,
    catalogue,
    format_of,
    formats,
    known_suffix,
    suffix_of,
)


def test_suffixes_belong_to_one_format():
    """None is there twice, and the longest that fits says the format."""
    suffixes = [suffix for found in all_formats() for suffix in found.suffixes]
    assert len(suffixes) == len(set(suffixes))
    for found in all_formats():
        for suffix in found.suffixes:
            assert format_of(Path(f"a.b{suffix.upper()}")) is found
            assert suffix_of(Path(f"a.csv{suffix}")) == suffix
    assert not known_suffix(Path("a.xlsx"))
    assert not known_suffix(Path("a.parquet.gz"))
    with pytest.raises(JobError, match="known format") as caught:
        format_of(Path("a.xlsx"))
    assert ".csv.zst" in (caught.value.hint or "")


def test_a_module_is_a_format(tmp_path, monkeypatch):
    """A new format is a module in the folder, and nothing else."""
    made = Format("made", (".made",), lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    (tmp_path / "made.py").touch()
    module = types.ModuleType(f"{formats.__name__}.made")
    module.__dict__["FORMAT"] = made
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    catalogue.all_formats.cache_clear()
    try:
        assert format_of(Path("a.made")) is made
    finally:
        catalogue.all_formats.cache_clear()


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ""},
        {"delimiter": ",,"},
        {"delimiter": "\n"},
        {"delimiter": "é"},
        {"delimiter": '"'},
        {"quote": "\x00"},
        {"encoding": "klingon"},
        {"encoding": "rot13"},
        {"encoding": "base64"},
        {"header": False},
        {"names": ()},
        {"names": ("a", "a")},
        {"names": ("a", "")},
        {"names": ("a\0",)},
        {"types": {"a": "integer"}},
        {"types": {"a": "decimal(39,1)"}},
        {"types": {"a": "decimal(2,3)"}},
    ],
)
def test_options_that_can_not_be_are_refused(options):
    """When they're made, before a file is opened."""
    with pytest.raises(JobError) as caught:
        TextOptions(**options)
    assert caught.value.hint


def test_types_have_names():
    """Those that docs/files.md lists."""
    names = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 boolean date".split()
    types_ = TextOptions(
        types={name: name for name in [*names, "text", "datetime", "time"]}
    ).dtypes()
    assert types_["uint16"] == pl.UInt16()
    assert types_["datetime"] == pl.Datetime("us")
    assert types_["text"] == pl.String()
