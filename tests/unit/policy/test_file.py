"""Policy files: read strictly; errors name file and line."""

import pytest

from tokenkit.errors import DomainTooSmall, PolicyError
from tokenkit.policy import Policy, load_policy, read_policy

CANARY = "CANARY-4111111111111111"


@pytest.fixture
def load(tmp_path):
    """Write a policy file and load it."""

    def loading(text, *, name="policy.yaml"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_policy(path)

    return loading


def test_a_file_and_a_mapping_say_the_same(load, tmp_path):
    """All forms of a policy give the same one, by its digest."""
    text = "columns:\n  card: {scheme: credit-card, key: payments, on_invalid: null}\n"
    fields = {
        "columns": {"card": {"scheme": "credit-card", "key": "payments", "on_invalid": "null"}}
    }
    loaded = load(text)
    assert loaded.digest == Policy.from_mapping(fields).digest
    assert read_policy(loaded) is loaded
    assert read_policy(fields).digest == loaded.digest
    assert read_policy(str(tmp_path / "policy.yaml")).digest == loaded.digest
    assert read_policy(tmp_path / "policy.yaml").digest == loaded.digest


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"columns:\n  card:\n    scheme: digits\n    key: k\n    kez: {CANARY}\n", 5),
        (f"columns:\n  card:\n    scheme: digits\n    key: k\n    on_invalid: {CANARY}\n", 5),
        ("columns:\n  a: {action: keep}\n  card:\n    scheme: digits\n", 3),
        (
            f"columns:\n  card:\n    scheme: digits\n    key: k\n    keep:\n      last: {CANARY}\n",
            6,
        ),
        (
            f"columns:\n  a:\n    scheme: text\n    key: k\n    literals:\n    - {CANARY}\n    - 0",
            7,
        ),
        (f"columns:\n  4111: {{action: {CANARY}}}\n", 2),
        (f"columns:\n  card: [{CANARY}\n", 3),
        (f"columns: {{}}\nunlisted: {CANARY}\n", 2),
        (f"columns:\n  a: {{action: keep}}\n  a: {{action: {CANARY}}}\n", 3),
        (f"columns: !!python/name:os.system\n  a: {CANARY}\n", 1),
        (f"x: &x {{a: {CANARY}}}\ncolumns:\n  <<: *x\n", 3),
        (f"columns:\n  ? [{CANARY}]\n  : b\n", 2),
    ],
)
def test_the_line_is_named_and_no_value(load, text, line):
    """Whatever is wrong, the message begins with file and line, and no value is in it."""
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert f"policy.yaml, line {line}:" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_scheme_error_has_the_line_too(load):
    """What a scheme refuses is located like the rest."""
    with pytest.raises(DomainTooSmall, match="line 3"):
        load("columns:\n  a: {action: keep}\n  b: {scheme: digits, key: k, min_length: 3}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n",
        "7\n",
        "columns: [" * 3000,
        "a: 2024-99-99\n",
        "a: b\n---\nc: d\n",
        b"\xff\xfe\x00",
        b"a: \x00",
        "x" * (4 * 2**20 + 1),
    ],
)
def test_what_is_no_policy_is_refused(load, text):
    """Empty, foreign, deep, binary and huge files are refused without a traceback of YAML."""
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert caught.value.__context__ is None


def test_aliases_do_not_grow_without_bound(load):
    """A small file can't be made to describe a huge mapping."""
    lines = ["a0: &a0 {x: y}"]
    lines += [f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}}}" for n in range(1, 60)]
    with pytest.raises(PolicyError):
        load("\n".join(lines))


def test_a_byte_order_mark_is_no_matter(load):
    """Editors that write one don't break the file."""
    assert load("\ufeffcolumns: {a: {action: keep}}\n").columns == {"a": "keep"}


def test_missing_files_and_folders(tmp_path):
    """Both say what is the matter."""
    with pytest.raises(PolicyError, match="there is no policy at"):
        load_policy(tmp_path / "policy.yaml")
    with pytest.raises(PolicyError, match="can't be read"):
        load_policy(tmp_path)


def test_other_things_are_no_policy():
    """A number isn't one."""
    with pytest.raises(PolicyError, match="a policy is"):
        read_policy(7)  # type: ignore[arg-type]
