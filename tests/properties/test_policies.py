"""Policies: the shortest form says the same, and hostile files are refused in our own words."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.policy.strategies import policies
from tokenkit.errors import InvalidKey, PolicyError, SchemeError
from tokenkit.policy import Policy, load_policy

CANARY = "CANARY-4111111111111111"
FULL = f"""\
columns:
  card: {{scheme: credit-card, key: payments, keep: {{last: 4}}, literals: ["{CANARY}", N/A]}}
  id:
    scheme: digits
    key: people
    width: 10
    output: string
    literals:
      - "{CANARY}"
    normalize: [trim, lower]
    tweak: tenant
    on_invalid: seal
    version: 1
  code: {{scheme: custom, key: people, alphabet: "41CANRYabc", min_length: 9}}
  "tel_*": {{scheme: text, key: people, on_invalid: null}}
  tenant: {{action: keep}}
unlisted: drop
rejects: {{key: people}}
""".encode()
PIECES = [
    *(b"\n", b"\n  ", b": ", b"- ", b"{", b"}", b"[", b"]", b'"', b"'", b"*a", b"&a ", b"!!", b"#"),
    *(b"\t", b"\x00", b"\xff", b"\xed\xa0\x80", b"<<: ", b"? ", b"---\n", b"|\n", b">", b"%", b"@"),
    *(b"null", b"0x7", b"1_0", b"1e999", b".nan", b"2024-13-99", b"=", b"9" * 5000, b"~", b","),
    *(b"columns", b"keep", b"literals", b"rejects", b"key", b"scheme", b"text", b"true"),
]
EXPECTED = (PolicyError, SchemeError, InvalidKey)


def read(content: bytes) -> None:
    """Load a file, and look at the error if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "policy.yaml")
        path.write_bytes(content)
        try:
            load_policy(path)
        except EXPECTED as error:
            shown = str(error) + repr(error) + repr(error.__dict__)
            assert "4111111111111111" not in shown
            assert error.__cause__ is None
            assert error.__context__ is None


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw the full policy with some of its bytes cut out, doubled, moved or replaced."""
    content = FULL
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        match draw(st.sampled_from(["cut", "double", "piece", "byte"])):
            case "cut":
                content = content[:start] + content[end:]
            case "double":
                content = content[:end] + content[start:]
            case "piece":
                content = content[:start] + draw(st.sampled_from(PIECES)) + content[end:]
            case "byte":
                content = content[:start] + draw(st.binary(min_size=1)) + content[start:]
    return content


@given(policies())
@settings(max_examples=200, deadline=None)
def test_policies_round_trip(fields):
    """File, model and canonical form say the same, and the canonical form is its own."""
    policy = Policy.from_mapping(fields)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "policy.yaml")
        path.write_text(yaml.safe_dump(fields))
        loaded = load_policy(path)
        canonical = policy.to_mapping()
        path.write_text(yaml.safe_dump(canonical))
        again = load_policy(path)
    assert policy.digest == loaded.digest == again.digest
    assert again.to_mapping() == canonical
    assert dict(policy.columns) == dict(loaded.columns)
    assert again.columns.keys() == policy.columns.keys()
    for name, rule in policy.rules.items():
        assert again.rules[name].method == rule.method
        assert again.rules[name].literals == rule.literals


def test_the_full_policy_is_one():
    """What the next test changes is right before."""
    assert len(Policy.from_mapping(yaml.safe_load(FULL)).rules) == 4


@given(mutated())
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(FULL)
def test_changed_policies_are_read_or_refused(content):
    """A damaged file is a policy or a typed error, and no value in it is quoted."""
    read(content)


@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES)).map(b"".join)))
@settings(max_examples=1500, deadline=None)
def test_any_bytes_are_read_or_refused(content):
    """So are files that never were policies."""
    read(content)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(CANARY)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ["columns", "a", "scheme", "key", "keep", "literals", "rejects", "action"]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
@settings(max_examples=1500, deadline=None)
def test_any_mapping_is_read_or_refused(fields):
    """A mapping of any kind of value is a policy or a typed error that quotes none."""
    whole = fields if isinstance(fields, dict) else {"columns": fields}
    for candidate in (whole, {"columns": {"a": fields}}):
        try:
            Policy.from_mapping(candidate)
        except EXPECTED as error:
            assert "4111111111111111" not in str(error) + repr(error)
            assert error.__context__ is None
