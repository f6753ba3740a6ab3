"""Single requests about small objects."""

import contextlib

from tokenkit.errors import InputNotFound
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.stores import reaching, store_of


def get(place: ObjectPlace, most: int) -> bytes | None:
    """Read a small object; None if there is none.

    Raises
    ------
    ConnectorFailed
        If the store can't be reached, or refuses.
    """
    store = store_of(place)
    import obstore  # noqa: PLC0415 - an extra

    try:
        with reaching(place):
            found = obstore.get(store, place.key)
            return b"" if found.meta["size"] > most else bytes(found.bytes())
    except InputNotFound:
        return None


def put(place: ObjectPlace, content: bytes) -> None:
    """Write a small object.

    Raises
    ------
    ConnectorFailed
        If the store doesn't take it.
    """
    store = store_of(place)
    import obstore  # noqa: PLC0415

    with reaching(place):
        obstore.put(store, place.key, content, use_multipart=False)


def delete(place: ObjectPlace) -> None:
    """Remove an object, if it's there.

    Raises
    ------
    ConnectorFailed
        If the store refuses.
    """
    store = store_of(place)
    import obstore  # noqa: PLC0415

    with contextlib.suppress(InputNotFound), reaching(place):
        obstore.delete(store, place.key)
