"""Where a server is: its URL, of which nothing that may be a secret is shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from pydantic import SecretStr

from tokenkit.errors import JobError
from tokenkit.lineage import Dataset
from tokenkit.lineage.naming import of_table

_SCHEMES = ("postgresql", "postgres")
_HOST = re.compile(r"(?:[\w.%-]*|\[[0-9A-Fa-f:.%]+\])(?::\d*)?", re.ASCII)
_PORT = "5432"


@dataclass(frozen=True, slots=True)
class Address:
    """A database of a server.

    Attributes
    ----------
    url
        As libpq reads it.
    server
        Its host and port, or several.
    database
        Its name.
    """

    url: str = field(repr=False)
    server: str
    database: str

    @classmethod
    def read(cls, url: SecretStr) -> "Address":
        """Take a URL apart; a password is left where it is.

        Raises
        ------
        JobError
            If it's no URL of PostgreSQL, or something in it may be a password out of its place.

        Examples
        --------
        >>> Address.read(SecretStr("postgresql://ann:secret@db.example.org/shop"))
        Address(server='db.example.org:5432', database='shop')
        """
        scheme, separator, rest = url.get_secret_value().partition("://")
        place, _, query = rest.partition("?")
        login, _, place = place.rpartition("@")
        hosts, _, database = place.partition("/")
        options = {name: found[-1] for name, found in parse_qs(query).items()}
        found = hosts.split(",") if hosts else unquote(options.get("host", "localhost")).split(",")
        database = unquote(database) or options.get("dbname", "") or login.partition(":")[0]
        whole = not hosts or all(_HOST.fullmatch(host) for host in found)
        if not separator or scheme not in _SCHEMES or not whole or not database.isprintable():
            raise JobError(
                "url isn't one of PostgreSQL",
                hint="postgresql://USER@HOST/DATABASE?sslmode=verify-full with the password in "
                "PGPASSWORD or a pgpass file; write what is special in a URL as %XX",
            )
        port = options.get("port", _PORT)
        named = (
            host if re.search(r":\d+$", host) else f"{host.rstrip(':')}:{port}" for host in found
        )
        return cls(f"postgresql://{rest}", ",".join(named), database)

    def dataset(self, *names: str) -> Dataset:
        """Name a table in lineage."""
        return of_table("postgres", self.server, self.database, *names)
