"""A SQLAlchemy URL's name, of which nothing that may be a secret is shown."""

import re
from typing import Final
from urllib.parse import unquote

from pydantic import SecretStr

from tokenkit.errors import JobError
from tokenkit.lineage import Dataset
from tokenkit.lineage.naming import of_file, of_table

_HOST = re.compile(r"(?:[\w.%-]*|\[[0-9A-Fa-f:.%]+\])(?::\d*)?", re.ASCII)
_SYSTEMS: Final = {"postgresql": "postgres", "mariadb": "mysql"}
_PORTS: Final = {"postgres": "5432", "mysql": "3306", "mssql": "1433", "oracle": "1521"}
_SCHEMAS: Final = {"postgres": "public", "sqlite": "main", "mssql": "dbo"}


def dataset_of(url: SecretStr, *names: str) -> Dataset:
    """Name a table: as the system's own connector does, if there is one.

    Parameters
    ----------
    url
        The URL; its user, password and options are left out.
    names
        The table's schema, which may be empty, and its name; or the name of a query.

    Raises
    ------
    JobError
        If it's no URL, or something in it may be a password out of its place.

    Examples
    --------
    >>> str(dataset_of(SecretStr("postgresql+psycopg://ann:secret@db/shop"), "", "customers"))
    'postgres://db:5432:shop.public.customers'
    """
    scheme, separator, rest = url.get_secret_value().partition("://")
    dialect = scheme.partition("+")[0]
    system = _SYSTEMS.get(dialect, dialect)
    place = rest.partition("?")[0].rpartition("@")[2]
    host, _, database = place.partition("/")
    if not separator or not re.fullmatch(r"\w+", system) or not _HOST.fullmatch(host):
        raise JobError(
            "url isn't one of SQLAlchemy",
            hint="DIALECT+DRIVER://USER:PASSWORD@HOST/DATABASE, special signs written as %XX",
        )
    schemas = [_SCHEMAS[system]] if system in _SCHEMAS else []
    named = (
        [part for part in names if part] if names[0] or len(names) == 1 else [*schemas, names[1]]
    )
    if system == "sqlite":
        return of_table(system, of_file(database or ":memory:").name, *named)
    port = _PORTS.get(system)
    server = host if port is None or re.search(r":\d+$", host) else f"{host or 'localhost'}:{port}"
    return of_table(system, server, *filter(None, [unquote(database)]), *named)
