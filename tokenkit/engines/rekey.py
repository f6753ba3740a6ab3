"""``tokenkit.rekey``: tokens of one key version become those of another, without the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from tokenkit.engines.column import ColumnCall, VersionChoice
from tokenkit.engines.frame_plan import FramePlan, Recorded, Versions, plan_frame
from tokenkit.engines.polars import frames
from tokenkit.errors import PolicyError, SchemeError, UnsupportedType, translated
from tokenkit.keys import Keyring, KeyVersion, current_keyring
from tokenkit.policy.rule import ColumnRule, checked_version

if TYPE_CHECKING:
    import pyarrow as pa

    from tokenkit.policy import PolicySource

    Frame = TypeVar(
        "Frame", pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatch, pa.RecordBatchReader
    )

Target = Mapping[str, VersionChoice] | VersionChoice
"""The versions to rekey to, by column, or one choice for all."""


def rekey(
    data: Frame,
    policy: PolicySource | None = None,
    *,
    to: Target = "primary",
    versions: Versions = None,
    columns: Recorded | None = None,
    keyring: Keyring | None = None,
) -> Frame:
    """Turn a frame's tokens into those that another version of their keys makes.

    Values are there a few thousand at a time, in memory of the native module that is overwritten;
    no column ever holds them. Files are rekeyed by ``tokenkit rekey``, which also proves that every
    value is still there.

    Parameters
    ----------
    data
        A Polars ``DataFrame`` or ``LazyFrame``, or a pyarrow ``Table``, ``RecordBatch`` or
        ``RecordBatchReader``, of tokens.
    policy
        The policy that they were made by.
    to
        The version of the new tokens: its number or ``"primary"``, for all columns or by column.
        Columns whose tokens are of that version already stay as they are.
    versions
        The key version of each column's tokens, or one for all, as a number or ``"primary"``.
        Needed once a key has had more than one version, unless ``columns`` is given.
    columns
        In place of ``policy`` and ``versions``: the metadata of the file that the frame comes from.
    keyring
        Where the keys are; default: the current keyring.

    Returns
    -------
    The same kind of data as given. Lazy frames and readers are turned when they are read.

    Raises
    ------
    KeyVersionUnknown
        If nothing says which version made the tokens, or there is no version to rekey to.
    InvalidValues
        If a value is no token of the version that it should be of; nothing is given then.
    SchemeError
        If a scheme gives no way back from its tokens.
    PolicyError, MetadataError, KeyringError, UnsupportedType
        As for :func:`tokenkit.detokenize`.

    Examples
    --------
    >>> import polars as pl, tokenkit as tk
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> df = pl.DataFrame({"ssn": ["078-05-1120"]})
    >>> policy = {"columns": {"ssn": {"scheme": "us-ssn", "key": "people"}}}
    >>> old = tk.tokenize(df, policy, keyring=ring)
    >>> _ = ring.rotate("people")
    >>> new = tk.rekey(old, policy, versions=1, keyring=ring)
    >>> new.equals(old), tk.detokenize(new, policy, versions=2, keyring=ring).equals(df)
    (False, True)
    """

    def plan(names: Sequence[str]) -> FramePlan:
        back = plan_frame(
            policy, names, "detokenize", keyring=keyring, versions=versions, recorded=columns
        )
        return _rekeyed(back, to, current_keyring() if keyring is None else keyring)

    if isinstance(data, pl.DataFrame | pl.LazyFrame):
        with translated():
            names = data.collect_schema().names()
        lazy = frames.select(data.lazy(), names, plan(names))
        if isinstance(data, pl.LazyFrame):
            return lazy
        with translated():
            return lazy.collect(engine="in-memory")
    if type(data).__module__.partition(".")[0] == "pyarrow":
        # Whoever hands over Arrow data has imported pyarrow already.
        from tokenkit.engines.arrow import tables  # noqa: PLC0415

        return tables.transform(data, plan)
    raise UnsupportedType(
        "only Polars and pyarrow tables can be rekeyed",
        hint="polars.DataFrame(data), or pyarrow.table(data)",
    )


def rekey_call(call: ColumnCall, new: KeyVersion) -> ColumnCall | None:
    """Turn a call that detokenizes into one that rekeys; None if the tokens are as they should be.

    Raises
    ------
    SchemeError
        If the scheme gives no way back.
    """
    require_reversible(call.rule)
    if new.id == call.version.id:
        return None
    return replace(call, operation="rekey", output="token", new_version=new)


def require_reversible(rule: ColumnRule, name: str | None = None) -> None:
    """Refuse a scheme whose tokens can't be turned back.

    Raises
    ------
    SchemeError
        If it's one.
    """
    if not getattr(rule.scheme, "reversible", True):
        raise SchemeError(
            f"tokens of the scheme {rule.scheme.name} can't be turned back",
            column=name,
            hint="tokenize the values anew from their source",
        )


def new_version(keyring: Keyring, key: str, to: VersionChoice) -> KeyVersion:
    """Find the version to rekey to.

    Raises
    ------
    KeyringError
        If there is no enabled version of that number.
    """
    chosen = checked_version(to)
    return keyring[key].primary if chosen == "primary" else keyring[key].version(chosen)


def _rekeyed(back: FramePlan, to: Target, keyring: Keyring) -> FramePlan:
    if isinstance(to, Mapping):
        foreign = [name for name in to if back.get(name) is None]
        if foreign:
            raise PolicyError("to names a column that isn't tokenized", column=str(foreign[0]))
    plan: FramePlan = {}
    for name, call in back.items():
        if call is None:
            plan[name] = None
            continue
        require_reversible(call.rule, name)
        choice = to.get(name, "primary") if isinstance(to, Mapping) else to
        plan[name] = rekey_call(
            replace(call, rule=strict(call.rule)), new_version(keyring, call.rule.key, choice)
        )
    return plan


def strict(rule: ColumnRule) -> ColumnRule:
    """Let what is no token be an error, whatever became of values that don't fit."""
    return replace(rule, on_invalid="seal" if rule.on_invalid == "seal" else "error")
