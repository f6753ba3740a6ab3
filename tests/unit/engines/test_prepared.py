"""One value at a time: what an array of that value would become, and nothing for other kinds."""

import pyarrow as pa
import pytest

from tokenkit.engines.column import ColumnCall
from tokenkit.engines.prepared import PreparedColumn
from tokenkit.errors import InvalidValues, KeyNotLoaded, TokenkitError, UnsupportedType
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnRule

VALUES = ["4539578763621486", "4539 5787 6362 1486", "4539578763621487", "12", "", None, "x"]


def prepared(ring, scheme, operation="tokenize", *, tweak=False, **options):
    rule = ColumnRule.build(scheme, key="people", **options)
    return PreparedColumn(
        ColumnCall(
            rule=rule,
            version=ring["people"].primary,
            operation=operation,
            output="outcome",
            has_tweak_column=tweak,
        )
    )


@pytest.fixture
def ring():
    """Give a keyring of one key."""
    with Keyring.from_secrets({"people": bytes(range(32))}) as opened:
        yield opened


@pytest.mark.parametrize("on_invalid", ["error", "null", "seal"])
@pytest.mark.parametrize("keep", [None, {"last": 4}])
def test_one_value_is_an_array_of_one(ring, on_invalid, keep):
    """Alone and in an array a value has the same token, or the same reason, there and back."""
    column = prepared(ring, "credit-card", keep=keep, on_invalid=on_invalid)
    tokens, reasons = column.run(pa.array(VALUES, pa.string()))
    alone = [column.run_one(value) for value in VALUES]
    assert alone == list(zip(tokens.to_pylist(), reasons.to_pylist(), strict=True))
    back = prepared(ring, "credit-card", "detokenize", keep=keep, on_invalid=on_invalid)
    for value, (token, reason) in zip(VALUES, alone, strict=True):
        if reason is None:
            assert back.run_one(token) == (value, None)


def test_integers_and_tweaks(ring):
    """Integers stay integers; a tweak separates equal values, and is needed where there is one."""
    column = prepared(ring, "digits", width=9)
    array, _ = column.run(pa.array([5, -1, None, 2**40]))
    assert [column.run_one(value)[0] for value in (5, -1, None, 2**40)] == array.to_pylist()
    tweaked = prepared(ring, "digits", tweak=True)
    one, other = tweaked.run_one("123456", "a")[0], tweaked.run_one("123456", "b")[0]
    assert one != other
    assert tweaked.run_one("123456", None) == (None, "tweak")
    with pytest.raises(TokenkitError):
        prepared(ring, "digits").run_one("123456", "a")


@pytest.mark.parametrize(
    "value", [True, 1.5, b"123456", ["123456"], 2**63, -(2**63) - 1, "\ud800", object()]
)
def test_other_kinds_are_refused(ring, value):
    """What is no string and no integer of 64 bits is refused, and isn't quoted."""
    with pytest.raises(UnsupportedType) as found:
        prepared(ring, "digits", width=9).run_one(value)
    assert "123456" not in str(found.value)
    assert found.value.__context__ is None


def test_a_closed_keyring_gives_nothing():
    """The key is looked up for each value: once it is gone, so are tokens."""
    with Keyring.from_secrets({"people": bytes(range(32))}) as ring:
        column = prepared(ring, "digits")
        assert column.run_one("123456")[1] is None
    with pytest.raises(KeyNotLoaded):
        column.run_one("123456")


def test_a_call_without_reasons_is_refused(ring):
    """A call whose output is the token alone has no reason to give, and gives nothing."""
    rule = ColumnRule.build("digits", key="people")
    call = ColumnCall(rule=rule, version=ring["people"].primary, operation="tokenize")
    with pytest.raises(TokenkitError):
        PreparedColumn(call).run_one("123456")
    with pytest.raises(InvalidValues):
        PreparedColumn(call).run_one("1")
