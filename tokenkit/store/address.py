"""Where the store's database is: the URL from the environment, and its forms."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote

from platformdirs import user_data_path

from tokenkit.errors import StoreError

URL_VARIABLE = "TOKENKIT_DATABASE_URL"
"""The environment variable that names the database."""

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_HOST = re.compile(r"(?:[\w.%-]*|\[[0-9A-Fa-f:.%]+\])(?::\d*)?", re.ASCII)
_HINT = (
    "sqlite:////data/tokenkit.db, or postgresql://USER@HOST/DATABASE?sslmode=verify-full with the "
    "password in PGPASSWORD or a pgpass file"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A database, by back end.

    Attributes
    ----------
    file
        The SQLite file; None for PostgreSQL, and for a database in memory.
    uri
        The connection URI of PostgreSQL, as libpq reads it; it may hold a password, and isn't
        shown. None for SQLite.
    """

    file: Path | None = None
    uri: str | None = field(default=None, repr=False)

    @property
    def is_postgresql(self) -> bool:
        """Whether it's PostgreSQL."""
        return self.uri is not None

    def __str__(self) -> str:
        if self.uri is None:
            return "SQLite in memory" if self.file is None else f"the SQLite file {self.file}"
        return _shown(self.uri)


def _shown(uri: str) -> str:
    """Name the server and the database; neither if something may be a password that lost its place.

    It is taken apart as libpq does it, which ends a password at the first @ and lets it hold any
    other sign but a slash. Whoever writes one unescaped gets no connection, and no part of it back.
    """
    rest = uri.partition("://")[2]
    user, at, after = rest.partition("@")
    if at and "/" not in user:
        rest = after
    place, _, query = rest.partition("?")
    hosts, _, name = place.partition("/")
    options = parse_qs(query)
    shown = unquote(hosts) or ",".join(options.get("host", []))
    name = unquote(name) or ",".join(options.get("dbname", []))
    whole = all(_HOST.fullmatch(host) for host in hosts.split(","))
    if "@" in rest or not whole or not (shown + name).isprintable():
        return "PostgreSQL"
    return f"PostgreSQL at {shown or 'the default socket'}, database {name or '-'}"


def read_address(url: str | None = None) -> Address:
    """Read a database's URL.

    Parameters
    ----------
    url
        ``sqlite:///PATH``, or any URI that libpq takes: several hosts, ``target_session_attrs``
        and the options of TLS are handed on as they are. By default that of
        ``TOKENKIT_DATABASE_URL``, or else a file in the user's data folder.

    Raises
    ------
    StoreError
        If it's neither.

    Examples
    --------
    >>> print(read_address("postgresql://ann:secret@db1:5432,db2:5432/lineage"))
    PostgreSQL at db1:5432,db2:5432, database lineage
    >>> print(read_address("sqlite:////data/tokenkit.db"))
    the SQLite file /data/tokenkit.db
    """
    url = url or os.environ.get(URL_VARIABLE)
    if not url:
        return Address(user_data_path("tokenkit", appauthor=False) / "tokenkit.db")
    scheme, separator, rest = url.partition("://")
    if separator and scheme in _POSTGRESQL:
        return Address(uri=f"postgresql://{rest}")
    if separator and scheme == "sqlite":
        if not rest:
            return Address()
        if rest.startswith("/") and "?" not in rest:
            return Address(None if rest in {"/", "/:memory:"} else Path(rest[1:]))
        raise StoreError(
            "the URL of an SQLite file is sqlite:/// and its path, without options", hint=_HINT
        )
    # What stands there may be a password that lost its place.
    raise StoreError("the database's URL is neither SQLite's nor PostgreSQL's", hint=_HINT)
