"""How a proved file takes its place: beside its sidecar, and whatever happens in between.

A file and its sidecar are two names, and no system renames two at once. So the folder in which both
were written gets a name of its own first, ``.NAME.rekeyed``: from then on the new tokens are there
to stay, and whoever comes next moves them where they belong. The old sidecar goes before the old
file does, so that tokens are never found beside metadata of other ones.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenkit.errors import JobError
from tokenkit.jobs.aside import flush_folder, mode_of, refusing
from tokenkit.jobs.connectors import sidecar_of
from tokenkit.jobs.inputs import InputFile

_ENDING: Final = ".rekeyed"
_REPLACED: Final = "replaced.json"


def commit(aside: Path, target: Path, replaced: list[object] | None) -> None:
    """Let a folder with the new file, and its sidecar, be what recovery finds; then move them.

    Parameters
    ----------
    aside
        The folder; everything in it has been flushed.
    target
        Where the file belongs.
    replaced
        What identifies the file that is there and goes; None if there is none to go.

    Raises
    ------
    JobError
        If the system refuses.
    """
    with refusing(target):
        (aside / target.name).chmod(mode_of(target))
        beside = aside / sidecar_of(target).name
        if beside.exists():
            beside.chmod(mode_of(target))
        note = aside / _REPLACED
        note.write_text(json.dumps(replaced))
        with note.open("rb") as file:
            os.fsync(file.fileno())
        flush_folder(aside)
        journal = target.with_name(f".{target.name}{_ENDING}")
        aside.rename(journal)
        flush_folder(target.parent)
    _move(journal, target)


def recover(place: Path) -> None:
    """Finish what a killed rekey had committed, for one file or for all below a folder.

    Raises
    ------
    JobError
        If a file was changed after that; or the system refuses.
    """
    for journal in _journals(place):
        target = journal.with_name(journal.name[1 : -len(_ENDING)])
        _check_replaced(journal, target)
        _move(journal, target)


def _journals(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        journal = place.with_name(f".{place.name}{_ENDING}")
        if journal.is_dir():
            yield journal
        return
    for folder, folders, _ in os.walk(place):
        found = sorted(name for name in folders if name.startswith(".") and name.endswith(_ENDING))
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (Path(folder, name) for name in found)


def _check_replaced(journal: Path, target: Path) -> None:
    with refusing(journal):
        note = journal / _REPLACED
        if not (journal / target.name).exists() or not note.exists() or not target.exists():
            return
        replaced = json.loads(note.read_text())
    if InputFile(target, Path(target.name)).fingerprint()[1:] != replaced:
        raise JobError(
            "the file was changed after a rekey of it was cut short",
            file=str(target),
            hint=f"remove {journal.name} to keep the file, or the file to finish the rekey",
        )


def _move(journal: Path, target: Path) -> None:
    new, beside, sidecar = (
        journal / target.name,
        journal / sidecar_of(target).name,
        sidecar_of(target),
    )
    with refusing(target):
        if new.exists():
            sidecar.unlink(missing_ok=True)
            flush_folder(target.parent)
            new.replace(target)
            flush_folder(target.parent)
        if beside.exists():
            beside.replace(sidecar)
            flush_folder(target.parent)
        shutil.rmtree(journal)
        flush_folder(target.parent)
