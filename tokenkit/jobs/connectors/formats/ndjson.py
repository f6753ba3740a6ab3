"""NDJSON: a JSON object a line; keys are columns; metadata in a sidecar.

The columns are those of all lines, so a file is read once to know them and once for its rows.
Numbers keep their value, not the way they are written; one that a column can't hold exactly is
refused, unless the column is declared.
"""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl

from tokenkit.errors import InputError, InvalidValues, JobError, UnsupportedType
from tokenkit.jobs.connectors.compression import Compressor, Reader, codec_of, with_compression
from tokenkit.jobs.connectors.json_lines import blocks, dtype_of, look, problem, rows
from tokenkit.jobs.connectors.options import TextOptions, output_options
from tokenkit.jobs.connectors.passing import Lines
from tokenkit.jobs.connectors.protocol import FAILURES, Format
from tokenkit.jobs.connectors.remote import AnyFile
from tokenkit.jobs.connectors.sidecar import read_sidecar
from tokenkit.jobs.connectors.streams import Stream

_BLOCK = 2**20


class NdjsonSource:
    """An NDJSON file to read."""

    def __init__(self, path: AnyFile, options: TextOptions) -> None:
        if (options.delimiter, options.quote, options.header) != (None, '"', True):
            raise JobError(
                "NDJSON has no delimiter, quote or header",
                file=str(path),
                hint="leave those options out",
            )
        self._path = path
        self._options = options
        self._literal = frozenset(options.types)
        self.schema, self.rows = self._look()
        self.estimated_rows = self.rows
        self.types = {n: dtype for n, dtype in options.dtypes().items() if dtype != pl.String}
        self.metadata = read_sidecar(path)
        self._stream = Stream(self._frames, self.schema)

    def check(self) -> None:
        """Every line was read to know the columns."""

    def scan(self) -> pl.LazyFrame:
        """Give the rows, in the file's order, lazily."""
        return self._stream.scan()

    def explain(self, text: str) -> JobError | None:
        """Say what ended the scan."""
        del text
        return self._stream.failure

    def _look(self) -> tuple[pl.Schema, int]:
        lines = look(self._path, self._options)
        columns = lines.columns()
        # Polars reads -0 without a point as 0.
        self._plain = not self._literal and not any("negative_zero" in c for c in columns.values())
        schema = {}
        for name, facts in columns.items():
            literal = name in self._literal and not facts.keys() & {"list", "object"}
            schema[name] = pl.String() if literal else dtype_of(self._path, name, facts)
        schema.update({name: pl.String() for name in self._literal if name not in schema})
        return pl.Schema(schema), lines.rows

    def _frames(self) -> Iterator[pl.DataFrame]:
        count = 0
        for first, text in blocks(self._path, self._options):
            frame = self._parsed(text)
            if frame is None:
                frame = self._collected(first, text)
            count += frame.height
            yield frame
        if count != self.rows:
            raise InputError(
                "the file has changed meanwhile", file=str(self._path), hint="run the job again"
            )

    def _parsed(self, text: str) -> pl.DataFrame | None:
        """Let Polars parse lines that were looked at before; None if it can't."""
        if not self._plain or not text or text.isspace():
            return None
        try:
            return pl.read_ndjson(io.BytesIO(text.encode()), schema=self.schema)
        except FAILURES:
            # It refuses some numbers that are fine, such as long ones without a point.
            return None

    def _collected(self, first: int, text: str) -> pl.DataFrame:
        """Take lines' values one by one."""
        values: dict[str, list[Any]] = {name: [] for name in self.schema}
        place = 0
        for line, row in rows(self._path, first, text):
            for name, value in row:
                column = values.get(name)
                if column is None:
                    raise problem(self._path, line, "the file has changed meanwhile")
                column.extend([None] * (place - len(column)))
                column.append(value)
            place += 1
        return pl.DataFrame(
            [
                self._series(name, column + [None] * (place - len(column)))
                for name, column in values.items()
            ]
        )

    def _series(self, name: str, values: list[Any]) -> pl.Series:
        dtype = self.schema[name]
        if name in self._literal:
            values = [
                _WORDS.get(value, value) if type(value) is bool else value for value in values
            ]
        elif dtype == pl.Float64:
            values = [None if value is None else float(value) for value in values]
        elif dtype.is_integer():
            values = [None if value is None else int(value) for value in values]
        return pl.Series(name, values, dtype=dtype, strict=True)


class NdjsonSink:
    """An NDJSON file to write."""

    metadata_beside = True

    def __init__(self, suffix: str, options: TextOptions) -> None:
        output_options(options)
        self._codec = codec_of(suffix)
        # Each partition would need a compressor of its own.
        self.partitionable = self._codec is None
        self._compressor: Compressor | None = None
        self._not_finite: str | None = None

    def check(self, schema: pl.Schema) -> None:
        """Refuse the types that NDJSON has no form for here."""
        for name, dtype in schema.items():
            if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
                raise UnsupportedType(
                    f"a column of type {dtype.base_type().__name__} can't be written to NDJSON",
                    column=name,
                    hint="write Parquet, or drop the column",
                )

    def write(
        self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy", metadata: str | None
    ) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        del metadata
        if self._codec is not None:
            file = self._compressor = Compressor(cast("BinaryIO", file), self._codec)
        return self._sink(frame, file)

    def stream(self, frame: pl.LazyFrame, file: BinaryIO, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows to what can only be written to."""
        del metadata
        if self._codec is not None:
            file = self._compressor = Compressor(file, self._codec)
        self._lines = Lines(file)
        return self._sink(frame, self._lines)

    def streamed(self) -> int:
        """Count the lines that went by."""
        return self._lines.rows

    def _sink(self, frame: pl.LazyFrame, file: "BinaryIO | pl.PartitionBy") -> pl.LazyFrame:
        schema = frame.collect_schema()
        # Polars would write null for what JSON has no number for.
        frame = frame.with_columns(
            pl.nth(place).map_batches(partial(self._finite, name), is_elementwise=True)
            for place, (name, dtype) in enumerate(schema.items())
            if dtype.is_float()
        )
        return frame.sink_ndjson(file, lazy=True)

    def finish(self, file: BinaryIO | None) -> None:  # noqa: ARG002 - the compressor has it
        """Write the end of compressed data.

        Raises
        ------
        InvalidValues
            If a float was no number or infinite.
        """
        if self._not_finite is not None:
            raise InvalidValues(
                "a float is no finite number, and JSON has no form for it",
                column=self._not_finite,
                reason="range",
                hint="write Parquet or CSV, or drop the column",
            )
        if self._compressor is not None:
            self._compressor.finish()

    def count(self, path: Path) -> int:
        """Count the lines."""
        count = 0
        with Reader(path, self._codec) as reader:
            while data := reader.read(_BLOCK):
                count += data.count(b"\n")
        return count

    def _finite(self, name: str, values: pl.Series) -> pl.Series:
        if self._not_finite is None and not values.is_finite().all():
            self._not_finite = name
        return values


_WORDS = {True: "true", False: "false"}

FORMAT = Format("ndjson", with_compression(".ndjson", ".jsonl"), NdjsonSource, NdjsonSink)
