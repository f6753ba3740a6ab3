"""Made-up customers: every kind of column a policy meets, dirty values among them.

``python -m tokenkit.testing.customers 1000000 -o customers.csv`` writes a file of them.

Every cell depends on the seed, the column and the row number alone (a counter-based generator,
SplitMix64's finalizer), so a longer frame begins with the shorter one, a frame generated in chunks
equals one generated whole, and the result is the same on every version of Polars. Nobody in it is
real; the e-mail domains are those reserved for examples (RFC 2606).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from tokenkit.testing.customer_columns import clean_columns, punch, spoil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["customers", "write_customers"]

_CHUNK_ROWS = 200_000


def customers(rows: int, *, seed: int = 0, dirty: float = 0.03, start: int = 0) -> pl.DataFrame:
    """Make up customers.

    Parameters
    ----------
    rows
        How many.
    seed
        The same seed gives the same customers.
    dirty
        Share, from 0 to 1, of the values of ``card``, ``ssn`` and ``account`` that no scheme for
        them accepts: bad check digits, letters or punctuation, too few digits, full-width digits.
        Cells that are not dirty are the same whatever the share is, so a second frame with
        ``dirty=0`` tells which ones are.
    start
        Number of the first row; chunks are generated with it.

    Returns
    -------
    polars.DataFrame
        ``customer_id`` (int64, counted from 1), ``first_name``, ``last_name``, ``email``,
        ``phone``, ``card`` (15, 16 or 19 digits with a valid check digit; plain, or with spaces or
        hyphens), ``ssn`` (with and without hyphens), ``birth_date`` (date), ``amount``
        (decimal(12, 2)), ``account`` (10 letters and digits) and ``note``. Two in a hundred of the
        e-mails, phones, cards, SSNs, birth dates, accounts and notes are null, and one in a
        hundred of the strings among them is empty.

    Raises
    ------
    ValueError
        If ``rows`` or ``start`` is negative or ``dirty`` isn't between 0 and 1.

    Examples
    --------
    >>> frame = customers(3, seed=7, dirty=0.0)
    >>> frame.columns[:6]
    ['customer_id', 'first_name', 'last_name', 'email', 'phone', 'card']
    >>> frame.equals(customers(1000, seed=7, dirty=0.0).head(3))
    True
    """
    if rows < 0 or start < 0:
        raise ValueError("rows and start count rows: neither can be negative")
    if not 0 <= dirty <= 1:
        raise ValueError("dirty is a share of the values, from 0 to 1")
    frame = pl.DataFrame({"row": pl.int_range(start, start + rows, dtype=pl.UInt64, eager=True)})
    return spoil(punch(clean_columns(frame, seed), seed), seed, dirty).drop("row")


def write_customers(
    path: str | Path,
    rows: int,
    *,
    seed: int = 0,
    dirty: float = 0.03,
    chunk_rows: int = _CHUNK_ROWS,
) -> None:
    """Write customers to a CSV or Parquet file, chunk by chunk.

    Memory stays bounded by the chunk, whatever the number of rows. The file appears under its name
    when it is complete.

    Parameters
    ----------
    path
        Where to; the suffix, ``.csv`` or ``.parquet``, says the format.
    rows, seed, dirty
        As for `customers`, which makes the same rows.
    chunk_rows
        Rows made at once, and rows of a Parquet row group.

    Raises
    ------
    ValueError
        If the suffix is another one, or an argument is out of its range.
    """
    path = Path(path)
    if path.suffix not in {".csv", ".parquet"}:
        raise ValueError("the file's name has to end in .csv or .parquet")
    if chunk_rows < 1:
        raise ValueError("chunk_rows has to be at least 1")
    partial = path.with_name(path.name + ".partial")
    chunks = _chunks(rows, seed, dirty, chunk_rows)
    try:
        if path.suffix == ".csv":
            _write_csv(partial, chunks)
        else:
            _write_parquet(partial, chunks)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _chunks(rows: int, seed: int, dirty: float, chunk_rows: int) -> Iterator[pl.DataFrame]:
    # A file of no rows still gets its header, so there is always one chunk.
    for start in range(0, max(rows, 1), chunk_rows):
        yield customers(min(chunk_rows, rows - start), seed=seed, dirty=dirty, start=start)


def _write_csv(path: Path, chunks: Iterator[pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for number, chunk in enumerate(chunks):
            chunk.write_csv(file, include_header=number == 0)


def _write_parquet(path: Path, chunks: Iterator[pl.DataFrame]) -> None:
    first = next(chunks).to_arrow()
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(chunk.to_arrow())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a file of customers, as ``python -m tokenkit.testing.customers`` does."""
    parser = argparse.ArgumentParser(
        prog="python -m tokenkit.testing.customers",
        description="Write made-up customers to a CSV or Parquet file.",
    )
    parser.add_argument("rows", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True, help="ends in .csv or .parquet")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same customers (default 0)")
    parser.add_argument("--dirty", type=float, default=0.03, help="share of bad values (0.03)")
    options = parser.parse_args(arguments)
    try:
        write_customers(options.output, options.rows, seed=options.seed, dirty=options.dirty)
    except ValueError as error:
        parser.error(str(error))
    print(f"wrote {options.rows:,} customers to {options.output}")


if __name__ == "__main__":
    main()
