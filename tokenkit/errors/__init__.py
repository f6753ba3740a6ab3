"""The tree of exceptions: everything that tokenkit raises on purpose.

::

    TokenkitError TK000
    ├── PolicyError TK100 (ValueError)          a policy that contradicts itself or its input
    ├── SpecificationError TK101 (ValueError)   a column specification that can't be read
    ├── SchemeError TK103 (ValueError)          parameters that a scheme can't work with
    │   └── DomainTooSmall TK102                fewer values than the standard allows
    ├── KeyringError TK200                      keys and keyrings
    │   ├── KeyNotLoaded TK201                  the plan's key isn't loaded in this process
    │   ├── KeyConflict TK202 (ValueError)      two different keys under one id
    │   ├── UnknownKey TK203 (KeyError)         no key of that name
    │   ├── KeyVersionUnknown TK204 (LookupError)    no such version, or nothing says which
    │   ├── KeyVersionDisabled TK205            the version is disabled or destroyed
    │   ├── InvalidKey TK206 (ValueError)       a key name or key bytes that can't be used
    │   ├── KeyExists TK207 (ValueError)        the keyring has a key of that name
    │   ├── KeyNotExportable TK208 (TypeError)  an attempt to pickle or copy a key
    │   ├── KeyringClosed TK209 (ValueError)    use after close
    │   ├── KeyringNotFound TK210 (FileNotFoundError)
    │   ├── KeyringExists TK211 (FileExistsError)    creating would overwrite
    │   ├── KeyringFormatError TK212 (ValueError)    no keyring file, or a damaged one
    │   ├── WrongKek TK213                      wrong key-encryption key, or damaged stanza
    │   ├── KeyringTampered TK214               the file isn't what was saved
    │   ├── KeyringChanged TK215                another writer saved in between
    │   ├── KeyringNotConfigured TK216          nothing says which keyring to use
    │   ├── KekNotConfigured TK217              nothing says where the KEK is
    │   ├── KeyProviderError TK218              a provider unknown, or without an answer
    │   ├── AccessDenied TK219 (PermissionError)     the keyring was opened for tokenizing only
    │   ├── KeyringOutdated TK220               an older file than one that was seen before
    │   ├── PinMismatch TK221                   the keyring isn't the one that was pinned
    │   └── ExchangeRefused TK222               an exchange file that isn't for this, or not now
    ├── DataError TK300                         the data doesn't fit
    │   ├── InvalidValues TK301 (ValueError)    values that don't fit the scheme
    │   ├── UnsupportedType TK302 (TypeError, ValueError)   a column type that can't be tokenized
    │   ├── TweakMismatch TK303 (ValueError)    tweaks that don't fit the values
    │   └── NotAuthentic TK304 (ValueError)     a sealed token that isn't one under this key
    ├── EngineError TK400                       Polars or Arrow failed; their text is withheld
    │   └── NativeDefect TK401                  a defect of tokenkit: please report it
    ├── MetadataError TK500                     what says which key version made the tokens
    │   ├── MetadataMissing TK501               there is none
    │   ├── MetadataTampered TK502              its MAC doesn't hold
    │   └── MetadataMismatch TK503              it describes something else
    ├── JobError TK600                          a job; may name a file and a line
    │   ├── InputError TK601 (ValueError)       the input's structure is broken
    │   ├── OutputExists TK602 (FileExistsError)
    │   ├── InputNotFound TK603 (FileNotFoundError)
    │   ├── ConnectorMissing TK604 (LookupError)     no such connector, or it lacks a package
    │   └── ConnectorFailed TK605               the system behind a connector refuses, or broke off
    ├── StoreError TK700                        lineage and the audit log
    │   ├── StoreUnavailable TK701              the database can't be reached, or broke off
    │   ├── SchemaOutdated TK702                its tables are of another version of tokenkit
    │   ├── NotRecorded TK703 (LookupError)     no such run, dataset or column is recorded
    │   └── AuditBroken TK704                   the audit log was altered
    ├── AccessError TK800                       users, rights, sessions and API keys
    │   ├── NotAuthenticated TK801              nobody is known by what was shown
    │   ├── SecondFactorNeeded TK802            the password is right, and a code is needed too
    │   ├── TooManyAttempts TK803               wait before the next attempt
    │   ├── Forbidden TK804 (PermissionError)   no right to do this
    │   ├── PasswordRefused TK805 (ValueError)  a new password that is too easy to guess
    │   ├── UnknownAccount TK806 (LookupError)  no such user, role, grant, session or API key
    │   ├── AccountExists TK807 (ValueError)    the name is taken
    │   ├── AlreadyBootstrapped TK808           the first administrator has been made
    │   ├── AccessStale TK809                   the rights couldn't be read again in time
    │   ├── AccessBusy TK810                    too many passwords are being checked
    │   └── InvalidAccess TK811 (ValueError)    a name, a right or a scope that can't be read
    ├── ServiceError TK900                      requests to the service
    │   ├── InvalidRequest TK901 (ValueError)   a field is missing, unknown or of the wrong kind
    │   ├── RequestTooLarge TK902 (ValueError)  more bytes or values than are taken at once
    │   ├── Overloaded TK903                    too many requests at a time
    │   ├── AuditUnavailable TK904              the audit log couldn't be written in time
    │   ├── UnknownResource TK905 (LookupError) no such thing, or no right to know of it
    │   ├── UnsupportedBody TK906 (TypeError)   a media type that isn't read or written here
    │   ├── TooManyRequests TK911               a limit or a daily quota is reached
    │   ├── RequestUnderWay TK912               one under the same idempotency key isn't done yet
    │   └── RangeNotSatisfiable TK913 (ValueError)   a part that a file doesn't have
    ├── ClientError TK920                       calls of the client
    │   ├── RequestRefused TK921                the service says what is wrong with the request
    │   │   └── CallerRefused TK922 (PermissionError)    the caller is unknown, or has no right
    │   ├── ServiceUnavailable TK923            no answer, or no room, also after trying again
    │   │   └── ServiceTimedOut TK924 (TimeoutError)     not in time
    │   └── UnreadableAnswer TK925 (ValueError) an answer that isn't the service's, or isn't whole
    └── BatchError TK950                        batches
        ├── BatchLost TK951                     it is over, or another worker has it
        ├── BatchInterrupted TK952              its workers died
        ├── PolicyReplaced TK953                its policy isn't the one any more
        └── ExecutorUnavailable TK954           Dagster can't be reached, or takes no runs

Codes are stable: Polars rebuilds a plugin's error from its text alone, so the native module writes
the code in front and :func:`from_polars` finds the class again. No message holds a value, a token
or a key byte.
"""

