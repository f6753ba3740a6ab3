"""Records of the audit log: who did what, to what, with which key, and how it ended."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record of the audit log; it never holds a value, a token or a key byte.

    Attributes
    ----------
    at
        When, in UTC.
    actor
        Who.
    action
        What: ``tokenize``, ``detokenize``, ``rekey``, ...
    outcome
        How it ended: ``prepared``, ``complete``, ``failed``, ``refused``.
    object
        What it was done to: a dataset, a key, ...
    run
        The id of the run that it belongs to.
    key, key_id
        The key's name, and the id of its version.
    count
        How many values.
    reason
        A stable code: of an error, or why values didn't fit.
    token_hash
        A keyed hash of the token, where one value is meant; never a hash of plaintext.
    detail
        Further facts as JSON text, such as the digest of a run record.
    """

    at: datetime
    actor: str
    action: str
    outcome: str
    object: str | None = None
    run: str | None = None
    key: str | None = None
    key_id: int | None = None
    count: int | None = None
    reason: str | None = None
    token_hash: bytes | None = None
    detail: str | None = None
