"""Sealed pages: read as they were written, in any order, and never if anything was changed."""

from __future__ import annotations

import io
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.batches.conftest import BATCH, upload
from tokenkit.batches.storage.pages import PAGE_BYTES, SealedReader, SealedWriter
from tokenkit.errors import InputError

SIZES = (0, 1, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 40 * PAGE_BYTES, 40 * PAGE_BYTES + 7)
SEALED, HEADER = PAGE_BYTES + 16, 40


class Memory(io.BytesIO):
    """A file in memory."""

    def complete(self):
        pass

    def abort(self):
        pass

    def is_published(self):
        return True


class Raw:
    """Sealed bytes to read."""

    def __init__(self, content):
        self.content, self.size = content, len(content)

    def read(self, start, end):
        return self.content[start:end]

    def close(self):
        pass


def sealed(content, key=bytes(32), about=b"a"):
    memory = Memory()
    writer = SealedWriter(memory, key, about)
    writer.write(content)
    writer.complete()
    assert writer.size == len(content)
    return memory.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read(size):
    """Whatever the size, in whatever pieces it was written and is read."""
    content = Random(size).randbytes(size)
    memory = Memory()
    writer = SealedWriter(memory, bytes(32), b"a")
    random, left = Random(7), memoryview(content)
    while left:
        piece = random.choice((1, 1000, PAGE_BYTES, 3 * PAGE_BYTES))
        writer.write(left[:piece])
        left = left[piece:]
    writer.complete()
    reader = SealedReader(Raw(memory.getvalue()), bytes(32), b"a")
    assert reader.size == size
    assert reader.read() == content
    for _ in range(50):
        start, count = random.randrange(size + 1), random.randrange(3 * PAGE_BYTES)
        reader.seek(start)
        assert reader.read(count) == content[start : start + count]
    reader.seek(-3, io.SEEK_END)
    assert reader.read() == content[-3:]


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=40))
def test_no_content_shows(content, about):
    """Nothing of it stands in the file, and the same twice gives other bytes."""
    one, other = sealed(content, about=about), sealed(content, about=about)
    assert one[HEADER:] != other[HEADER:]
    assert len(content) < 4 or content not in one[HEADER:]


@pytest.mark.parametrize("pages", [1, 3])
def test_any_change_is_found(pages):
    """A changed byte anywhere, a cut, pages swapped, doubled or left out, another file's page."""
    content = Random(1).randbytes(pages * PAGE_BYTES - 100)
    whole, other = sealed(content), sealed(content)
    starts = [HEADER + page * SEALED for page in range(pages)]
    parts = [whole[start : start + SEALED] for start in starts]
    attacks = [whole[:end] for end in (0, 7, 39, 40, 41, 55, 56, len(whole) - 1, *starts)]
    attacks += [whole + b"\0", whole + parts[-1], whole[:HEADER] + other[HEADER:]]
    attacks += [whole[:HEADER] + b"".join(parts[1:]), whole[:HEADER] + b"".join(parts * 2)]
    attacks += [whole[:HEADER] + b"".join(reversed(parts))] if pages > 1 else []
    for place in (0, 4, 5, 8, 39, *starts, *(start + 70 for start in starts), len(whole) - 1):
        attacks.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    for attack in attacks:
        with pytest.raises(InputError, match="isn't what was stored") as caught:
            SealedReader(Raw(attack), bytes(32), b"a").read()
        assert caught.value.__cause__ is None


def test_another_key_or_purpose_opens_nothing():
    """A file is bound to its batch's key, and to what it is."""
    whole = sealed(b"4539578763621486")
    for key, about in ((bytes(31) + b"\1", b"a"), (bytes(32), b"b")):
        with pytest.raises(InputError, match="isn't what was stored"):
            SealedReader(Raw(whole), key, about)


def test_a_file_of_another_batch_opens_nothing(storage, key, tmp_path):
    """Put in another batch's place, or in another attempt's."""
    upload(storage, key, b"4539578763621486")
    folder = tmp_path / "batches" / BATCH.hex
    (folder / "result-1").write_bytes((folder / "upload").read_bytes())
    with pytest.raises(InputError, match="isn't what was stored"):
        storage.reader(BATCH, 1, "result", key)
    with storage.reader(BATCH, 0, "upload", key) as reader:
        assert reader.read() == b"4539578763621486"


def test_an_upload_that_ends_early_is_none(storage, key, tmp_path):
    """Given up, nothing of it is left."""
    writer = storage.upload(BATCH, key)
    writer.write(bytes(3 * PAGE_BYTES))
    writer.abort()
    assert list((tmp_path / "batches" / BATCH.hex).iterdir()) == []


def test_files_are_their_owner_s(storage, key, tmp_path):
    """Nobody else may look into the folder, or read a file."""
    upload(storage, key, b"x")
    folder = tmp_path / "batches" / BATCH.hex
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "upload").stat().st_mode & 0o077 == 0


def test_leftovers_are_known_by_their_names(storage, key, tmp_path):
    """What has no row any more is found; what isn't a batch's is nobody's business."""
    upload(storage, key, b"x")
    (tmp_path / "batches" / "lost+found").mkdir()
    assert storage.leftovers(list) == [BATCH]
    assert storage.leftovers(lambda: [BATCH]) == []
    storage.remove(BATCH)
    assert storage.leftovers(list) == []


def test_an_upload_that_begins_meanwhile_is_no_leftover(storage, key):
    """Files that come while it is asked which batches are known aren't looked at."""

    def known():
        upload(storage, key, b"x")
        return []

    assert storage.leftovers(known) == []
