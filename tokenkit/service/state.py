"""What the handlers of one process share, and how it is opened and closed."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from starlette.requests import HTTPConnection

from tokenkit.access.cache import RightsCache
from tokenkit.batches.batch import Batch
from tokenkit.batches.queue import Batches
from tokenkit.batches.storage import BatchStorage, SealedReader, open_batch_key
from tokenkit.errors import Overloaded, TokenkitError
from tokenkit.keys import Keyring, KeyVersion, current_keyring
from tokenkit.lineage import AuditRecord
from tokenkit.policy.folder import Policies
from tokenkit.service.auditing import AuditWriter
from tokenkit.service.changes import (
    POLICY_ACTION,
    digests,
    key_changes,
    policy_changes,
    recorded_digests,
)
from tokenkit.service.columns import ColumnCalls
from tokenkit.service.guards import Guard
from tokenkit.service.housekeeping import Housekeeping
from tokenkit.service.idempotency import IdempotencyKeys
from tokenkit.service.idempotent_calls import IdempotencyGuard
from tokenkit.service.keyrings import KeyringFollower
from tokenkit.service.limits import Rate, RequestLimits
from tokenkit.service.logs import Logs
from tokenkit.service.logs.performance import tell_performance
from tokenkit.service.metrics import Metrics, MetricsGuard
from tokenkit.service.metrics.batches import BatchCollector
from tokenkit.service.metrics.business import UseCollector
from tokenkit.service.metrics.sampling import sampled
from tokenkit.service.metrics.system import HostCollector
from tokenkit.service.policies import PolicyFollower
from tokenkit.service.quotas import DailyQuotas, QuotaGuard
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.signing import Signing
from tokenkit.service.token_records import TokenRecords
from tokenkit.service.token_records.guard import TokenRecordGuard
from tokenkit.service.traces import NO_TRACES, NoTraces
from tokenkit.store.audit import audit_key, page
from tokenkit.store.database import Database, Limits

_LOG = logging.getLogger("tokenkit.service")
_SAMPLE_SECONDS = 1.0
_LATEST = 1_000
"""Records of policies that a service looks through when it starts."""
_WAITING_A_THREAD = 16
"""What may wait for each thread."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class ServiceState:
    """What handlers share.

    Attributes
    ----------
    settings
        What the service was told at its start.
    keyring
        The keys. Whoever changes it calls ``columns.forget()``.
    policies
        The policies by name; as for the keyring.
    database
        The store's database.
    rights
        Who may do what.
    audit
        Writes the audit log.
    columns
        Resolves what requests name.
    signing
        Checks and hashes passwords.
    keys
        Follows the keyring's file, and rotates keys.
    threads
        For what would hold up the other requests.
    limits, quotas
        Count requests, and values.
    records
        The records of tokens.
    idempotency
        Requests under idempotency keys.
    metrics
        Counts what is done.
    batches, batch_storage
        The batches, and their files.
    logs
        The streams of logs, if any are written.
    traces
        Takes spans of what is done.
    guards
        Stand around every token operation, in this order.
    stopping
        Whether the service has been told to stop.
    bulk_in_flight
        Bodies in Arrow or NDJSON that are worked on now.
    """

    settings: ServiceSettings
    keyring: Keyring
    policies: Policies
    database: Database
    rights: RightsCache
    audit: AuditWriter
    columns: ColumnCalls
    signing: Signing
    keys: KeyringFollower
    threads: ThreadPoolExecutor
    limits: RequestLimits
    quotas: DailyQuotas
    records: TokenRecords
    idempotency: IdempotencyKeys
    metrics: Metrics
    batches: Batches
    batch_storage: BatchStorage
    logs: Logs | None
    traces: NoTraces
    guards: list[Guard] = field(default_factory=list)
    stopping: bool = False
    bulk_in_flight: int = 0
    _waiting: int = 0

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread, or have one."""
        return self._waiting

    async def run(self, function: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
        """Run a function that waits, for the database or a processor, in a thread of its own.

        Raises
        ------
        Overloaded
            If so many wait for a thread that another one would wait too long.
        """
        if self._waiting >= self.settings.threads * _WAITING_A_THREAD:
            raise Overloaded(
                "too many requests wait for a thread",
                reason="threads",
                hint="try again a moment later",
                retry_after=self.settings.retry_after,
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            # With the context, in which the request's id is.
            within = partial(contextvars.copy_context().run, function, *given, **named)
            return await loop.run_in_executor(self.threads, within)
        finally:
            self._waiting -= 1

    def open_result(self, batch: Batch) -> SealedReader:
        """Open the result of a complete batch.

        Raises
        ------
        InputNotFound, InputError, NotAuthentic, KeyringError
            If it isn't there, or isn't what was stored, or its key can't be opened.
        """
        key = open_batch_key(self.keyring, batch.id, batch.sealed_key or "")
        return self.batch_storage.reader(batch.id, batch.attempt, "result", key)


def state_of(connection: HTTPConnection) -> ServiceState:
    """Give what the handlers share."""
    found: ServiceState = connection.app.state.service
    return found


class _Opening:
    """Opens the parts in their order; they are closed in the reverse one."""

    def __init__(
        self,
        settings: ServiceSettings,
        keyring: Keyring | None,
        metrics: Metrics,
        logs: Logs | None,
        traces: NoTraces,
    ) -> None:
        self._logs = logs
        self._traces = traces
        self._metrics = metrics
        self._settings = settings
        self._keyring = keyring
        self._loop = asyncio.get_running_loop()
        self._state: ServiceState | None = None

    def open(self, stack: ExitStack) -> ServiceState:
        settings = self._settings
        keyring = self._keyring or current_keyring()
        # The last to end: what closes before it still needs the keys.
        keys = stack.enter_context(closing(KeyringFollower(keyring, self._replace_keyring)))
        limits = Limits(settings.database_connections, settings.database_seconds)
        database = stack.enter_context(Database.open(settings.database_url, limits=limits))
        threads = stack.enter_context(
            ThreadPoolExecutor(settings.threads, thread_name_prefix="tokenkit-service")
        )
        audit = AuditWriter(
            database,
            self._audit_key,
            seconds=settings.audit_seconds,
            most_waiting=settings.audit_queue,
            most_at_once=settings.audit_batch,
        )
        stack.callback(audit.close)
        policies = PolicyFollower(settings.policies, self._replace_policies)
        stack.callback(policies.close)
        rights = stack.enter_context(RightsCache(database, background=True))
        columns = ColumnCalls(
            self._current_keyring, lambda: self._opened.policies, settings.column_calls
        )
        signing = stack.enter_context(
            closing(Signing(settings.password_workers, settings.sign_ins_waiting))
        )
        self._state = ServiceState(
            settings=settings,
            keyring=keyring,
            policies=policies.policies,
            database=database,
            rights=rights,
            audit=audit,
            columns=columns,
            signing=signing,
            keys=keys,
            threads=threads,
            limits=RequestLimits(
                api_key=Rate.parse_any(settings.api_key_limit),
                session=Rate.parse_any(settings.session_limit),
                address=Rate.parse_any(settings.address_limit),
                redis_url=settings.redis_url,
                size=settings.limit_counters,
            ),
            quotas=DailyQuotas(database, settings.daily_values or None),
            records=TokenRecords(database, self._current_keyring, size=settings.token_records),
            idempotency=IdempotencyKeys(
                database, self._current_keyring, size=settings.idempotency_keys
            ),
            metrics=self._metrics,
            batches=Batches(
                database,
                most_waiting=settings.most_batches,
                most_own=settings.most_own_batches,
                kept=timedelta(hours=settings.result_hours),
            ),
            batch_storage=BatchStorage.open(settings.batches_place),
            logs=self._logs,
            traces=self._traces,
        )
        self._write_first(policies.policies)
        self._state.guards += [
            IdempotencyGuard(self._state),
            QuotaGuard(self._state),
            TokenRecordGuard(self._state),
            MetricsGuard(self._metrics),
        ]
        self._metrics.sample_from(partial(sampled, self._state))
        self._metrics.collect_from(HostCollector(database.address.file or Path.cwd()))
        self._metrics.collect_from(UseCollector(database))
        self._metrics.collect_from(BatchCollector(self._state.batches))
        stack.enter_context(closing(Housekeeping([self._metrics.sample], every=_SAMPLE_SECONDS)))
        if self._logs is not None:
            tell = partial(tell_performance, self._logs, self._state)
            every = settings.performance_seconds
            stack.enter_context(closing(Housekeeping([tell], every=every)))
        stack.callback(self._state.quotas.close)
        chores = [self._state.idempotency.purge, self._state.quotas.purge]
        stack.enter_context(closing(Housekeeping(chores)))
        return self._state

    @property
    def _opened(self) -> ServiceState:
        assert self._state is not None  # noqa: S101 - nothing is asked before it is there
        return self._state

    def _current_keyring(self) -> Keyring:
        return self._opened.keyring

    def _replace_keyring(self, before: Keyring, keyring: Keyring) -> None:
        def replace() -> None:
            self._opened.keyring = keyring
            self._opened.columns.forget()

        self._write(key_changes(before, keyring))
        # Where columns are resolved, so that none of the old keyring is put back afterwards.
        self._loop.call_soon_threadsafe(replace)

    def _replace_policies(self, before: Policies, policies: Policies) -> None:
        def replace() -> None:
            self._opened.policies = policies
            self._opened.columns.forget()

        self._write(policy_changes(digests(before), digests(policies)))
        self._loop.call_soon_threadsafe(replace)

    def _write(self, records: Iterable[AuditRecord]) -> None:
        """Write down what has changed, before anything is done by it."""
        with self._opened.database.begin() as connection:
            self._opened.audit.append(connection, list(records))

    def _write_first(self, policies: Policies) -> None:
        with self._opened.database.begin() as connection:
            latest = page(connection, _LATEST, equal={"action": POLICY_ACTION}).records
        self._write(policy_changes(recorded_digests(latest), digests(policies)))

    def _audit_key(self) -> KeyVersion:
        return audit_key(self._current_keyring())


@asynccontextmanager
async def opened(
    settings: ServiceSettings,
    keyring: Keyring | None = None,
    metrics: Metrics | None = None,
    logs: Logs | None = None,
    traces: NoTraces = NO_TRACES,
) -> AsyncGenerator[ServiceState, None]:
    """Open what the handlers share, and close it in the reverse order.

    Parameters
    ----------
    settings
        What the service is told.
    keyring
        The keys; by default the current keyring.
    metrics
        Counts what is done; by default nobody looks at it.
    logs
        The streams of logs; by default nothing is written.
    traces
        Takes spans; by default there are none.
    """
    with ExitStack() as stack:
        try:
            state = _Opening(settings, keyring, metrics or Metrics(), logs, traces).open(stack)
        except TokenkitError as error:
            _LOG.error("the service can't start: %s %s", error.code, error.message)
            raise
        try:
            yield state
        finally:
            await state.limits.close()
