"""The proof notices every change of the new tokens, and knows what it is about."""

import random
from dataclasses import replace

import polars as pl
import pyarrow.parquet as pq
import pytest

import tokenkit as tk
from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.polars.rekey import proved, rekeyed
from tokenkit.engines.rekey import rekey_call
from tokenkit.errors import InvalidValues
from tokenkit.hazmat import keyring_from_bytes
from tokenkit.jobs import Job, run
from tokenkit.jobs.rekeying import RekeyRequest, rekey_files, verify_rekey
from tokenkit.policy import ColumnRule, Policy

RULE = ColumnRule.build("digits", key="people")
RUN = "ab" * 16
ROW = pl.int_range(pl.len(), dtype=pl.UInt64)


def digit(tokens: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(tokens))
    token = tokens[place]
    at = draw.randrange(len(token))
    other = draw.choice([digit for digit in "0123456789" if digit != token[at]])
    return [*tokens[:place], token[:at] + other + token[at + 1 :], *tokens[place + 1 :]]


def lost(tokens: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(tokens))
    return tokens[:place] + tokens[place + 1 :]


def doubled(tokens: list[str], draw: random.Random) -> list[str]:
    place = draw.randrange(len(tokens))
    return tokens[: place + 1] + tokens[place:]


def swapped(tokens: list[str], draw: random.Random) -> list[str]:
    one, other = draw.sample(range(len(tokens)), 2)
    changed = list(tokens)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


CHANGES = (digit, lost, doubled, swapped)


@pytest.fixture
def ring():
    """Give a keyring whose key has two versions."""
    with keyring_from_bytes({"people": random.randbytes(32)}) as opened:
        opened.rotate("people")
        yield opened


def calls(ring) -> tuple[ColumnCall, ColumnCall, ColumnCall]:
    """Give the calls that tokenize under the old version, rekey, and turn the new tokens back."""
    old, new = ring["people"].version(1), ring["people"].version(2)
    tokenize = ColumnCall(rule=RULE, version=old, operation="tokenize")
    rekeying = rekey_call(replace(tokenize, operation="detokenize"), new)
    assert rekeying is not None
    return tokenize, rekeying, ColumnCall(rule=RULE, version=new, operation="detokenize")


def rekey_with_proof(ring, values, proof) -> list[str]:
    """Tokenize values, and rekey them while the old side of a proof is taken."""
    frame = pl.DataFrame({"id": values})
    _, rekeying, _ = calls(ring)
    old = frame.select(tk.expr.tokenize("id", "digits", key=ring["people"], version=1))
    return old.select(rekeyed(pl.col("id"), rekeying, proof, ROW))["id"].to_list()


def test_each_of_a_thousand_changes_is_caught(ring):
    """A digit, a lost row, a doubled row, two rows swapped: 1,000 of 1,000 make the proof fail."""
    draw = random.Random(11)
    values = [f"{draw.randrange(10**16):016}" for _ in range(200)]
    *_, back = calls(ring)
    caught = 0
    for number in range(1_000):
        proof = Proof(ring["people"].version(2), RULE.domain, RUN, "a.parquet", "id")
        tokens = rekey_with_proof(ring, values, proof)
        changed = CHANGES[number % 4](tokens, draw)
        pl.DataFrame({"id": changed}).select(proved(pl.col("id"), back, proof, "new", ROW))
        caught += not proof.holds()
    assert caught == 1_000


def test_unchanged_tokens_hold_whatever_the_batches_are(ring):
    """The sum doesn't depend on how the rows are cut, nor on which side is taken first."""
    values = [f"{number:016}" for number in range(20_000)]
    proof = Proof(ring["people"].version(2), RULE.domain, RUN, "a.parquet", "id")
    tokens = pl.DataFrame({"id": rekey_with_proof(ring, values, proof)}).with_row_index("row")
    *_, back = calls(ring)
    row = pl.col("row").cast(pl.UInt64)
    assert not proof.holds()
    for start in (7_000, 0, 19_999):
        end = {7_000: 19_999, 0: 7_000, 19_999: 20_000}[start]
        tokens[start:end].select(proved(pl.col("id"), back, proof, "new", row))
    assert proof.holds()
    assert proof.mac("old") == proof.mac("new")
    assert proof.counts("new")["value"] == 20_000


def test_a_proof_is_about_one_run_file_and_column(ring):
    """The same values have another proof in another run, file, column, domain or version."""
    about = (ring["people"].version(2), "digits", RUN, "a.parquet", "id")
    others = [
        (ring["people"].version(1), *about[1:]),
        (about[0], "other", *about[2:]),
        (*about[:2], "00" * 16, *about[3:]),
        (*about[:3], "b.parquet", "id"),
        (*about[:4], "di"),
        (*about[:3], "a.parqueti", "d"),
    ]
    values = [f"{number:016}" for number in range(10)]
    macs = []
    for one in [about, *others, about]:
        proof = Proof(*one)
        rekey_with_proof(ring, values, proof)
        macs.append(proof.mac("old"))
    assert len(set(macs)) == len(others) + 1
    assert macs[0] == macs[-1]


def test_kinds_are_part_of_what_is_proved(ring):
    """A null that became the empty string is a change, though neither has a value."""
    proof = Proof(ring["people"].version(2), RULE.domain, RUN, "a.parquet", "id")
    rekey_with_proof(ring, ["0042719365", None], proof)
    tokenize, _, back = calls(ring)
    new = pl.DataFrame({"id": ["0042719365", ""]}).select(
        tk.expr.tokenize("id", "digits", key=ring["people"])
    )
    new.select(proved(pl.col("id"), back, proof, "new", ROW))
    assert proof.counts("old")["null"] == proof.counts("new")["empty"] == 1
    assert not proof.holds()
    assert tokenize.version.number == 1


@pytest.mark.parametrize("number", range(20))
def test_verify_notices_changes_of_files(number, ring, tmp_path):
    """``--verify OLD NEW`` doesn't hold when the new file is changed, its metadata as it was."""
    draw = random.Random(number)
    rows = pl.DataFrame({"id": [f"{draw.randrange(10**12):012}" for _ in range(50)]})
    rows.write_parquet(tmp_path / "rows.parquet")
    policy = Policy.from_mapping(
        {"columns": {"id": {"scheme": "digits", "key": "people", "version": 1}}}
    )
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    run(
        Job(
            operation="tokenize",
            source=tmp_path / "rows.parquet",
            target=old,
            policy=policy,
            keyring=ring,
        )
    )
    rekey_files(RekeyRequest(source=old, target=new, keyring=ring, to=1))
    rekey_files(RekeyRequest(source=new, target=None, keyring=ring, to=2))
    assert verify_rekey(new, old=old, keyring=ring).holds
    metadata = pq.read_metadata(new).metadata[b"tokenkit"].decode()
    tokens = pl.read_parquet(new)["id"].to_list()
    pl.DataFrame({"id": CHANGES[number % 4](tokens, draw)}).write_parquet(
        new, metadata={"tokenkit": metadata}
    )
    try:
        held = verify_rekey(new, old=old, keyring=ring).holds
    except InvalidValues:
        held = False
    assert not held
