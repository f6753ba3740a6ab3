"""A real PostgreSQL server for tests: started in a temporary folder, on a unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence  # noqa: TC003 - a class needs it
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from tokenkit.errors import StoreUnavailable

SUPERUSER = "postgres"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_SECONDS = 60
_UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def programs() -> Path:
    """Find the folder of PostgreSQL's programs: that of the PATH, or the newest that is installed.

    Raises
    ------
    StoreUnavailable
        If PostgreSQL isn't installed.
    """
    found = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    found += [
        path for pattern in _PLACES for path in sorted(Path("/").glob(pattern[1:]), reverse=True)
    ]
    for folder in found:
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return folder
    raise StoreUnavailable(
        "PostgreSQL isn't installed",
        hint="install it (Debian: sudo apt-get install postgresql)",
    )


class PostgresServer:
    """A PostgreSQL server; a context manager that stops it and removes its folder.

    Parameters
    ----------
    durable
        Whether what is committed outlives a crash. Without, it starts in about a second.

    Attributes
    ----------
    folder
        Where its data and its socket are.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tokenkit-pg-"))
        self._settings: Sequence[str] = () if durable else _UNSAFE
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()
        try:
            if self._user is not None:
                os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
            self._run(
                str(programs() / "initdb"), "--no-sync", "--auth=trust", f"--username={SUPERUSER}",
                "--encoding=UTF8", "--locale=C", "--pgdata", str(self.folder / "data"),
            )  # fmt: skip
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, or start it again.

        Raises
        ------
        StoreUnavailable
            If it doesn't answer within a minute.
        """
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "max_connections=60",
            "shared_buffers=64MB",
            *self._settings,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(programs() / "postgres"), "-D", str(self.folder / "data"),
                    *(part for setting in settings for part in ("-c", setting)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as_user(),
            )  # fmt: skip
        self._wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it: at once, connections included; or as another signal says."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = SUPERUSER, user: str = SUPERUSER) -> str:
        """Give the URL of one of its databases."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def execute(self, statement: str, *, database: str = SUPERUSER) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, outside a transaction."""
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return [] if cursor.description is None else cursor.fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, check=False, **self._as_user()
        )
        if done.returncode:
            raise StoreUnavailable(f"{Path(command[0]).name} failed", hint=done.stderr.strip())

    def _wait(self) -> None:
        import psycopg  # noqa: PLC0415 - an extra

        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise StoreUnavailable(
            "PostgreSQL doesn't answer", hint=f"its log is {self.folder / 'log'}"
        )


def _unprivileged() -> pwd.struct_passwd | None:
    """Give the user to run as, if we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in (SUPERUSER, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StoreUnavailable("there is no user to run PostgreSQL as", hint="adduser postgres")
