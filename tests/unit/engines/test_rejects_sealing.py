"""Cells of rejected rows: sealed as the contract says, opened only where they were sealed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import tokenkit as tk
from tokenkit import _native
from tokenkit.engines.polars.rejects import RejectCell, open_rows, seal_rows
from tokenkit.errors import (
    KeyNotLoaded,
    NotAuthentic,
    SpecificationError,
    UnsupportedType,
    from_polars,
)
from tokenkit.hazmat import keyring_from_bytes

SECRETS = {"people": bytes(range(32)), "payments": bytes(range(32, 64))}
RUN = bytes(range(100, 116))
COLUMNS = ["ssn", "card", "iban", "city"]
FRAME = pl.DataFrame(
    {
        "row": [3, 2**40, 17],
        "file": ["a.csv", "b/é.csv", "a.csv"],
        "failing": [0, 1, 0],
        "reason": ["too_short", "check_digit", "character"],
        "ssn": ["078-05", None, ""],
        "card": ["4111", "4111111111111112", None],
        "iban": ["CH93", "DE89", "x"],
        "city": [b"Z\xc3\xbcrich", b"", None],
    },
    schema_overrides={"row": pl.UInt64, "failing": pl.UInt32},
)
PLACE = {name: pl.col(name) for name in ("row", "file", "failing", "reason")}


@pytest.fixture
def ring() -> Iterator[tk.Keyring]:
    with keyring_from_bytes(SECRETS) as opened:
        yield opened


@pytest.fixture
def cells(ring: tk.Keyring) -> list[RejectCell]:
    """Two columns of one key and domain, one of another, and one that is kept."""
    return [
        RejectCell("ssn", "us-ssn", ring["people"].primary),
        RejectCell("card", "credit-card", ring["payments"].primary),
        RejectCell("iban", "us-ssn", ring["people"].primary),
        RejectCell("city"),
    ]


def values(names: list[str] = COLUMNS) -> list[pl.Expr]:
    return [pl.col(name) for name in names]


def sealed(cells: list[RejectCell], frame: pl.DataFrame = FRAME, run: bytes = RUN) -> pl.DataFrame:
    expression = seal_rows(cells, run, values=values(), **PLACE)
    return frame.with_columns(expression.alias("cells").struct.unnest())


def opened(cells: list[RejectCell], frame: pl.DataFrame, run: bytes = RUN) -> pl.DataFrame:
    expression = open_rows(cells, run, values=values(), **PLACE)
    return frame.select(expression.alias("cells").struct.unnest())


def failure(cells: list[RejectCell], frame: pl.DataFrame, run: bytes = RUN) -> Exception:
    with pytest.raises(pl.exceptions.ComputeError) as caught:
        opened(cells, frame, run)
    return from_polars(caught.value)


def as_bytes(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return frame.select(pl.col(COLUMNS).cast(pl.Binary)).rows()


def run_key(secret: bytes, domain: str, run: bytes) -> bytes:
    def derive(key: bytes, info: bytes) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(key)

    return derive(derive(secret, b"tokenkit/1\0\x0a" + domain.encode()), run)


def associated(run: bytes, row: int, *texts: str) -> bytes:
    data = b"tokenkit/rejects/1\0" + run + row.to_bytes(8, "big")
    for text in map(str.encode, texts):
        data += len(text).to_bytes(4, "big") + text
    return data


def reference_keys(run: bytes) -> dict[str, AESGCM]:
    """The contract's keys, by column."""
    people = AESGCM(run_key(SECRETS["people"], "us-ssn", run))
    return {
        "ssn": people,
        "card": AESGCM(run_key(SECRETS["payments"], "credit-card", run)),
        "iban": people,
    }


def test_round_trip(cells):
    """Values, empty ones and nulls come back as bytes; nothing of them shows in between."""
    made = sealed(cells)
    assert made.select(COLUMNS).null_count().row(0) == (0, 0, 0, 0)
    assert as_bytes(opened(cells, made)) == as_bytes(FRAME)
    assert made["ssn"].bin.size().to_list() == [29 + 6, 29, 29]
    assert not any(b"4111" in cell for cell in made["card"])


def test_a_reader_of_the_contract_opens_the_cells(cells):
    """An implementation from the contract's text opens each cell, kept ones by the failing key."""
    keys = reference_keys(RUN)
    for given, row in zip(
        FRAME.iter_rows(named=True), sealed(cells).iter_rows(named=True), strict=True
    ):
        failing = COLUMNS[row["failing"]]
        for column in COLUMNS:
            data = associated(RUN, row["row"], row["file"], column, failing, row["reason"])
            key = keys.get(column, keys[failing])
            plain = key.decrypt(row[column][:12], row[column][12:], data)
            value = given[column]
            if isinstance(value, str):
                value = value.encode()
            assert plain == (b"\0" if value is None else b"\1" + value)


