"""The lines of the table, and the child process that measures one of them.

``python -m benchmarks.workloads TITLE ROWS REPEATS`` measures one line and prints it as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Line, measure, one_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Workload


@dataclasses.dataclass(frozen=True)
class Task:
    """A line measured in a process of its own: what builds its workload, for how many rows."""

    line: Line
    build: Callable[[int], Workload]
    rows: int


def _peer(name: str) -> Callable[[int], Workload]:
    def build(rows: int) -> Workload:
        from benchmarks import peers

        factory: Callable[[int], Workload] = getattr(peers, name)
        return factory(rows)

    return build


def _array(column: str, *, backwards: bool = False) -> Callable[[int], Workload]:
    def build(rows: int) -> Workload:
        from benchmarks import columns

        return columns.array(getattr(columns, column), rows, backwards=backwards)

    return build


def _expression(*, backwards: bool = False, streaming: bool = False) -> Callable[[int], Workload]:
    def build(rows: int) -> Workload:
        from benchmarks import columns

        return columns.expression(columns.DIGITS, rows, backwards=backwards, streaming=streaming)

    return build


def _raw_array(rows: int) -> Workload:
    from benchmarks import columns

    return columns.raw_array(rows)


_MANY = 2_000_000

TASKS = {
    task.line.title: task
    for task in [
        Task(Line("fastfpe FF1, one call a value"), _peer("fastfpe"), 100_000),
        Task(Line("NumPy + cryptography FF1 in lockstep"), _peer("lockstep"), 1_000_000),
        Task(Line("polars-hash SHA-256 (one-way, no key)"), _peer("polars_hash"), 1_000_000),
        Task(Line("polars-hash SHA-256, two threads", cores=2), _peer("polars_hash"), 1_000_000),
        Task(Line("hazmat.FF1.encrypt_array"), _raw_array, _MANY),
        Task(Line("tokenize(array)"), _array("DIGITS"), _MANY),
        Task(Line("detokenize(array)"), _array("DIGITS", backwards=True), _MANY),
        Task(Line("expression"), _expression(), _MANY),
        Task(Line("expression, detokenize"), _expression(backwards=True), _MANY),
        Task(Line("expression, two threads", cores=2), _expression(), _MANY),
        Task(Line("expression, streaming"), _expression(streaming=True), _MANY),
        Task(
            Line("expression, streaming, two threads", cores=2), _expression(streaming=True), _MANY
        ),
        Task(Line("hazmat.FF1.encrypt_array, portable", kernel="portable"), _raw_array, _MANY),
        Task(Line("tokenize(array), portable", kernel="portable"), _array("DIGITS"), _MANY),
        Task(Line("20 letters and digits"), _array("BASE62_20"), 1_000_000),
        Task(
            Line("20 letters and digits, detokenize"),
            _array("BASE62_20", backwards=True),
            1_000_000,
        ),
        Task(Line("32 letters and digits"), _array("BASE62_32"), 1_000_000),
        Task(
            Line("32 letters and digits, detokenize"),
            _array("BASE62_32", backwards=True),
            1_000_000,
        ),
        Task(Line("cards, hyphens and check digit"), _array("CARDS"), 1_000_000),
        Task(Line("cards, detokenize"), _array("CARDS", backwards=True), 1_000_000),
        Task(Line("text of 20 bytes, sealed"), _array("TEXT"), 1_000_000),
        Task(Line("text of 20 bytes, opened"), _array("TEXT", backwards=True), 1_000_000),
    ]
}


def main() -> None:
    title, rows, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    task = TASKS[title]
    with one_core() if task.line.cores == 1 else contextlib.nullcontext():
        print(json.dumps(dataclasses.asdict(measure(task.build(rows), repeats))))


if __name__ == "__main__":
    main()