# The tree's names say what happened; a suffix "Error" on each would only repeat the base class.
# ruff: noqa: N818

import json
from typing import ClassVar


class TokenkitError(Exception):
    """Base class of everything that tokenkit raises on purpose.

    Parameters
    ----------
    message
        What happened, in one line. Holds no value, token or key byte.
    column
        The column concerned.
    reason
        Why values don't fit, as a stable word (``"check_digit"``, ``"length"``, ...).
    count
        How many values are concerned.
    hint
        What to do or type next.

    Examples
    --------
    >>> error = InvalidValues("values do not fit", column="card", reason="length", count=2)
    >>> error.code, error.column, error.count
    ('TK301', 'card', 2)
    >>> print(error)
    values do not fit [column="card" reason="length" count=2]
    """

    code: ClassVar[str] = "TK000"  # subclasses give theirs as a class argument
    _shown: ClassVar[tuple[str, ...]] = ("column", "reason", "count")

    def __init_subclass__(cls, code: str | None = None) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.code = code

    def __init__(
        self,
        message: str,
        *,
        column: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.reason = reason
        self.count = count
        self.hint = hint

    @property
    def summary(self) -> str:
        """The message and its fields on one line, without the hint."""
        fields = [
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name in self._shown
            if (value := getattr(self, name)) is not None
        ]
        return f"{self.message} [{' '.join(fields)}]" if fields else self.message

    def __str__(self) -> str:
        return f"{self.summary}\nhint: {self.hint}" if self.hint else self.summary

    # Exceptions are pickled by their arguments, which would lose the keyword-only fields.
    def __reduce__(self) -> tuple[type, tuple[str], dict[str, object]]:
        return type(self), (self.message,), self.__dict__.copy()


class SpecificationError(TokenkitError, ValueError, code="TK101"):
    """A column's specification can't be read: another version wrote it, or it was altered."""


class PolicyError(TokenkitError, ValueError, code="TK100"):
    """A policy contradicts itself, or doesn't cover its input."""


class SchemeError(TokenkitError, ValueError, code="TK103"):
    """Parameters that a scheme or an algorithm can't work with."""


class DomainTooSmall(SchemeError, code="TK102"):
    """Fewer values than the standard allows for format-preserving encryption."""


class KeyringError(TokenkitError, code="TK200"):
    """Base class of what goes wrong with keys and keyrings."""


class KeyNotLoaded(KeyringError, code="TK201"):
    """A plan names a key version that isn't loaded in this process."""


class KeyConflict(KeyringError, ValueError, code="TK202"):
    """Two different keys claim one id."""


class UnknownKey(KeyringError, KeyError, code="TK203"):
    """The keyring has no key of that name."""


class KeyVersionUnknown(KeyringError, LookupError, code="TK204"):
    """The key has no such version, or nothing says which version made the tokens."""


class KeyVersionDisabled(KeyringError, code="TK205"):
    """The key version exists, but is disabled or destroyed."""


class InvalidKey(KeyringError, ValueError, code="TK206"):
    """A key name or key bytes that can't be used."""


class KeyExists(KeyringError, ValueError, code="TK207"):
    """The keyring already has a key of that name."""


class KeyNotExportable(KeyringError, TypeError, code="TK208"):
    """Keys stay in their process: they can't be pickled or copied."""


class KeyringClosed(KeyringError, ValueError, code="TK209"):
    """The keyring, or a key taken from it, was used after it had been closed."""


class KeyringNotFound(KeyringError, FileNotFoundError, code="TK210"):
    """There is no keyring file at that path."""


class KeyringExists(KeyringError, FileExistsError, code="TK211"):
    """A file is already there, and creating a keyring would destroy it."""


class KeyringFormatError(KeyringError, ValueError, code="TK212"):
    """The file is no keyring file, or a damaged one, or asks for something that is refused."""


class WrongKek(KeyringError, code="TK213"):
    """The key-encryption key doesn't open the keyring, or the part that it wraps is damaged."""


class KeyringTampered(KeyringError, code="TK214"):
    """The key-encryption key is right, but the rest of the file isn't what was saved."""


class KeyringChanged(KeyringError, code="TK215"):
    """Another writer saved the keyring after it was opened here; nothing was written."""


class KeyringNotConfigured(KeyringError, code="TK216"):
    """Nothing says which keyring to use."""


class KekNotConfigured(KeyringError, code="TK217"):
    """Nothing says where the key-encryption key comes from, or its source is empty."""


class KeyProviderError(KeyringError, code="TK218"):
    """A key provider that is unknown, badly named, or doesn't answer."""


class AccessDenied(KeyringError, PermissionError, code="TK219"):
    """The keyring was opened for tokenizing only, and this would turn tokens back."""


class KeyringOutdated(KeyringError, code="TK220"):
    """The keyring's file is older than one of the same keyring that was seen before."""


class PinMismatch(KeyringError, code="TK221"):
    """The keyring's keys or generation aren't what was pinned."""


class ExchangeRefused(KeyringError, code="TK222"):
    """An exchange file that has expired, was imported before, or is for something else."""


class DataError(TokenkitError, code="TK300"):
    """Base class of what goes wrong with the data itself."""


class InvalidValues(DataError, ValueError, code="TK301"):
    """Values that don't fit the scheme; see ``column``, ``reason`` and ``count``."""


class UnsupportedType(DataError, TypeError, ValueError, code="TK302"):
    """A column of a type that the scheme can't tokenize."""


class TweakMismatch(DataError, ValueError, code="TK303"):
    """Tweaks that don't fit the values: another number of rows, or nulls where there is a value."""


class NotAuthentic(DataError, ValueError, code="TK304"):
    """A sealed token that was not made under this key and domain, or was altered."""


class EngineError(TokenkitError, code="TK400"):
    """Polars or Arrow failed. Their own text may quote values, so it isn't shown."""


class NativeDefect(EngineError, code="TK401"):
    """A defect of tokenkit itself: please report it."""


class MetadataError(TokenkitError, code="TK500"):
    """Base class of what goes wrong with the metadata that names the key versions of tokens."""


class MetadataMissing(MetadataError, code="TK501"):
    """There is no metadata where tokens should have some."""


class MetadataTampered(MetadataError, code="TK502"):
    """The metadata's MAC doesn't hold."""


class MetadataMismatch(MetadataError, code="TK503"):
    """The metadata describes something else than the policy or the data."""


# Branches in modules of their own: they need the class above, and the list below needs them.
from tokenkit.errors.access import AccessBusy as AccessBusy  # noqa: E402
from tokenkit.errors.access import AccessError as AccessError  # noqa: E402
from tokenkit.errors.access import AccessStale as AccessStale  # noqa: E402
from tokenkit.errors.access import AccountExists as AccountExists  # noqa: E402
from tokenkit.errors.access import AlreadyBootstrapped as AlreadyBootstrapped  # noqa: E402
from tokenkit.errors.access import Forbidden as Forbidden  # noqa: E402
from tokenkit.errors.access import InvalidAccess as InvalidAccess  # noqa: E402
from tokenkit.errors.access import NotAuthenticated as NotAuthenticated  # noqa: E402
from tokenkit.errors.access import PasswordRefused as PasswordRefused  # noqa: E402
from tokenkit.errors.access import SecondFactorNeeded as SecondFactorNeeded  # noqa: E402
from tokenkit.errors.access import TooManyAttempts as TooManyAttempts  # noqa: E402
from tokenkit.errors.access import UnknownAccount as UnknownAccount  # noqa: E402
from tokenkit.errors.batches import BatchError as BatchError  # noqa: E402
from tokenkit.errors.batches import BatchInterrupted as BatchInterrupted  # noqa: E402
from tokenkit.errors.batches import BatchLost as BatchLost  # noqa: E402
from tokenkit.errors.batches import ExecutorUnavailable as ExecutorUnavailable  # noqa: E402
from tokenkit.errors.batches import PolicyReplaced as PolicyReplaced  # noqa: E402
from tokenkit.errors.client import CallerRefused as CallerRefused  # noqa: E402
from tokenkit.errors.client import ClientError as ClientError  # noqa: E402
from tokenkit.errors.client import RequestRefused as RequestRefused  # noqa: E402
from tokenkit.errors.client import ServiceTimedOut as ServiceTimedOut  # noqa: E402
from tokenkit.errors.client import ServiceUnavailable as ServiceUnavailable  # noqa: E402
from tokenkit.errors.client import UnreadableAnswer as UnreadableAnswer  # noqa: E402
from tokenkit.errors.jobs import ConnectorFailed as ConnectorFailed  # noqa: E402
from tokenkit.errors.jobs import ConnectorMissing as ConnectorMissing  # noqa: E402
from tokenkit.errors.jobs import InputError as InputError  # noqa: E402
from tokenkit.errors.jobs import InputNotFound as InputNotFound  # noqa: E402
from tokenkit.errors.jobs import JobError as JobError  # noqa: E402
from tokenkit.errors.jobs import OutputExists as OutputExists  # noqa: E402
from tokenkit.errors.service import AuditUnavailable as AuditUnavailable  # noqa: E402
from tokenkit.errors.service import InvalidRequest as InvalidRequest  # noqa: E402
from tokenkit.errors.service import Overloaded as Overloaded  # noqa: E402
from tokenkit.errors.service import RangeNotSatisfiable as RangeNotSatisfiable  # noqa: E402
from tokenkit.errors.service import RequestTooLarge as RequestTooLarge  # noqa: E402
from tokenkit.errors.service import RequestUnderWay as RequestUnderWay  # noqa: E402
from tokenkit.errors.service import ServiceError as ServiceError  # noqa: E402
from tokenkit.errors.service import TooManyRequests as TooManyRequests  # noqa: E402
from tokenkit.errors.service import UnknownResource as UnknownResource  # noqa: E402
from tokenkit.errors.service import UnsupportedBody as UnsupportedBody  # noqa: E402
from tokenkit.errors.store import AuditBroken as AuditBroken  # noqa: E402
from tokenkit.errors.store import NotRecorded as NotRecorded  # noqa: E402
from tokenkit.errors.store import SchemaOutdated as SchemaOutdated  # noqa: E402
from tokenkit.errors.store import StoreError as StoreError  # noqa: E402
from tokenkit.errors.store import StoreUnavailable as StoreUnavailable  # noqa: E402

# The tree is whole by now, and translating needs it.
from tokenkit.errors.translation import BY_CODE as BY_CODE  # noqa: E402
from tokenkit.errors.translation import from_polars as from_polars  # noqa: E402
from tokenkit.errors.translation import translated as translated  # noqa: E402
