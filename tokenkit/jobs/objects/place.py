"""Where objects are: a URL, and what the store has to be told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final, Self

from pydantic import SecretStr

from tokenkit.errors import JobError
from tokenkit.jobs.aside import masked
from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.naming import of_object

SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
WILD: Final = frozenset("*?[")
_LIKE_A_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SIGNED = re.compile(r"[?&](sig|sv|X-Amz-Signature|X-Goog-Signature)=")


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object, the objects below a prefix, or those that fit a pattern.

    Attributes
    ----------
    url
        ``s3://bucket/key``, ``gs://bucket/key``, ``az://container/key`` or
        ``abfss://container@account.dfs.core.windows.net/key``. The key is written as it is, without
        escapes. One that ends in ``/`` is a prefix; ``*``, ``?``, ``[...]`` and ``**`` make a
        pattern.
    storage_options
        What the store has to be told, by the names that Polars has for it
        (``aws_access_key_id``, ``aws_endpoint_url``, ``allow_http``, ...). Values are kept as
        secrets. Without any, the environment says it (``AWS_ACCESS_KEY_ID``, ...).

    Raises
    ------
    JobError
        If the URL names no object store, or holds a secret.

    Examples
    --------
    >>> place = ObjectPlace("s3://lake/in/customers.parquet", {"aws_secret_access_key": "made up"})
    >>> place
    ObjectPlace(url='s3://lake/in/customers.parquet')
    >>> place.bucket, place.key, place.name
    ('lake', 'in/customers.parquet', 'customers.parquet')
    """

    url: str
    storage_options: Mapping[str, str | SecretStr] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        scheme, separator, rest = self.url.partition("://")
        bucket, _, key = rest.partition("/")
        problem = None
        if not separator or scheme not in SCHEMES:
            problem = f"the URL names no object store; it begins with one of {', '.join(SCHEMES)}"
        elif _SIGNED.search(rest) or ":" in bucket or (scheme[0] != "a" and "@" in bucket):
            problem = "the URL holds a secret, which belongs into storage_options"
        elif not bucket:
            problem = "the URL names no bucket"
        elif any(part in {"", ".", ".."} for part in key.removesuffix("/").split("/") if key):
            problem = "a part of the key is empty, . or .."
        elif any(ord(letter) < 32 or ord(letter) == 127 for letter in self.url):
            problem = "the URL holds a control character"
        if problem is not None:
            raise JobError(problem, hint="such as s3://bucket/folder/customers.parquet")
        if any(_OPTION.fullmatch(name) is None for name in self.storage_options):
            raise JobError(
                "a name among the storage options is none", hint="such as aws_endpoint_url"
            )
        options = {
            name: value if isinstance(value, SecretStr) else SecretStr(str(value))
            for name, value in self.storage_options.items()
        }
        object.__setattr__(self, "storage_options", options)

    def __str__(self) -> str:
        return self.url

    @property
    def scheme(self) -> str:
        """Which store it is."""
        return self.url.partition("://")[0]

    @property
    def bucket(self) -> str:
        """The bucket, or the container."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def root(self) -> str:
        """The URL of the bucket."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def key(self) -> str:
        """The key in the bucket, or the prefix, which may be empty."""
        return self.url.partition("://")[2].partition("/")[2]

    @property
    def path(self) -> Path:
        """The key as a path, whose suffix says the format."""
        return Path(self.key)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    @property
    def shown(self) -> str:
        """The URL, without the values of partitions."""
        return masked(self.url)

    @property
    def dataset(self) -> Dataset:
        """Its name in lineage; of a pattern, the prefix that its first wildcard stands below."""
        return of_object(f"{self.root}/{self.prefix}" if self.is_pattern else self.url)

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for the objects that fit."""
        return bool(WILD & set(self.key))

    @property
    def is_prefix(self) -> bool:
        """Whether it says that it stands for what is below it."""
        return not self.key or self.key.endswith("/")

    @property
    def prefix(self) -> str:
        """The key, or of a pattern the folders before its first wildcard."""
        parts = self.key.removesuffix("/").split("/")
        if self.is_pattern:
            wild = next(place for place, part in enumerate(parts) if WILD & set(part))
            parts = parts[:wild]
        return "/".join(parts)

    def at(self, key: str) -> Self:
        """Give another object of the same store.

        Examples
        --------
        >>> ObjectPlace("gs://lake/in/").at("in/a.csv")
        ObjectPlace(url='gs://lake/in/a.csv')
        """
        return replace(self, url=f"{self.root}/{key}")

    def beside(self, end: str) -> Self:
        """Give the object whose name has something more at its end."""
        return replace(self, url=self.url.removesuffix("/") + end)

    def revealed(self) -> dict[str, str]:
        """Give the storage options, in clear; only for what speaks with the store."""
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.storage_options.items()
        }


def place_of(written: str, storage_options: Mapping[str, str] | None = None) -> Path | ObjectPlace:
    """Give the place that a text means: a URL with a scheme is an object, anything else a path.

    Raises
    ------
    JobError
        If it's the URL of something else.

    Examples
    --------
    >>> place_of("s3://lake/a.csv"), place_of("in/a.csv")
    (ObjectPlace(url='s3://lake/a.csv'), PosixPath('in/a.csv'))
    """
    if _LIKE_A_URL.match(written):
        return ObjectPlace(written, storage_options or {})
    return Path(written)
