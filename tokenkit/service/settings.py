"""What the service is told at its start: addresses, limits, and the sizes of what it holds."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_type_hints

from platformdirs import user_data_path

from tokenkit.errors import InvalidRequest

PREFIX = "TOKENKIT_SERVICE_"
"""What stands before the name of a setting in the environment."""
POLICIES_VARIABLE = "TOKENKIT_POLICIES"
"""The environment variable that names the folder of policies."""
REDIS_VARIABLE = "TOKENKIT_REDIS_URL"
"""The environment variable that names a Redis in which all workers count requests together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Every setting of the service; each size of a cache, a pool or a queue stands here, once.

    Attributes
    ----------
    host, port
        Where it listens.
    workers
        How many processes.
    database_url
        The store's database; None for what ``TOKENKIT_DATABASE_URL`` names.
    policies
        The folder of policies: ``orders.yaml`` in it is the policy ``orders``. None for none.
    trusted_proxies
        Addresses, separated by commas, whose ``X-Forwarded-For`` is believed; empty for none.
    most_values
        The longest list of values of one request in JSON.
    most_bulk_values
        The most values of one request in Arrow or NDJSON.
    most_body_bytes, most_bulk_bytes
        The largest body in JSON, and in Arrow or NDJSON.
    api_key_limit, session_limit, address_limit
        How many requests each may make, such as ``6000/minute``; empty for as many as they like.
        Each worker counts for itself, unless a Redis is named.
    daily_values
        How many values an API key, or a user without one, may have turned a day, counted over all
        workers; 0 for as many as they like.
    redis_url
        A Redis in which all workers count requests together; None for what
        ``TOKENKIT_REDIS_URL`` names. Not in the repr: it may hold a password.
    limit_counters
        API keys, sessions and addresses that a worker counts requests for.
    token_records
        Tokens whose state is held: whether they are kept, have expired, or were revoked.
    idempotency_keys
        Requests under idempotency keys that were carried out, and are held.
    most_in_flight
        Requests that are worked on or wait at a time; more are refused at once.
    most_bulk_in_flight
        Bodies in Arrow or NDJSON that are worked on at a time.
    retry_after
        After how many seconds a refused caller is told to come again.
    threads
        Threads for what would hold up the others: look-ups in the database, bulk bodies.
    password_workers
        Passwords that are hashed at a time; each takes 19 MiB and a core.
    sign_ins_waiting
        Sign-ins that wait for that at most; more are refused at once.
    column_calls
        Columns that are held ready to be called.
    audit_seconds
        How long a record may take to be in the audit log.
    audit_queue
        Records that wait for it at most.
    audit_batch
        Records that are written in one transaction at most.
    database_connections
        Connections that are kept to PostgreSQL, at most.
    database_seconds
        How long a transaction, and waiting for a connection, may take.
    batches
        Where files of batches lie: a folder, or a prefix such as ``s3://bucket/batches/``. None for
        ``batches`` in the user's data folder.
    batch_workers
        Processes that work on batches; one of several takes small ones only. 0 for none: another
        host does it.
    dagster_url
        Dagster's webserver, such as ``https://dagster.example``: a run for each batch is launched
        there, and this host works on none. None for no Dagster.
    dagster_token
        What is shown to it, if it asks for a token. Not in the repr.
    dagster_location
        The code location that has the job for batches; ``repository@location`` if it isn't the
        location's only one.
    most_upload_bytes
        The largest file that is uploaded.
    most_batches, most_own_batches
        Batches that are uploaded or wait at most, of all callers and of one.
    result_hours
        How long results are kept.
    notice_seconds
        How long the service goes on once it is told to stop, while it answers that it isn't ready
        and closes connections, so that callers go elsewhere; and how long it then waits for the
        requests of connections that were made last.
    drain_seconds
        How long accepted requests may take to end when the service is told to stop.
    environment
        ``production``, ``staging``, ``development`` or ``test``: the level of the logs.
    log_level
        ``debug``, ``info``, ``warning`` or ``error``, instead of the environment's.
    log_folder
        The folder of the four logs; without one they go to the standard output and error.
    log_queue
        Lines that wait to be written at most; more are dropped, and counted.
    slow_seconds
        A request that takes longer has a line in the performance log.
    performance_seconds
        How often the performance log has a line on the process.

    Examples
    --------
    >>> ServiceSettings.from_environment({"TOKENKIT_SERVICE_PORT": "9000"}).port
    9000
    """

    host: str = "127.0.0.1"
    port: int = 8400
    workers: int = 1
    database_url: str | None = None
    policies: Path | None = None
    trusted_proxies: str = ""
    most_values: int = 1_000
    most_bulk_values: int = 1_000_000
    most_body_bytes: int = 2**20
    most_bulk_bytes: int = 2**26
    api_key_limit: str = "60000/minute"
    session_limit: str = "1200/minute"
    address_limit: str = "60000/minute"
    daily_values: int = 0
    redis_url: str | None = field(default=None, repr=False)
    limit_counters: int = 100_000
    token_records: int = 100_000
    idempotency_keys: int = 10_000
    most_in_flight: int = 512
    most_bulk_in_flight: int = 4
    retry_after: int = 1
    threads: int = 8
    password_workers: int = 2
    sign_ins_waiting: int = 32
    column_calls: int = 1_024
    audit_seconds: float = 5.0
    audit_queue: int = 8_192
    audit_batch: int = 1_024
    database_connections: int = 8
    database_seconds: float = 5.0
    batches: str | None = None
    batch_workers: int = 2
    dagster_url: str | None = None
    dagster_token: str | None = field(default=None, repr=False)
    dagster_location: str = "tokenkit"
    most_upload_bytes: int = 10 * 2**30
    most_batches: int = 1_000
    most_own_batches: int = 100
    result_hours: float = 24.0
    notice_seconds: float = 1.0
    drain_seconds: float = 30.0
    environment: str = "production"
    log_level: str = ""
    log_folder: Path | None = None
    log_queue: int = 8_192
    slow_seconds: float = 1.0
    performance_seconds: float = 10.0

    @property
    def batches_place(self) -> str:
        """Where files of batches lie."""
        return self.batches or str(user_data_path("tokenkit") / "batches")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **given: Any) -> Self:
        """Read the settings from the environment; what is given besides comes before it.

        Raises
        ------
        InvalidRequest
            If a setting can't be read.
        """
        kinds = get_type_hints(cls)
        read: dict[str, Any] = {}
        for one in fields(cls):
            text = environ.get(PREFIX + one.name.upper())
            if text:
                read[one.name] = _read(one.name, text, kinds[one.name])
        if redis := environ.get(REDIS_VARIABLE):
            read.setdefault("redis_url", redis)
        if folder := environ.get(POLICIES_VARIABLE):
            read.setdefault("policies", Path(folder))
        return cls(**read | {name: value for name, value in given.items() if value is not None})


def _read(name: str, text: str, kind: Any) -> Any:
    try:
        if kind in {int, float}:
            number = kind(text)
            if number < 0:
                raise ValueError
            return number
    except ValueError:
        pass
    else:
        return Path(text) if kind == Path | None else text
    raise InvalidRequest(
        f"{PREFIX}{name.upper()} is no number that can be used", hint="a number, such as 8"
    )
