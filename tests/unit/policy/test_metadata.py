"""Metadata: authenticated, bound to its columns and kind of file."""

import json

import pytest

from tokenkit.errors import (
    KeyConflict,
    KeyVersionUnknown,
    MetadataError,
    MetadataMismatch,
    MetadataTampered,
    TokenkitError,
    UnknownKey,
)
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnRule, Metadata

SECRETS = {"payments": bytes(range(32)), "people": bytes(range(1, 33))}


@pytest.fixture
def ring():
    """Give a keyring of two keys."""
    with Keyring.from_secrets(SECRETS) as opened:
        yield opened


@pytest.fixture
def rules():
    """Give two rules, with parameters."""
    return {
        "card": ColumnRule.build("credit-card", key="payments", keep={"last": 4}),
        "ssn": ColumnRule.build("us-ssn", key="people", on_invalid="null"),
        "id": ColumnRule.build(
            "digits",
            key="people",
            width=12,
            on_invalid="seal",
            literals=["N/A"],
            normalize=["lower", "trim"],
            tweak="tenant",
            output="string",
            value_type="int64",
        ),
    }


@pytest.fixture
def text(ring, rules):
    """Give a signed document."""
    pairs = {name: (rule, ring[rule.key].primary) for name, rule in rules.items()}
    return Metadata.sign("parquet", "ab" * 32, pairs, run="cd" * 16)


def spelled(document: object) -> str:
    """Spell a document as metadata is spelled."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def test_a_document_gives_back_rules_and_versions(ring, rules, text):
    """What was signed is verified, and names rule and version."""
    found = Metadata.parse(text).verify(ring, "parquet")
    assert {name: rule for name, (rule, _) in found.items()} == rules
    assert all(version.id == ring[version.name].primary.id for _, version in found.values())
    assert Metadata.parse(text.encode() + b"\n").verify(ring, "parquet").keys() == found.keys()


def leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List the paths of all values in a document."""
    if isinstance(value, dict) and value:
        return [leaf for name in value for leaf in leaves(value[name], (*path, name))]
    return [path]


def test_no_field_can_be_changed(ring, text):
    """Every field of the document, changed to another of its kind, is refused."""
    paths = leaves(json.loads(text))
    assert len(paths) > 25
    for path in paths:
        document = json.loads(text)
        place = document
        for step in path[:-1]:
            place = place[step]
        old = place[path[-1]]
        match old:
            case str() if path[-1] in ("mac", "check_value", "policy", "run"):
                place[path[-1]] = ("0" if old[0] != "0" else "1") + old[1:]
            case str():
                place[path[-1]] = old + "x"
            case list():
                place[path[-1]] = [*old, "x"]
            case bool() | None | dict():
                place[path[-1]] = {"x": 1}
            case int():
                place[path[-1]] = old + 1
        with pytest.raises(TokenkitError) as caught:
            Metadata.parse(spelled(document)).verify(ring, "parquet")
        assert isinstance(
            caught.value, MetadataError | UnknownKey | KeyVersionUnknown | KeyConflict
        )


def test_columns_cannot_be_moved_added_or_removed(ring, text):
    """A column's fields under another name, or without the others, are refused."""
    for change in (
        lambda columns: {"pan": columns["card"], "ssn": columns["ssn"], "id": columns["id"]},
        lambda columns: {"card": columns["card"]},
        lambda columns: {**columns, "pan": columns["card"]},
        lambda columns: {**columns, "card": columns["ssn"], "ssn": columns["card"]},
    ):
        document = json.loads(text)
        document["columns"] = change(document["columns"])
        with pytest.raises(MetadataTampered):
            Metadata.parse(spelled(document)).verify(ring, "parquet")


def test_a_document_belongs_to_its_kind_of_file(ring, text):
    """Beside another kind of file it's refused, and relabelling it breaks the MAC."""
    with pytest.raises(MetadataMismatch):
        Metadata.parse(text).verify(ring, "csv")
    document = json.loads(text)
    document["file"] = "csv"
    with pytest.raises(MetadataTampered):
        Metadata.parse(spelled(document)).verify(ring, "csv")


def test_another_keyring_is_another_error(text):
    """No such key, another key's version, and a forged id each have their own class."""
    with Keyring.from_secrets({"other": bytes(32)}) as ring, pytest.raises(UnknownKey):
        Metadata.parse(text).verify(ring, "parquet")
    replaced = Keyring.from_secrets({"payments": bytes(32)})
    with replaced as ring, pytest.raises(KeyVersionUnknown):
        Metadata.parse(text).verify(ring, "parquet")


def test_a_later_contract_is_told_apart(ring, text):
    """A document of a later contract isn't called tampered."""
    document = json.loads(text)
    document["contract"] = 2
    with pytest.raises(MetadataMismatch, match="version 2"):
        Metadata.parse(spelled(document)).verify(ring, "parquet")


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", "null", "{", '{"format":"tokenkit-metadata"}', "\ud800", b"\xff", " {}"],
)
def test_what_is_no_document_is_refused(content):
    """Anything else is damaged metadata, never another error."""
    with pytest.raises(MetadataTampered):
        Metadata.parse(
            content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        )


def test_there_is_one_spelling(text):
    """White space, order and case of the digits can't be changed unnoticed."""
    document = json.loads(text)
    for other in (
        json.dumps(document, sort_keys=True),
        json.dumps(document, indent=1),
        text.replace('"mac":"', '"mac":"0', 1),
        text.replace("ab" * 32, "AB" * 32),
    ):
        with pytest.raises(MetadataTampered), Keyring.from_secrets(SECRETS) as ring:
            Metadata.parse(other).verify(ring, "parquet")


def test_only_what_differs_is_written(ring, text):
    """Columns of the first release are described as they were; a run may be missing."""
    document = json.loads(text)
    plain = {"scheme", "domain", "on_invalid", "parameters", "shape", "key", "mac"}
    assert document["columns"]["card"].keys() == plain
    assert document["columns"]["id"].keys() == plain | {
        "literals",
        "normalize",
        "tweak",
        "output",
        "type",
    }
    assert document["run"] == Metadata.parse(text).run == "cd" * 16
    pair = (ColumnRule.build("us-ssn", key="people"), ring["people"].primary)
    unnamed = Metadata.sign("csv", "ab" * 32, {"ssn": pair})
    assert json.loads(unnamed)["run"] == ""
    assert Metadata.parse(unnamed).verify(ring)["ssn"][0] == pair[0]


@pytest.mark.parametrize(
    ("field", "value"), [("literals", []), ("normalize", []), ("output", "same"), ("tweak", None)]
)
def test_nothing_is_spelled_out(text, field, value):
    """A default that is written out would be a second spelling of the same document."""
    document = json.loads(text)
    document["columns"]["card"][field] = value
    with pytest.raises(MetadataTampered):
        Metadata.parse(spelled(document))


@pytest.mark.parametrize("run", ["cd", "CD" * 16, "x" * 32])
def test_a_run_is_spelled_in_one_way(text, run):
    """32 hexadecimal digits in lower case, or nothing."""
    document = json.loads(text)
    document["run"] = run
    with pytest.raises(MetadataTampered):
        Metadata.parse(spelled(document))


def test_lists_hold_texts(text):
    """A list of something else is damaged metadata."""
    document = json.loads(text)
    document["columns"]["id"]["literals"] = [7]
    with pytest.raises(MetadataTampered):
        Metadata.parse(spelled(document))
