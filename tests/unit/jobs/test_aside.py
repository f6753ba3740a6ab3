"""Files written aside appear whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from tokenkit.errors import JobError, OutputExists
from tokenkit.jobs.aside import AsideFile, refused, refusing


def write(file: AsideFile, content: bytes) -> None:
    """Write content to a file aside."""
    with file.writer() as writer:
        writer.write(content)


def test_what_is_not_published_is_removed(tmp_path):
    """Nothing is left after an error or an interrupt; meanwhile only the owner can read it."""
    for kind in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(kind):
            half(tmp_path, kind)
        assert list(tmp_path.iterdir()) == []


def half(folder: Path, kind: type[BaseException]) -> None:
    """Write half of a file, and be interrupted."""
    with AsideFile(folder / "a") as file:
        write(file, b"half")
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert file.path.parent == folder
        assert not (folder / "a").exists()
        raise kind


def test_publishing_never_overwrites_unasked(tmp_path):
    """A file that appeared meanwhile stays; asked to, it's replaced."""
    with AsideFile(tmp_path / "a") as file:
        write(file, b"new")
        (tmp_path / "a").write_bytes(b"other")
        with pytest.raises(OutputExists):
            file.publish(replace=False)
        assert (tmp_path / "a").read_bytes() == b"other"
        assert file.flush() == 3
        file.publish(replace=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_file_systems_without_links(tmp_path, monkeypatch):
    """Where there are no hard links, a rename does, and still overwrites nothing."""

    def no_links(*_):
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", no_links)
    for number in range(2):
        with AsideFile(tmp_path / "a") as file:
            write(file, b"%d" % number)
            if number:
                with pytest.raises(OutputExists):
                    file.publish(replace=False)
            else:
                file.publish(replace=False)
    assert (tmp_path / "a").read_bytes() == b"0"


@pytest.mark.parametrize("step", ["fsync", "fchmod", "link"])
def test_a_failure_of_each_step_leaves_nothing(tmp_path, monkeypatch, step):
    """A full disk or a refusal at any step is a JobError, and the folder is as it was."""

    def fails(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(JobError, match="no space is left") as caught:
        whole(tmp_path)
    assert caught.value.file == str(tmp_path / "a")
    assert caught.value.__context__ is None
    assert list(tmp_path.iterdir()) == []


def whole(folder: Path) -> None:
    """Write a file and publish it."""
    with AsideFile(folder / "a") as file:
        write(file, b"x")
        file.flush()
        file.publish(replace=False)


def test_refusals_name_the_file_and_what_to_do(tmp_path):
    """The system's error number becomes words; other errors pass."""
    assert "no such folder" in str(refused(Path("x/a"), errno.ENOENT))
    assert "Permission denied" in str(refused(Path("a"), errno.EACCES))
    with pytest.raises(JobError, match="no such folder"):
        AsideFile(tmp_path / "none" / "a")
    with pytest.raises(ValueError, match="mine"), refusing(tmp_path):
        raise ValueError("mine")
