"""Objects on their way into a store: nobody sees them until they are complete.

What is written goes out in the parts of a multipart upload. An upload that isn't completed is no
object; one that is given up is aborted, and one whose process was killed is left to the store,
which counts it as storage until a lifecycle rule of the bucket removes it.
"""

import contextlib
import io
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.stores import reaching, store_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PART: Final = 16 * 2**20
"""A store takes 10,000 parts, so that an object has at most 156 GiB."""
_AT_ONCE: Final = 4
_NONCE: Final = "tokenkit-upload"
"""The name of the attribute that says which upload an object came from."""


class Upload(io.RawIOBase, BinaryIO):
    """A file to write to, which becomes an object when it's completed.

    Parameters
    ----------
    place
        Where the object is to be.
    attributes
        What the object says of itself.

    Attributes
    ----------
    size
        How many bytes were written.
    failure
        What writing failed with.
    """

    def __init__(self, place: ObjectPlace, attributes: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._place = place
        self._store = store_of(place)
        import obstore  # noqa: PLC0415 - an extra

        self._nonce = secrets.token_hex(16)
        self._writer: Any = obstore.open_writer(
            self._store,
            place.key,
            attributes={**(attributes or {}), _NONCE: self._nonce},
            buffer_size=_PART,
            max_concurrency=_AT_ONCE,
        )
        self._begun = False
        self.size = 0
        self.failure: TokenkitError | None = None

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Send bytes on their way.

        Raises
        ------
        ConnectorFailed
            If the store doesn't take them.
        """
        content = data if isinstance(data, bytes) else bytes(memoryview(data))
        if self._writer is None:
            # A query that has failed may still be writing.
            raise JobError("the upload was given up", file=self._place.shown)
        try:
            with reaching(self._place):
                self._writer.write(content)
        except TokenkitError as error:
            self.failure = error
            raise
        self.size += len(content)
        return len(content)

    def complete(self) -> None:
        """Send the rest, and make it the object.

        Raises
        ------
        ConnectorFailed
            If the store doesn't take it.
        """
        writer, self._writer = self._writer, None
        if writer is None or self.failure is not None:
            raise JobError("the upload was given up", file=self._place.shown)
        self._begun = True
        try:
            with reaching(self._place):
                writer.close()
        except TokenkitError:
            # The answer may have been lost on its way back.
            if self._is_there() is not True:
                raise

    def abort(self) -> None:
        """Give the upload up, if it isn't complete."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(TokenkitError), reaching(self._place):
                writer.__exit__(JobError, JobError(""), None)

    def is_published(self) -> bool:
        """Whether it is the object, or may be."""
        return self._begun and self._is_there() is not False

    def _is_there(self) -> bool | None:
        """Whether the object came from this upload; None if the store doesn't say."""
        import obstore  # noqa: PLC0415

        try:
            with reaching(self._place):
                found = obstore.get(self._store, self._place.key, options={"head": True})
                return dict(found.attributes).get(_NONCE) == self._nonce
        except FileNotFoundError:
            return False
        except TokenkitError:
            return None
