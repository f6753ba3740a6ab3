"""Sidecars of objects: an object says which one is its own, so that the two change in one step.

The attribute ``tokenkit-metadata`` of an object is the SHA-256 of its sidecar, or ``none``. A new
sidecar is written under a name with that digest first; when the object is complete, it gets its
usual name. So whoever reads finds the old object with the old sidecar or the new one with the new,
wherever a job was killed.
"""

import contextlib
import hashlib
from typing import Final

from tokenkit.errors import MetadataMismatch, TokenkitError
from tokenkit.jobs.connectors.sidecar import MOST_METADATA, SUFFIX
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.requests import delete, get, put

ATTRIBUTE: Final = "tokenkit-metadata"
_NONE: Final = "none"


def attribute_of(content: bytes | None) -> str:
    """Give what an object says of its sidecar."""
    return _NONE if content is None else hashlib.sha256(content).hexdigest()


def read_sidecar_of(place: ObjectPlace, attribute: str | None) -> bytes | None:
    """Read the sidecar of an object, if it has one.

    Parameters
    ----------
    place
        The object.
    attribute
        What it says of its sidecar; None if it says nothing, as one that was uploaded by hand.

    Raises
    ------
    MetadataMismatch
        If the object's own sidecar is gone, and there is another one.
    """
    if attribute == _NONE:
        return None
    usual = get(sidecar_of(place), MOST_METADATA)
    if attribute is None or (usual is not None and attribute_of(usual) == attribute):
        return usual
    staged = get(_staged(place, attribute), MOST_METADATA)
    if staged is None:
        # It may just have got its usual name.
        staged = get(sidecar_of(place), MOST_METADATA)
    if staged is None or attribute_of(staged) == attribute:
        return staged
    raise MetadataMismatch(
        f"the metadata beside {place.shown} is another object's",
        hint="take the object and its sidecar from where tokenkit wrote them",
    )


def stage(place: ObjectPlace, content: bytes) -> None:
    """Write a sidecar for an object that isn't complete yet."""
    put(_staged(place, attribute_of(content)), content)


def unstage(place: ObjectPlace, content: bytes) -> None:
    """Remove the sidecar of an object that hasn't come into being."""
    with contextlib.suppress(TokenkitError):
        delete(_staged(place, attribute_of(content)))


def settle(place: ObjectPlace, content: bytes | None) -> None:
    """Give the sidecar of a complete object its usual name.

    If the store refuses, it's found under the other one.
    """
    with contextlib.suppress(TokenkitError):
        if content is None:
            delete(sidecar_of(place))
            return
        if get(sidecar_of(place), MOST_METADATA) != content:
            put(sidecar_of(place), content)
        delete(_staged(place, attribute_of(content)))


def sidecar_of(place: ObjectPlace) -> ObjectPlace:
    """Give the place of an object's sidecar."""
    return place.beside(SUFFIX)


def _staged(place: ObjectPlace, attribute: str) -> ObjectPlace:
    return place.beside(f".{attribute}{SUFFIX}")
