"""A process that works with a key, releases it, and counts what its own memory still holds of it.

Standard input brings the key, then what to look for; both masked, so that the search finds neither
itself nor what it read.
"""

import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa

import tokenkit as tk
from tokenkit.engines import audit_chain
from tokenkit.engines.column import ColumnCall
from tokenkit.engines.polars.proof import Proof
from tokenkit.engines.polars.rejects import RejectCell, open_rows, seal_rows
from tokenkit.engines.polars.rekey import proved, rekeyed
from tokenkit.engines.rekey import rekey_call
from tokenkit.policy import ColumnRule

PIECE = 1 << 20
MASK = bytes(byte ^ 0x5A for byte in range(256))
RUN = bytes(range(16))
SEALING = {"scheme": "digits", "key": "a", "on_invalid": "seal"}
ROWS = pl.DataFrame({"v": [f"{number:016d}" for number in range(20)]})
MANY = pl.DataFrame({"v": [f"{number:016d}" for number in range(300_000)]})


def found(masked: list[bytes]) -> int:
    """Count the places of writable memory that hold one of the needles."""
    count, empty = 0, bytes(PIECE)
    with Path("/proc/self/mem").open("rb", 0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            start, end = (int(part, 16) for part in place.split("-"))
            for at in range(start, end, PIECE) if "w" in rights else ():
                # A needle may lie across the border.
                memory.seek(at)
                held = memory.read(min(PIECE + 15, end - at))
                if held[:PIECE] != empty[: len(held)]:
                    held = held.translate(MASK)
                    count += sum(held.count(needle) for needle in masked)
    return count


def both(ring: tk.Keyring) -> list[pl.Expr]:
    """Tokenize by FF1 and by AES-SIV."""
    return [
        tk.expr.tokenize("v", "digits", key=ring["a"]),
        tk.expr.tokenize("v", "text", key=ring["a"]).alias("t"),
    ]


def threads(ring: tk.Keyring, calls: int) -> None:
    """Call from four threads, on the threads of Polars and of the column, and fail at last."""
    made = both(ring)

    def work(count: int) -> None:
        for _ in range(count):
            ROWS.select(made)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [calls // 8] * 4))
    MANY.select(made)
    with suppress(pl.exceptions.ComputeError):
        pl.DataFrame({"v": ["x"] * 1000}).select(made)


def signals(ring: tk.Keyring, calls: int) -> None:
    """Interrupt the calls: the frame of a signal's handler holds all registers."""
    handled = 0

    def count(*_: object) -> None:
        nonlocal handled
        handled += 1

    signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    made, table = both(ring), MANY.to_arrow()
    for _ in range(calls // 16):
        MANY.select(made)
        tk.tokenize(table, {"columns": {"v": {"scheme": "text", "key": "a"}}}, keyring=ring)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert handled > calls // 16


def engines(ring: tk.Keyring, calls: int) -> None:
    """Stream, take Arrow's arrays, turn tokens back, and seal what doesn't fit."""
    policy = {"columns": {"v": SEALING}}
    odd = pl.DataFrame({"v": ["no digits", "7" * 40, "7" * 200, "1234567", None, ""] * 100})
    for _ in range(calls // 16):
        MANY.head(3000).lazy().select(both(ring)).collect(engine="streaming")
        for frame in (odd, odd.to_arrow(), odd.with_columns(pl.col("v").cast(pl.Categorical))):
            tokens = tk.tokenize(frame, policy, keyring=ring)
            tk.detokenize(tokens, policy, versions=1, keyring=ring)


def rekeying(ring: tk.Keyring, calls: int) -> None:
    """Move tokens from another version to the key's, with values that don't fit, and a proof."""
    ring.rotate("a")
    key, other = ring["a"].version(1), ring["a"].version(2)
    rule = ColumnRule.build("digits", key="a", on_invalid="seal")
    back = ColumnCall(rule=rule, version=other, operation="detokenize")
    move = rekey_call(back, key)
    assert move is not None
    values = pl.DataFrame({"v": ["no digits", "7" * 40, "1234567", None, ""] * 100})
    tokens = tk.tokenize(values, {"columns": {"v": SEALING}}, keyring=ring)
    column, row = pl.col("v"), pl.int_range(pl.len(), dtype=pl.UInt64)
    for _ in range(calls // 16):
        proof = Proof(key, rule.domain, RUN.hex(), "file", "v")
        moved = tokens.select(rekeyed(column, move, proof, row))
        moved.select(proved(column, replace(back, version=key), proof, "new", row))
        assert proof.holds()
        assert proof.mac("new")


def rejecting(ring: tk.Keyring, calls: int) -> None:
    """Seal rejected rows, and open them."""
    names = [f"v{number}" for number in range(9)]
    cells = [RejectCell(name, "digits", ring["a"].primary) for name in names]
    rows = pl.select(pl.int_range(500, dtype=pl.UInt64).alias("row")).with_columns(
        file=pl.lit("a.csv"),
        failing=pl.lit(0, pl.UInt32),
        reason=pl.lit("type"),
        **dict.fromkeys(names, pl.lit("value")),
    )
    place = {name: pl.col(name) for name in ("row", "file", "failing", "reason")}
    columns = [pl.col(name) for name in names]
    for _ in range(calls // 16):
        sealed = seal_rows(cells, RUN, values=columns, **place).alias("cells").struct.unnest()
        rows.with_columns(sealed).select(open_rows(cells, RUN, values=columns, **place))


def auditing(ring: tk.Keyring, calls: int) -> None:
    """Chain audit records, verify them, and name tokens in them."""
    key = ring["a"].primary
    row = {"at": 5, "actor": "ada", "action": "rekey", "outcome": "complete"}
    records = pa.array([row] * 500, audit_chain.RECORD_TYPE)
    for _ in range(calls // 16):
        audit_chain.chain(key, bytes(32), records)
        audit_chain.token_hash(key, "digits", "123456")
        audit_chain.ChainVerifier([key])


TASKS: dict[str, Callable[[tk.Keyring, int], None]] = {
    task.__name__: task for task in (threads, signals, engines, rekeying, rejecting, auditing)
}


def main(mode: str, task: str, calls: str) -> None:
    """Work, release the key unless the mode is ``live``, and print the count."""
    secret = bytearray(bytes.fromhex(sys.stdin.readline()).translate(MASK))
    ring = tk.Keyring.from_secrets({"a": secret})
    secret[:] = bytes(32)
    masked = [bytes.fromhex(part) for part in sys.stdin.readline().split()]
    TASKS[task](ring, int(calls))
    if mode == "released":
        ring.close()
    sys.stdout.write(str(found(masked)))


if __name__ == "__main__":
    main(*sys.argv[1:])
