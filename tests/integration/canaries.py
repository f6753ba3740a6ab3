"""Marked values, files that hold them, and the walk that finds them in whatever came out."""

import base64
import contextlib
import gzip
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from tokenkit.errors import TokenkitError

VALID = {
    "card": "4539578763621486",
    "ssn": "219-09-7731",
    "account": "ZQ81CANARYACCOUNT99",
    "email": "canary.person@leaks.example",
    "tenant": "CANARYTENANT-4242",
    "note": "KEPTNOTE-31337",
}
INVALID = {
    "card": "4539578763621487",
    "ssn": "CANARY-SSN-771205",
    "account": "CANARY ACCOUNT #55!",
    "email": "canary.second@leaks.example",
    "tenant": "CANARYTENANT-4343",
    "note": "KEPTNOTE-41337",
}
REGION = "CANARYREGION"
KEPT = {VALID["note"], INVALID["note"]}


def forms(value: str) -> list[bytes]:
    """Give a value as it would be written: in clear, in UTF-16, in hex, in base64."""
    plain = value.encode()
    shifted = []
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + plain)
        # Without the characters that hold bits of what stands around the value.
        shifted.append(encoded[(shift * 8 + 5) // 6 : (shift + len(plain)) * 8 // 6])
    safe = [each.replace(b"+", b"-").replace(b"/", b"_") for each in shifted]
    wide = [value.encode("utf-16-le"), value.encode("utf-16-be")]
    return [plain, *wide, plain.hex().encode(), *shifted, *safe]


FORMS = {value: forms(value) for value in [*VALID.values(), *INVALID.values(), REGION]}


class Walk:
    """Everything that came out, and the marked values in it."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.seen = 0

    def look(self, where: str, content: object, *, kept: bool = False) -> None:
        """Look for every value in something that came out."""
        data = content if isinstance(content, bytes) else str(content).encode()
        self.seen += 1
        self.found += [
            (where, value)
            for value, written in FORMS.items()
            if not (kept and value in KEPT) and any(form in data for form in written)
        ]

    def file(self, path: Path) -> None:
        """Look into a file: at its bytes, and at what they hold."""
        if not path.is_file():
            return
        content = path.read_bytes()
        kept = ".rejects." not in path.name and ".tokenkit.json" not in path.name
        self.look(path.name, content, kept=kept)
        self.look("names", str(path))
        for parsed in parsed_forms(content):
            self.look(f"{path.name}, parsed", parsed, kept=kept)

    def folder(self, folder: Path) -> None:
        """Look into every file but the inputs."""
        for path in folder.rglob("*"):
            if "in" not in path.relative_to(folder).parts[:1]:
                self.file(path)

    def error(self, exc: BaseException | None) -> None:
        """Look at an exception and at all that hang on it."""
        seen: set[int] = set()
        todo: list[BaseException | None] = [exc]
        while todo:
            each = todo.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            self.look(f"{type(each).__name__}", f"{each} {each!r} {each.args!r} {vars(each)!r}")
            if isinstance(each, TokenkitError):
                self.look("pickled error", pickle.dumps(each))
                assert each.__context__ is None or isinstance(each.__context__, TokenkitError)
            todo += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def parsed_forms(content: bytes) -> Iterator[bytes]:
    """Give what stands in a compressed or columnar file, as far as it can be read."""
    if content[:2] == b"\x1f\x8b":
        with contextlib.suppress(EOFError, OSError):
            yield gzip.decompress(content)
    for magic, read in ((b"PAR1", pl.read_parquet), (b"ARROW1", read_ipc)):
        if content.startswith(magic):
            try:
                frame = read(content)
            except (pl.exceptions.PolarsError, pa.ArrowInvalid, OSError):
                continue
            yield b"\n".join(cells(frame))
    if content.startswith(b"PAR1") and content.endswith(b"PAR1"):
        yield repr(pl.read_parquet_metadata(io.BytesIO(content))).encode()


def read_ipc(content: bytes) -> pl.DataFrame:
    """Read an Arrow file."""
    return pl.DataFrame(pa.ipc.open_file(pa.BufferReader(content)).read_all())


def cells(frame: pl.DataFrame) -> Iterator[bytes]:
    """Give every cell as bytes."""
    for column in frame.get_columns():
        unnested = column.struct.unnest().get_columns() if column.dtype == pl.Struct else [column]
        for each in unnested:
            for cell in each.to_list():
                yield cell if isinstance(cell, bytes) else str(cell).encode()


def rows(*records: dict[str, str]) -> pl.DataFrame:
    """Make a frame of records, with an empty and a null row."""
    empty: list[dict[str, Any]] = [dict.fromkeys(VALID), dict.fromkeys(VALID, "")]
    return pl.DataFrame([*records, *empty], schema=dict.fromkeys(VALID, pl.String))


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame in the format that a name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".arrow":
        frame.write_ipc(path, compat_level=pl.CompatLevel.oldest())
    elif path.suffix == ".ndjson":
        frame.write_ndjson(path)
    else:
        text = frame.write_csv(separator="\t" if path.suffix == ".tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
