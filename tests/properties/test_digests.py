"""A digest is about what stands in a column, how often, and about nothing else."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.test_jobs import SCHEMES
from tokenkit import _native
from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.plugin import column_expression
from tokenkit.engines.polars.proof import Proof, tokens_digested, values_digested
from tokenkit.keys import Keyring
from tokenkit.policy import ColumnRule
from tokenkit.policy.rule import OnInvalid

RUN = "0f" * 16
WIDTH = 12


@pytest.fixture(scope="module")
def ring():
    """Give a keyring of one key."""
    with Keyring.from_secrets({"people": bytes(range(32))}) as opened:
        yield opened


@st.composite
def columns(draw):
    """Draw a rule, and a column of values: of strings, categories or integers."""
    literals = draw(st.sampled_from([(), ("N/A",), ("N/A", "-")]))
    on_invalid: OnInvalid = draw(st.sampled_from(["null", "seal", "reject"]))
    normalize = draw(st.sampled_from([(), ("trim",), ("trim", "lower", "strip-separators")]))
    size = draw(st.integers(1, 20))

    def rows(values):
        return draw(st.lists(values, min_size=size, max_size=size))

    if draw(st.integers(0, 4)) == 0:
        fate: OnInvalid = "null" if on_invalid == "seal" else on_invalid
        rule = ColumnRule.build("digits", key="people", width=WIDTH, on_invalid=fate)
        return rule, pl.Series("value", rows(st.none() | st.integers(-9, 10**13)), dtype=pl.Int64)
    scheme = draw(st.sampled_from(sorted(SCHEMES)))
    values, parameters = SCHEMES[scheme]
    if scheme == "text" and on_invalid == "seal":
        # It seals everything as it is.
        on_invalid = "null"
    rule = ColumnRule.build(
        scheme,
        key="people",
        literals=literals,
        on_invalid=on_invalid,
        normalize=normalize,
        **parameters,
    )
    other = st.sampled_from(["", "N/A", "-", " ", "x"]) | st.text("ab -1", max_size=4)
    kind = draw(st.sampled_from([pl.String, pl.Categorical]))
    return rule, pl.Series("value", rows(st.none() | values | other), dtype=kind)


def digests(ring, rule, values, change=lambda tokens: tokens, kernel="auto"):
    """Give the digest of what is read and that of what is written, and both by row."""
    version = ring["people"].primary
    forth = ColumnCall(rule=rule, version=version, operation="tokenize", output="outcome")
    strict = rule if rule.on_invalid == "seal" else replace_fate(rule)
    back = ColumnCall(rule=strict, version=version, operation="detokenize")
    proof = Proof(version, rule.domain, RUN, "job", "value")
    previous = _native.select_kernel(kernel)
    try:
        outcome = (
            values.to_frame()
            .with_row_index("row")
            .with_columns(column_expression(pl.col("value"), forth).alias("outcome"))
            .with_columns(
                pl.col("outcome").struct.field("token"), pl.col("outcome").struct.field("reason")
            )
        )
        fits = pl.col("reason").is_null() & (pl.col("row") >= 0)
        rejected = pl.lit(rule.on_invalid == "reject") & ~fits & (pl.col("row") >= 0)

        def read(*, by_row):
            return values_digested(
                pl.col("value"), forth, proof, fits=fits, rejected=rejected, by_row=by_row
            )

        taken = outcome.select(read(by_row=False).alias("a"), read(by_row=True).alias("b"))
        kept = outcome.filter(taken["a"])
        written = change(kept["token"].alias("token")).to_frame().with_row_index("row")

        def made(*, by_row):
            return tokens_digested(pl.col("token"), back, proof, row=pl.col("row"), by_row=by_row)

        found = written.select(made(by_row=False).alias("a"), made(by_row=True).alias("b"))
        marks = taken["b"].filter(taken["a"])
        holds = proof.holds() and bool(found["a"].all())
        return holds, marks, found["b"], proof.mac("old")
    finally:
        _native.select_kernel(previous)


def replace_fate(rule):
    """Let what is no token be an error."""
    return replace(rule, on_invalid="error")


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(case=columns(), order=st.randoms(use_true_random=False))
def test_what_is_written_holds_in_any_order_on_both_kernels(ring, case, order):
    """Of every scheme, type and kind of value; and each row's mark is that of its value."""
    rule, values = case
    holds, marks, tokens, mac = digests(ring, rule, values)
    assert holds
    assert marks.equals(tokens, check_names=False)
    places = list(range(len(values)))
    order.shuffle(places)
    again, _, _, other = digests(ring, rule, values[places], kernel="portable")
    assert (again, other) == (True, mac)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(case=columns(), data=st.data())
def test_any_one_change_shows(ring, case, data):
    """A token that is lost, doubled, exchanged for another, made null, or left in clear."""
    rule, values = case

    def lost(tokens):
        return pl.concat([tokens[:place], tokens[place + 1 :]])

    def doubled(tokens):
        return pl.concat([tokens, tokens[place : place + 1]])

    def put(tokens, value):
        changed = tokens.cast(pl.String if tokens.dtype == pl.Categorical else tokens.dtype)
        texts = changed.to_list()
        texts[place] = value
        return pl.Series("token", texts, dtype=changed.dtype)

    _, marks, _, _ = digests(ring, rule, values)
    if not len(marks):
        return
    place = data.draw(st.integers(0, len(marks) - 1))
    other = data.draw(st.integers(0, len(marks) - 1))
    changes = [lost, doubled, lambda tokens: put(tokens, None)]
    if marks[other] != marks[place]:
        changes.append(lambda tokens: put(tokens, tokens[other]))
    changes.append(lambda tokens: put(tokens, values.filter(taken(ring, rule, values))[place]))
    for change in changes:
        holds, _, found, _ = digests(ring, rule, values, change)
        same = found.len() == marks.len() and marks.equals(found, check_names=False)
        # A value may be its own token, as a literal is: then nothing has changed.
        assert holds == same
    for change in changes[:2]:
        assert not digests(ring, rule, values, change)[0]


def taken(ring, rule, values):
    """Say which values go to the output."""
    forth = ColumnCall(
        rule=rule, version=ring["people"].primary, operation="tokenize", output="outcome"
    )
    reasons = values.to_frame().select(
        column_expression(pl.col("value"), forth).struct.field("reason")
    )
    fits = reasons.to_series().is_null()
    return fits if rule.on_invalid == "reject" else pl.Series([True] * len(values))
