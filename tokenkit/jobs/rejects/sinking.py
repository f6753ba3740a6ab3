"""How rejected rows are written."""

from typing import BinaryIO

import polars as pl

from tokenkit.jobs.rejects.description import REJECTS_KEY, RejectsDescription

# Rows that wait to be written keep the buffers alive that they were read into.
_ROW_GROUP = 16_384


def sink_rejects(
    frame: pl.LazyFrame, file: BinaryIO, description: RejectsDescription
) -> pl.LazyFrame:
    """Give the lazy frame that writes rejected rows when it runs."""
    return frame.sink_parquet(
        file,
        # What is sealed cannot be compressed.
        compression="uncompressed",
        statistics=False,
        row_group_size=_ROW_GROUP,
        metadata={REJECTS_KEY: description.to_text()},
        lazy=True,
    )
