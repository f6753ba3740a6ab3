"""Pins: what a keyring must at least hold, kept apart from its file.

A pinned keyring has every pinned key version's id with the pinned key-check value (destroyed
versions keep theirs), and is of the pinned generation or a later one. Rotating breaks no pin.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

from tokenkit.errors import KeyringError, PinMismatch
from tokenkit.keys.key import KeyRecord
from tokenkit.keys.strict_json import MalformedError, fields, indented, parse

PINS_VARIABLE = "TOKENKIT_PINS"
"""The environment variable that names the file of pins where nothing else does."""

_FORMAT = "tokenkit-pins"
_FORMAT_VERSION = 1
_CHECK_VALUE_BYTES = 16
_MAX_ID = 2**32 - 1
_ID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Pins:
    """What a keyring must at least hold.

    Attributes
    ----------
    check_values
        The key-check value of each key version, by its id.
    generation
        The lowest generation that is taken; 0 takes any.

    Examples
    --------
    >>> Pins({7: bytes(16)}, generation=3).generation
    3
    """

    check_values: Mapping[int, bytes]
    generation: int = 0

    @classmethod
    def of(cls, records: Iterable[KeyRecord], generation: int) -> Self:
        """Pin every version of a keyring's keys."""
        versions = (version for record in records for version in record.versions)
        return cls({version.id: version.check_value for version in versions}, generation)

    @classmethod
    def from_mapping(cls, pins: Mapping[int, bytes | str] | Mapping[str, str]) -> Self:
        """Read key-check values, or their hexadecimal digits, by id.

        Raises
        ------
        MalformedError
            If one is none.

        Examples
        --------
        >>> Pins.from_mapping({"7": "00" * 16}) == Pins({7: bytes(16)})
        True
        """
        return cls(_check_values(pins))

    def to_mapping(self) -> dict[str, str]:
        """Give the key-check values as text by id, as files have them."""
        return {str(id_): value.hex() for id_, value in sorted(self.check_values.items())}

    def check(self, records: Iterable[KeyRecord], generation: int) -> None:
        """Hold a keyring against the pins.

        Raises
        ------
        PinMismatch
            If it lacks a version, has another key under its id, or is too old.
        """
        found = type(self).of(records, generation).check_values
        for id_, check_value in self.check_values.items():
            if id_ not in found:
                raise PinMismatch(
                    f"the keyring lacks the key version with the id {id_}, which is pinned",
                    hint="open the keyring that was pinned, or a newer file of it",
                )
            if found[id_] != check_value:
                raise PinMismatch(
                    f"the keyring has another key under the id {id_} than the pinned one",
                    hint="open the keyring that was pinned, and find out where this one is from",
                )
        if generation < self.generation:
            raise PinMismatch(
                f"the keyring is generation {generation}, and {self.generation} is pinned: it was "
                "replaced by an older file",
                hint="restore the newer file",
            )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a file of pins; one that is there is replaced."""
        written = {
            "format": _FORMAT,
            "format_version": _FORMAT_VERSION,
            "generation": self.generation,
            "pins": self.to_mapping(),
        }
        Path(path).write_bytes(indented(written))


PinsGiven: TypeAlias = Pins | Mapping[int, bytes | str] | str | os.PathLike[str]
"""Pins as callers give them: made, by id, or in a file."""


def resolve(pins: PinsGiven | None) -> Pins | None:
    """Find the pins that are meant; None is the file that the environment names, if it does.

    Raises
    ------
    KeyringError
        If the pins can't be read.
    """
    if pins is None:
        pins = os.environ.get(PINS_VARIABLE) or None
    if pins is None or isinstance(pins, Pins):
        return pins
    try:
        if isinstance(pins, Mapping):
            return Pins.from_mapping(pins)
        return _read(Path(pins))
    except MalformedError as exc:
        failure = KeyringError(
            f"these are no pins: {exc}", hint="tokenkit keys inspect KEYRING --write-pins FILE"
        )
    raise failure


def _read(path: Path) -> Pins:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise KeyringError(
            f"the file of pins {path} can't be read: {exc.strerror or type(exc).__name__}",
            hint=f"check the path that pins= or {PINS_VARIABLE} names",
        ) from None
    top = fields(
        parse(content),
        "the file of pins",
        format=str,
        format_version=int,
        generation=int,
        pins=dict,
    )
    if (top["format"], top["format_version"]) != (_FORMAT, _FORMAT_VERSION):
        raise MalformedError("the file doesn't say that it holds pins")
    return Pins(_check_values(top["pins"]), top["generation"])


def _check_values(pins: Mapping[int, bytes | str] | Mapping[str, str]) -> dict[int, bytes]:
    found = {}
    for id_, value in pins.items():
        number = int(id_) if isinstance(id_, int) or _ID.fullmatch(id_) else 0
        check_value = _bytes(value) if isinstance(value, str) else bytes(value)
        if not 0 < number <= _MAX_ID or len(check_value) != _CHECK_VALUE_BYTES:
            raise MalformedError("a pin is an id and a key-check value of 32 hexadecimal digits")
        found[number] = check_value
    return found


def _bytes(written: str) -> bytes:
    return bytes.fromhex(written) if _HEXADECIMAL.fullmatch(written) else b""