def test_cells_of_another_implementation_open(cells):
    """What is sealed by the contract's text, the native module opens; a wrong kind is refused."""
    keys = reference_keys(RUN)

    def seal(plain: bytes) -> pl.DataFrame:
        row: dict[str, Any] = {"row": 5, "file": "f", "failing": 0, "reason": "range"}
        for number, column in enumerate(COLUMNS):
            nonce = number.to_bytes(12, "big")
            data = associated(RUN, 5, "f", column, "ssn", "range")
            row[column] = nonce + keys.get(column, keys["ssn"]).encrypt(nonce, plain, data)
        return pl.DataFrame([row])

    assert opened(cells, seal(b"\1hi")).row(0) == (b"hi",) * 4
    assert opened(cells, seal(b"\0")).row(0) == (None,) * 4
    for plain in (b"", b"\0x", b"\2", b"\2x"):
        assert isinstance(failure(cells, seal(plain)), NotAuthentic)


@pytest.mark.parametrize(
    "altered",
    [
        pl.col("row") + 1,
        pl.col("file") + "x",
        pl.col("reason").replace("too_short", "too_long"),
        # Columns 0 and 2 share key and domain, 0 and 1 don't.
        pl.lit(2, pl.UInt32).alias("failing"),
        pl.lit(1, pl.UInt32).alias("failing"),
        *(
            pl.col(name).bin.slice(0, place).alias(name)
            for name in COLUMNS
            for place in (0, 11, 12, 27, 28)
        ),
        *(pl.lit(None, pl.Binary).alias(name) for name in COLUMNS),
    ],
    ids=str,
)
def test_altered_places_and_cells_are_refused(cells, altered):
    """Another row, file, reason or failing column, and a cut or missing cell, don't open."""
    found = failure(cells, sealed(cells).head(1).with_columns(altered))
    assert isinstance(found, NotAuthentic)
    assert found.column in COLUMNS
    assert "078" not in str(found)


def test_another_run_is_refused(cells):
    """Each run has keys of its own, and its id is authenticated."""
    found = failure(cells, sealed(cells), run=RUN[:-1] + b"\0")
    assert isinstance(found, NotAuthentic)
    assert "row 3" in found.message


def test_every_changed_bit_is_refused(cells):
    """Nonce, ciphertext and tag are authenticated, to the bit."""
    made = sealed(cells).head(1)
    cell = made["ssn"].item()
    for place in range(len(cell)):
        for bit in (0, 7):
            changed = bytearray(cell)
            changed[place] ^= 1 << bit
            frame = made.with_columns(pl.lit(bytes(changed)).alias("ssn"))
            assert isinstance(failure(cells, frame), NotAuthentic)


def test_swapped_cells_are_refused(cells):
    """A cell in another row, or in another column of the same key and domain, does not open."""
    made = sealed(cells)
    swapped = made.with_columns(pl.col("iban").alias("ssn"), pl.col("ssn").alias("iban"))
    assert isinstance(failure(cells, swapped), NotAuthentic)
    for name in COLUMNS:
        moved = made.with_columns(pl.col(name).reverse())
        assert isinstance(failure(cells, moved), NotAuthentic)


def test_no_two_sealed_cells_are_equal(cells):
    """Equal values are sealed to other bytes in each row, and in the same row each time."""
    rows = pl.int_range(1000, dtype=pl.UInt64, eager=True).alias("row")
    frame = rows.to_frame().join(FRAME.head(1).drop("row"), how="cross")
    made = pl.concat([sealed(cells, frame), sealed(cells, frame)])
    assert made["ssn"].n_unique() == 2000
    assert made["ssn"].bin.head(12).n_unique() == 2000


