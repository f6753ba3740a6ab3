"""What keeps keys in their process."""

from typing import NoReturn, SupportsIndex

from tokenkit.errors import KeyNotExportable


class Unexportable:
    """Refuses pickling, :mod:`copy` and every other way of taking an object's state out."""

    __slots__ = ()

    # copy, deepcopy and pickle all come through here.
    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        self._refuse()

    def __reduce__(self) -> NoReturn:
        self._refuse()

    def __getstate__(self) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise KeyNotExportable(
            f"a {type(self).__name__} stays in its process: it can't be pickled or copied",
            hint="give the other process the keyring's path and KEK, and open the keyring there "
            "(tokenkit.open_keyring, or TOKENKIT_KEYRING and TOKENKIT_KEK)",
        )
