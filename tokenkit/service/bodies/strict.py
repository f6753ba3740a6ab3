"""What bodies of administration have in common: nothing is let through that isn't meant."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"

TypedName = Annotated[str, Field(min_length=1, max_length=256, pattern=_NO_CONTROL)]
"""A name as somebody typed it."""
TypedSecret = Annotated[str, Field(min_length=1, max_length=1024)]
"""A password or a code as somebody typed it."""


class StrictBody(BaseModel):
    """A body of a request: unknown fields and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