def test_large_cells(cells):
    """Cells of a megabyte beside short ones come back, whatever type they have."""
    big = random.Random(1).randbytes(1 << 20)
    frame = pl.concat([FRAME] * 3).with_columns(
        ssn=pl.Series(["x" * (1 << 20), "y", None, "é" * 7, "", "z" * 12, "z" * 13, "q", "r"]),
        city=pl.Series([b"", big, b"x", None, big, b"y" * 12, b"y" * 13, None, b""]),
    )
    made = sealed(cells, frame)
    assert as_bytes(opened(cells, made)) == as_bytes(frame)


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_engines(cells, engine, tmp_path):
    """Eager and streaming plans, with literals and after a filter, seal what can be opened."""
    rows = 20_000
    frame = pl.DataFrame({"ssn": [f"{row}" for row in range(rows)]}).with_columns(
        card=pl.lit(None, pl.Null), iban=pl.col("ssn").cast(pl.Categorical).cast(pl.String)
    )
    frame.with_columns(pl.col("card").cast(pl.String)).write_parquet(tmp_path / "in.parquet")
    place = {
        "row": pl.col("row"),
        "file": pl.lit("in.parquet"),
        "failing": pl.lit(0),
        "reason": pl.col("reason").cast(pl.Categorical),
    }
    plan = (
        pl.scan_parquet(tmp_path / "in.parquet", row_index_name="row")
        .with_columns(reason=pl.when(pl.col("row") % 3 == 0).then(pl.lit("range")))
        .filter(pl.col("reason").is_not_null())
        .with_columns(city=pl.lit(b"Berne"))
        .select(
            "row",
            "reason",
            seal_rows(cells, RUN, values=values(), **place).alias("cells").struct.unnest(),
        )
    )
    made = plan.collect(engine=engine)
    back = made.select(
        "row", open_rows(cells, RUN, values=values(), **place).alias("cells").struct.unnest()
    ).sort("row")
    assert back["row"].to_list() == list(range(0, rows, 3))
    assert back["ssn"].to_list() == [f"{row}".encode() for row in range(0, rows, 3)]
    assert set(back["card"]) == {None}
    assert set(back["city"]) == {b"Berne"}


def test_no_rows(cells):
    """No rejected rows make no sealed ones, of the right type."""
    made = sealed(cells, FRAME.clear())
    assert made.height == 0
    assert made.select(COLUMNS).dtypes == [pl.Binary] * 4
    assert opened(cells, made).height == 0


def test_rows_without_a_place_are_refused(cells):
    """A row without number, file, reason or a failing column with a key is not sealed."""
    for name in PLACE:
        frame = FRAME.with_columns(
            pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise(pl.col(name)).alias(name)
        )
        with pytest.raises(pl.exceptions.ComputeError) as caught:
            sealed(cells, frame)
        assert isinstance(from_polars(caught.value), SpecificationError)
    for number in (3, 4, 2**31):
        with pytest.raises(pl.exceptions.ComputeError) as caught:
            sealed(cells, FRAME.with_columns(failing=pl.lit(number)))
        assert isinstance(from_polars(caught.value), SpecificationError)


def test_calls_are_checked(cells):
    """A wrong run id or number of values is refused when the expression is built."""
    with pytest.raises(SpecificationError, match="16 bytes"):
        seal_rows(cells, b"short", values=values(), **PLACE)
    with pytest.raises(SpecificationError, match="as many"):
        open_rows(cells, RUN, values=values(["ssn"]), **PLACE)
    with pytest.raises(pl.exceptions.ComputeError) as caught:
        sealed(cells, FRAME.with_columns(city=pl.lit(1.5)))
    assert isinstance(from_polars(caught.value), UnsupportedType)


def test_plans_hold_no_key_and_no_value(cells, ring):
    """A plan over a file shows names, ids and the run, and runs only where the keys are."""
    plan = FRAME.lazy().select(seal_rows(cells, RUN, values=values(), **PLACE).alias("cells"))
    expression = seal_rows(cells, RUN, values=values(), **PLACE)
    shown = [
        plan.explain().encode(),
        str(expression).encode(),
        expression.meta.serialize(),
        expression.meta.serialize(format="json").encode(),
    ]
    secrets = [*SECRETS.values(), run_key(SECRETS["people"], "us-ssn", RUN)]
    for text in shown:
        for secret in secrets:
            for part in (secret[:8], secret[8:16], secret[-8:]):
                assert part not in text
                assert part.hex().encode() not in text
        assert b"4111" not in text
    ring.close()
    with pytest.raises(pl.exceptions.ComputeError) as caught:
        plan.collect()
    assert isinstance(from_polars(caught.value), KeyNotLoaded)


def test_another_key_under_the_same_id_is_refused(cells, ring):
    """A plan finds its keys by id and check value: another key never seals or opens."""
    made = sealed(cells)
    number = ring["people"].primary.id
    ring.close()
    other = _native.import_key(number, bytearray(random.Random(2).randbytes(32)))
    assert isinstance(failure(cells, made), KeyNotLoaded)
    other.release()
