"""Keyring files: made, opened, changed, and wrapped for other key-encryption keys."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenkit.errors import KeyExists, KeyringError
from tokenkit.keys import generations, lifecycle, storage
from tokenkit.keys.file import new_keyring_id, seal, unseal
from tokenkit.keys.key import Access, KeyRecord, checked_access
from tokenkit.keys.keyring import Keyring
from tokenkit.keys.loading import generate, release
from tokenkit.keys.names import checked_name
from tokenkit.keys.pins import PinsGiven
from tokenkit.keys.pins import resolve as resolve_pins
from tokenkit.keys.providers import KeyProvider
from tokenkit.keys.wrapping import Keks, Wrapping, resolve_all


def open_keyring(
    path: str | os.PathLike[str],
    kek: Keks | None = None,
    *,
    access: Access = "all",
    pins: PinsGiven | None = None,
) -> Keyring:
    """Open a keyring file and load its keys.

    Parameters
    ----------
    path
        The keyring file.
    kek
        Where its key-encryption key comes from: ``passphrase:env:NAME``, ``passphrase:file:PATH``,
        ``passphrase:prompt``, another provider's URI, or a provider. Default: ``TOKENKIT_KEK``.
        One of the file's KEKs opens it; saving it needs all of them, as a sequence.
    access
        ``"tokenize"``: nothing is turned back with this keyring. It guards against mistakes and
        against callers of this API, not against code in the same process: see ``docs/keys.md``.
    pins
        What the keyring must hold: :class:`~tokenkit.keys.Pins`, key-check values by id, or the
        path of a file of pins. Default: the file that ``TOKENKIT_PINS`` names, if it does.

    Raises
    ------
    KeyringNotFound, KeyringFormatError, WrongKek, KeyringTampered
        If the file can't be opened; the class says why.
    KeyringOutdated
        If a later generation of the keyring has been opened here before.
    PinMismatch
        If the keyring isn't the one that is pinned.
    KekNotConfigured, KeyProviderError
        If the KEK can't be had.
    KeyConflict
        If another key is loaded in this process under the id of one of the keyring's.

    Examples
    --------
    >>> import os, tempfile
    >>> from tokenkit.keys.providers.passphrase import PassphraseProvider
    >>> os.environ["DEMO_PASSPHRASE"] = "correct horse battery staple"
    >>> kek = PassphraseProvider("env:DEMO_PASSPHRASE", cost=2**10)  # cheap, for this example only
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     create_keyring(f"{folder}/keyring.json", ["payments"], kek).close()
    ...     with open_keyring(f"{folder}/keyring.json", kek) as ring:
    ...         ring["payments"].primary.number
    1
    """
    return _opened(_located(path), resolve_all(kek), None, access=access, pins=pins)


def create_keyring(
    path: str | os.PathLike[str],
    keys: Iterable[str] = (),
    kek: Keks | None = None,
    *,
    rotate_after: int | None = None,
) -> Keyring:
    """Make a keyring file with one fresh version of each named key; gives the open keyring back.

    Parameters
    ----------
    path
        The new file; one that is there is never overwritten. Its mode is 0600.
    keys
        The names of the keys.
    kek
        As for :func:`open_keyring`; each of several opens the file.
    rotate_after
        The keys' cryptoperiod in days.

    Raises
    ------
    KeyringExists
        If there is a file at that path.
    InvalidKey, KeyExists
        If a name isn't well formed, or stands there twice.
    KekNotConfigured, KeyProviderError, KeyringError
        If the KEK can't be had, or the file not written.
    """
    place = _located(path)
    # Told before a passphrase is asked for; what counts is the same check when the file is made.
    if place.exists():
        raise storage.already_there(place)
    days = lifecycle.checked_days(rotate_after)
    providers = resolve_all(kek)
    keyring_id = new_keyring_id()
    records: dict[str, KeyRecord] = {}
    ids: set[int] = set()
    try:
        for name in [keys] if isinstance(keys, str) else keys:
            if checked_name(name) in records:
                raise KeyExists(f'the key name "{name}" stands there twice')
            version = generate(name, 1, ids)
            ids.add(version.id)
            records[name] = KeyRecord(name, [version], 1, days)
        content = seal(records, 1, providers, keyring_id)
        storage.create(place, content)
    except BaseException:
        release(records.values())
        raise
    generations.note(keyring_id, 1)
    return Keyring(
        records,
        path=place,
        keyring_id=keyring_id,
        wrapping=Wrapping.anew(providers),
        generation=1,
        digest=storage.digest(content),
    )


@contextlib.contextmanager
def edit_keyring(
    path: str | os.PathLike[str],
    kek: Keks | None = None,
    *,
    pins: PinsGiven | None = None,
) -> Iterator[Keyring]:
    """Open a keyring for a change, keep other writers out, and save it at the end.

    Nothing is saved if the block raises. Another writer waits, up to a minute, and then works on
    what was saved here, so no version is lost.

    Parameters
    ----------
    path, kek, pins
        As for :func:`open_keyring`, but all KEKs of the file are needed.

    Raises
    ------
    KeyringError
        As :func:`open_keyring` and :meth:`Keyring.save` do.
    """
    place = _located(path)
    providers = resolve_all(kek)
    with (
        storage.exclusive(place) as locked,
        _opened(place, providers, locked, pins=pins) as ring,
    ):
        # Said before the change, not after it.
        ring.require_keks()
        yield ring
        ring.save()


def rewrap(path: str | os.PathLike[str], kek: Keks | None, new_keks: Keks) -> int:
    """Wrap a keyring for other KEKs: these open it from then on, and no others.

    Copies of the file that were made before still open with the KEKs they were wrapped for.

    Parameters
    ----------
    path
        The keyring file.
    kek
        One of its KEKs; see :func:`open_keyring`.
    new_keks
        All KEKs that it is to have.

    Returns
    -------
    int
        The new generation.

    Raises
    ------
    KeyringError
        As :func:`open_keyring` and :meth:`Keyring.save` do.

    Examples
    --------
    >>> import os, tempfile
    >>> from tokenkit.keys.providers.passphrase import PassphraseProvider
    >>> os.environ |= {"DEMO_PASSPHRASE": "tokens keep", "DEMO_SPARE": "their form"}
    >>> kek = PassphraseProvider("env:DEMO_PASSPHRASE", cost=2**10)  # cheap, for this example only
    >>> spare = PassphraseProvider("env:DEMO_SPARE", cost=2**10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     create_keyring(f"{folder}/keyring.json", ["payments"], kek).close()
    ...     generation = rewrap(f"{folder}/keyring.json", kek, [kek, spare])
    ...     with open_keyring(f"{folder}/keyring.json", spare) as ring:
    ...         generation, ring.kek_count
    (2, 2)
    """
    place = _located(path)
    providers, others = resolve_all(kek), resolve_all(new_keks)
    with storage.exclusive(place) as locked, _opened(place, providers, locked) as ring:
        ring.rewrap(others)
        ring.save()
        return ring.generation


def accept_older(path: str | os.PathLike[str], kek: Keks | None = None) -> int:
    """Take a keyring that is older than one seen before, after a restore that was meant.

    Parameters
    ----------
    path, kek
        As for :func:`open_keyring`.

    Returns
    -------
    int
        The file's generation, which is the lowest that is taken from now on.

    Raises
    ------
    KeyringError
        If the file can't be opened.
    """
    place = _located(path)
    opened = unseal(storage.read(place), resolve_all(kek))
    release(opened.records.values())
    generations.accept(opened.keyring_id, opened.generation)
    return opened.generation


def _opened(
    path: Path,
    providers: Sequence[KeyProvider],
    locked: storage.LockedFile | None,
    *,
    access: Access = "all",
    pins: PinsGiven | None = None,
) -> Keyring:
    checked_access(access)
    pinned = resolve_pins(pins)
    content = storage.read(path)
    opened = unseal(content, providers, reveals=access == "all")
    try:
        generations.check(path, opened.keyring_id, opened.generation)
        if pinned is not None:
            pinned.check(opened.records.values(), opened.generation)
    except BaseException:
        release(opened.records.values())
        raise
    return Keyring(
        opened.records,
        path=path,
        keyring_id=opened.keyring_id,
        wrapping=opened.wrapping,
        generation=opened.generation,
        digest=storage.digest(content),
        lock=locked,
        access=access,
    )


def _located(path: str | os.PathLike[str]) -> Path:
    # A symbolic link keeps pointing where it does: the file behind it is the one that is replaced.
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        raise KeyringError("a keyring's path can't hold a NUL character") from None
