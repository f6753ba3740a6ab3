"""Names of jobs and datasets in Dagster."""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

import dagster as dg

from tokenkit.jobs.connectors import format_of, known_suffix
from tokenkit.lineage import Dataset

_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]")


def asset_key(dataset: Dataset, folder: Path) -> dg.AssetKey:
    """Name a dataset that no job writes, so that it reads well in a graph.

    A file is named by its way from a folder, steps upwards left out; an object or a table by its
    system and its name.

    Parameters
    ----------
    dataset
        As lineage names it: without values of partitions.
    folder
        Where the job files are.

    Examples
    --------
    >>> asset_key(Dataset("file", "/shop/data/a.csv"), Path("/shop/jobs")).to_user_string()
    'data/a.csv'
    >>> asset_key(Dataset("postgres://db:5432", "shop.public.a"), Path("/")).to_user_string()
    'postgres/db_5432/shop.public.a'
    """
    if dataset.namespace == "file":
        near = PurePosixPath(os.path.relpath(dataset.name, folder.resolve()))
        return dg.AssetKey(_steps(near) or ["files"])
    system, _, server = dataset.namespace.partition("://")
    # An embedded database is a file, of which the name will do.
    place = _steps(PurePosixPath(server))[-1:]
    return dg.AssetKey([system, *place, *_steps(PurePosixPath(dataset.name))])


def lies_in(inner: Dataset, outer: Dataset) -> bool:
    """Say whether a dataset is another one, or a file in a folder that the other one is.

    Examples
    --------
    >>> lies_in(Dataset("file", "/lake/a.parquet"), Dataset("file", "/lake"))
    True
    >>> lies_in(Dataset("postgres://db", "shop.a"), Dataset("postgres://db", "shop"))
    False
    """
    if inner.namespace != outer.namespace:
        return False
    # Names of tables have no slashes, so that no table lies in another one.
    inside = PurePosixPath(inner.name)
    return PurePosixPath(outer.name) in (inside, *inside.parents)


def kind_of(place: Dataset) -> str:
    """Give what Dagster shows beside an asset: the format of a file, or the system of a table.

    Examples
    --------
    >>> kind_of(Dataset("file", "/lake/a.csv.gz")), kind_of(Dataset("postgres://db", "shop.a"))
    ('csv', 'postgres')
    """
    path = Path(place.name)
    if known_suffix(path):
        return format_of(path).name
    return "folder" if place.namespace == "file" else place.namespace.partition("://")[0]


def _steps(path: PurePosixPath) -> list[str]:
    """Give a path's steps as Dagster takes them: it makes names of Python out of them."""
    steps = (part for part in path.parts if part not in {"..", ".", "/"})
    return [_FOREIGN.sub("_", step) for step in steps]


def partitions_name(name: str) -> str:
    """Name the partitions of a job's inbox.

    Examples
    --------
    >>> partitions_name("customers")
    'customers_inbox'
    """
    return f"{name}_inbox"


def version_of(*contents: bytes) -> str:
    """Name a version of what a job does."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]
