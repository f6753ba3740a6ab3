"""The tree of exceptions and how errors of engines are turned into it."""

import copy
import json
import pickle

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit import errors
from tokenkit.errors import (
    BY_CODE,
    EngineError,
    InputError,
    InvalidValues,
    KeyNotLoaded,
    NativeDefect,
    TokenkitError,
    from_polars,
    translated,
)

CLASSES = sorted(BY_CODE.values(), key=lambda kind: kind.code)
BUILT_IN = {
    "UnknownKey": KeyError,
    "KeyVersionUnknown": LookupError,
    "KeyringNotFound": FileNotFoundError,
    "KeyringExists": FileExistsError,
    "InvalidValues": ValueError,
    "DomainTooSmall": ValueError,
    "SchemeError": ValueError,
    "UnsupportedType": TypeError,
    "NotAuthentic": ValueError,
    "KeyNotExportable": TypeError,
    "OutputExists": FileExistsError,
    "InputError": ValueError,
}


def test_codes_are_unique_and_fixed():
    """Every class has a code of its own, and those that Rust writes keep theirs."""
    classes = [
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, TokenkitError)
    ]
    assert len(classes) == len(BY_CODE) == len({found.code for found in classes})
    assert {code: BY_CODE[code].__name__ for code in ("TK101", "TK102", "TK103", "TK201")} == {
        "TK101": "SpecificationError",
        "TK102": "DomainTooSmall",
        "TK103": "SchemeError",
        "TK201": "KeyNotLoaded",
    }
    assert {code: BY_CODE[code].__name__ for code in ("TK202", "TK301", "TK302")} == {
        "TK202": "KeyConflict",
        "TK301": "InvalidValues",
        "TK302": "UnsupportedType",
    }
    assert (BY_CODE["TK303"].__name__, BY_CODE["TK401"].__name__) == (
        "TweakMismatch",
        "NativeDefect",
    )


def test_the_docstring_draws_the_tree_as_it_is():
    """The tree in the module's docstring names every class with its code, and no other."""
    drawn = {
        (words[1], words[0])
        for line in (errors.__doc__ or "").splitlines()
        if " TK" in line and (words := line.strip("│├└─ ").split())[0][0].isupper()
        if len(words) > 1 and words[1].startswith("TK")
    }
    assert drawn == {(code, kind.__name__) for code, kind in BY_CODE.items()}


@pytest.mark.parametrize(("name", "built_in"), BUILT_IN.items())
def test_expected_built_in_classes_catch_them(name, built_in):
    """What a Python user expects to catch does catch."""
    with pytest.raises(built_in):
        raise getattr(errors, name)("no")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_survives_pickle_and_copy(kind):
    """Fields, class and text come through pickle, copy and deepcopy, and can be raised again."""
    error = kind("no such thing", column='a"b', reason="length", count=3, hint="look")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert vars(again) == vars(error)
        with pytest.raises(kind, match="no such thing"):
            raise again


def test_job_errors_keep_file_and_line():
    """A job's error shows file and line, and keeps them through pickle."""
    error = pickle.loads(pickle.dumps(InputError("two fields too many", file="a.csv", line=7)))
    assert (error.file, error.line) == ("a.csv", 7)
    assert str(error) == 'two fields too many [file="a.csv" line=7]'


def test_text_is_message_fields_and_hint():
    """The text is one line of message and fields, and a line of hint where there is one."""
    assert str(InvalidValues("no fit", column="c", count=0)) == 'no fit [column="c" count=0]'
    assert str(KeyNotLoaded("not here", hint="load it")) == "not here\nhint: load it"
    assert str(errors.UnknownKey("plain")) == "plain"


def native(code: str, message: str, hint: str | None, **values: str | int | None) -> str:
    """Write an error the way the native module does."""
    fields = [
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
        if value is not None
    ]
    text = f"{code}: {message}" + (f" [{' '.join(fields)}]" if fields else "")
    return text + (f" hint: {hint}" if hint else "")


@given(
    code=st.sampled_from(sorted(BY_CODE)),
    column=st.none() | st.text(),
    reason=st.none() | st.sampled_from(["character", "check_digit"]),
    count=st.none() | st.integers(0, 2**63),
    hint=st.none() | st.just("with tokenkit.open_keyring(PATH) as keyring: ..."),
    around=st.sampled_from(
        [
            ("", ""),
            ("External error: ", ""),
            ("the plugin failed with message: ", "\n\nThis error occurred in context: [1] 'x'"),
        ]
    ),
)
def test_native_text_comes_back_whole(*, code, column, reason, count, hint, around):
    """Class, message and fields come back from the native form, whatever a column's name is."""
    text = native(
        code, 'key "a" [1] is not loaded', hint, column=column, reason=reason, count=count
    )
    error = from_polars(pl.exceptions.ComputeError(text.join(around)))
    assert isinstance(error, TokenkitError)
    assert (type(error).code, error.message) == (code, 'key "a" [1] is not loaded')
    assert (error.column, error.reason, error.count, error.hint) == (column, reason, count, hint)


@given(st.text())
def test_any_text_becomes_some_error(text):
    """No text makes the translation itself fail."""
    assert isinstance(from_polars(ValueError(text)), TokenkitError)
    assert isinstance(from_polars(ValueError(f"TK301: {text}")), InvalidValues)


@pytest.mark.parametrize(
    "text",
    [
        "conversion failed for 4111111111111111",
        'strict conversion failed for values ["TK301: 4111111111111111"]',
        "value 'TK301: 4111111111111111' found",
        "TK999: 4111111111111111",
        "no such value: TK301: 4111111111111111",
        'no column "x" in ["a\nTK301: 4111", "the plugin failed with message: TK301: 4111"]',
        "ATK301: 4111111111111111",
    ],
)
def test_foreign_text_is_withheld(text):
    """An error without a code of ours says which class it was, and nothing of its text."""
    error = from_polars(pl.exceptions.InvalidOperationError(text))
    assert type(error) is EngineError
    assert "4111" not in str(error) + repr(error) + repr(vars(error))
    assert "InvalidOperationError" in str(error)


def test_own_errors_and_panics():
    """A tokenkit error passes as it is; an engine's panic is a defect."""
    own = InvalidValues("no")
    assert from_polars(own) is own
    panic = type("PanicException", (BaseException,), {})
    assert type(from_polars(panic("at 4111"))) is NativeDefect
    with pytest.raises(NativeDefect), translated():
        raise panic("at 4111")


def test_translated_leaves_nothing_attached():
    """The foreign error can't be reached from the one that is raised, not even as its context."""

    @translated()
    def fail():
        raise pl.exceptions.ComputeError("TK302: no floats")

    for run in (fail, lambda: pl.select(pl.lit("4111x").cast(pl.Int64, strict=True))):
        with pytest.raises(TokenkitError) as caught, translated():
            run()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_translated_lets_interrupts_and_own_errors_pass():
    """Interrupts stay what they are, and so does a tokenkit error."""
    with pytest.raises(KeyboardInterrupt), translated():
        raise KeyboardInterrupt
    own = InvalidValues("no")
    with pytest.raises(InvalidValues) as caught, translated():
        raise own
    assert caught.value is own
    with translated():
        pass
