"""An object that a job writes."""

from pathlib import Path
from typing import Self

import polars as pl

from tokenkit.errors import JobError, TokenkitError
from tokenkit.jobs.aside import already_there
from tokenkit.jobs.connectors import TextOptions
from tokenkit.jobs.objects.files import find
from tokenkit.jobs.objects.place import ObjectPlace
from tokenkit.jobs.objects.sidecars import ATTRIBUTE, attribute_of, settle, stage, unstage
from tokenkit.jobs.objects.upload import Upload
from tokenkit.jobs.outlets import metadata_line, sink_of
from tokenkit.jobs.targets import Extent


class ObjectTarget:
    """One object, and its sidecar if its format has no place for metadata.

    Parameters
    ----------
    place
        Where it is to be.
    text
        How text is written.
    replace
        Whether an object that is there goes.
    """

    def __init__(self, place: ObjectPlace, text: TextOptions, *, replace: bool) -> None:
        self._place = place
        self._text = text
        self._replace = replace
        self._outlet: ObjectOutlet | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._outlet is not None and self._outlet.upload is not None:
            self._outlet.upload.abort()

    def outlet(self, relative: Path) -> "ObjectOutlet":
        """Give the object; whatever the input is named, there is one."""
        del relative
        self._outlet = ObjectOutlet(self._place, self._text)
        return self._outlet

    def flush(self) -> int:
        """Give the size; what is left goes when the object is published."""
        return self._upload.size

    def extent(self) -> Extent:
        """Say that it's one object; its time of change comes with its name."""
        return Extent()

    def publish(self) -> None:
        """Complete the object.

        Its sidecar is there before it, under another name, so that no tokens ever lack theirs.
        """
        upload = self._upload
        if not self._replace and find(self._place) is not None:
            raise already_there(self._place.url)
        if self._outlet is None or not self._outlet.sink.metadata_beside:
            upload.complete()
            return
        sidecar = self._outlet.sidecar
        if sidecar is not None:
            stage(self._place, sidecar)
        try:
            upload.complete()
        except BaseException:
            if sidecar is not None and not upload.is_published():
                unstage(self._place, sidecar)
            raise
        settle(self._place, sidecar)

    def is_published(self) -> bool:
        """Whether the object is there, or may be."""
        upload = None if self._outlet is None else self._outlet.upload
        return upload is not None and upload.is_published()

    @property
    def _upload(self) -> Upload:
        if self._outlet is None or self._outlet.upload is None:
            raise JobError("nothing was written", file=self._place.shown)
        return self._outlet.upload


class ObjectOutlet:
    """What a pass writes to."""

    def __init__(self, place: ObjectPlace, text: TextOptions) -> None:
        self.format, self.sink = sink_of(place.path, text)
        self._place = place
        self.upload: Upload | None = None
        self.sidecar: bytes | None = None

    @property
    def kind(self) -> str:
        """The name of its format."""
        return self.format.name

    @property
    def failure(self) -> TokenkitError | None:
        """What writing failed with: Polars gives the text of errors back, and not their type."""
        return None if self.upload is None else self.upload.failure

    def check(self, schema: pl.Schema) -> None:
        """Raise :class:`~tokenkit.errors.UnsupportedType` for a column that can't be written."""
        self.sink.check(schema)

    def write(self, frame: pl.LazyFrame, metadata: str | None) -> pl.LazyFrame:
        """Give the lazy frame that writes the rows when it runs."""
        attributes = {}
        if self.sink.metadata_beside:
            self.sidecar = None if metadata is None else metadata_line(metadata)
            attributes[ATTRIBUTE] = attribute_of(self.sidecar)
        self.upload = Upload(self._place, attributes)
        return self.sink.stream(frame, self.upload, metadata)

    def close(self, *, complete: bool) -> None:
        """Write what the output ends with, if all rows are in it."""
        if complete and self.upload is not None:
            self.sink.finish(self.upload)

    def count(self) -> int:
        """Count the rows that were written, as their bytes went by."""
        return self.sink.streamed()
