"""How datasets are named: OpenLineage's rules, and nothing of a value in a name.

A file's namespace is ``file`` and its name the absolute path; an object's namespace is the bucket
and its name the key; a table's namespace is the server and its name ``database.schema.table``.
Files that were read or written together, as a folder or by a pattern, are one dataset: the folder.
Values of Hive partitions (``country=NO``) stand as ``*``.
"""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tokenkit.lineage.datasets import Dataset

_STORES = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs"}
_LONGEST = 1_000
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def of_file(path: str | os.PathLike[str]) -> Dataset:
    """Name a file; links in its path are followed, so that it has one name.

    Examples
    --------
    >>> of_file("/data/country=NO/part-0.parquet").name
    '/data/country=*/part-0.parquet'
    """
    found = _resolved(path)
    return Dataset("file", storable(str(_masked(found.parent) / found.name)))


def of_folder(path: str | os.PathLike[str]) -> Dataset:
    """Name a folder, whatever is in it.

    Examples
    --------
    >>> of_folder("/data/country=NO").name
    '/data/country=*'
    """
    return Dataset("file", storable(str(_masked(_resolved(path)))))


def of_object(url: str) -> Dataset:
    """Name an object, or a prefix of objects, of an object store.

    Examples
    --------
    >>> str(of_object("s3a://lake/raw/country=NO/a.parquet"))
    's3://lake:raw/country=*/a.parquet'
    >>> str(of_object("abfss://raw@store.dfs.core.windows.net/a.parquet"))
    'abfss://raw@store.dfs.core.windows.net:a.parquet'
    """
    parts = urlsplit(url)
    scheme = _STORES.get(parts.scheme, parts.scheme)
    inside = PurePosixPath(parts.path.lstrip("/"))
    name = _masked(inside.parent) / inside.name
    # A user and a password are no part of a place; a container of Azure is.
    user, at, host = parts.netloc.rpartition("@")
    place = host if ":" in user or not at else parts.netloc
    return Dataset(f"{scheme}://{place}", storable(str(name)))


def of_table(system: str, server: str | None, *names: str) -> Dataset:
    """Name a table by its system, its server (``host:port``) and its names from the outside in.

    Examples
    --------
    >>> str(of_table("postgres", "db.example.org:5432", "shop", "public", "customers"))
    'postgres://db.example.org:5432:shop.public.customers'
    """
    return Dataset(f"{system}://{server or ''}", storable(".".join(names)))


def storable(text: str) -> str:
    r"""Write what no database keeps, NUL and bytes that aren't UTF-8, as ``%XX``.

    No index of PostgreSQL takes long names: they are cut, and end in a digest.

    Examples
    --------
    >>> storable("a\0b"), storable("caf\udce9")
    ('a%00b', 'caf%E9')
    """
    found = _UNSTORABLE.sub(lambda one: f"%{ord(one[0]) & 0xFF:02X}", text)
    content = found.encode()
    if len(content) <= _LONGEST:
        return found
    kept = content[: _LONGEST - 36].decode(errors="ignore")
    return f"{kept}...{hashlib.sha256(content).hexdigest()[:32]}"


def _resolved(path: str | os.PathLike[str]) -> PurePosixPath:
    return PurePosixPath(Path(path).resolve().as_posix())


def _masked(path: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(
        *(f"{part.partition('=')[0]}=*" if "=" in part else part for part in path.parts)
    )
