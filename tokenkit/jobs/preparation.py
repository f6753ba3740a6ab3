"""What a job comes down to before any row is read: its inputs, their columns, and their calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from tokenkit.engines.polars.rejects import RejectCell
from tokenkit.errors import InputError, JobError, PolicyError, translated
from tokenkit.jobs.aside import refusing
from tokenkit.jobs.calls import Calls, calls_to_detokenize, calls_to_tokenize
from tokenkit.jobs.connectors import Source, TextOptions
from tokenkit.jobs.inlets import Inlet
from tokenkit.jobs.inputs import InputFile
from tokenkit.jobs.job import Job
from tokenkit.jobs.origins import origin_of
from tokenkit.jobs.outcomes import Part
from tokenkit.jobs.rejects.cells import check_cells
from tokenkit.jobs.rejects.source import RejectsSource
from tokenkit.keys import Keyring, KeyVersion
from tokenkit.policy import Metadata, Policy

REJECTS_DOMAIN: Final = "rejects"
"""The domain of cells that are sealed under the policy's key for rejected rows."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input, opened far enough to know its columns.

    Attributes
    ----------
    inlet
        Where it is.
    source
        What reads it.
    calls
        What becomes of each column.
    schema
        Names and types of its columns, those of its path included.
    cells
        The same columns and their keys, if rows can be rejected.
    """

    inlet: Inlet
    source: Source
    calls: Calls
    schema: pl.Schema
    cells: Sequence[RejectCell] = ()

    @property
    def suffix(self) -> str:
        """What its name ends in."""
        return self.inlet.suffix

    def check(self) -> None:
        """Check its structure as far as that can be done before its rows are read.

        Raises
        ------
        InputError
            If it's broken.
        """
        with translated(), refusing(self.inlet.shown):
            self.source.check()

    def part(self, limit: int | None) -> Part:
        """Give the rows as a part of a pass."""
        with translated():
            rows = self.source.scan()
            if limit is not None:
                rows = rows.head(limit)
        return Part(
            rows=rows,
            schema=self.schema,
            calls=self.calls,
            partition=self.inlet.partition,
            types=self.source.types,
            file=self.inlet.shown,
        )

    def metadata(self, job: Job, file: str, run: str) -> str | None:
        """Write the metadata that goes beside its tokens, into a file of the given kind."""
        if job.operation != "tokenize" or job.policy is None or not self.calls.transformed:
            return None
        pairs = {}
        for name, call in self.calls.transformed.items():
            rule, dtype = call.rule, self.source.types.get(name, self.schema[name])
            if rule.output == "string" and dtype.is_integer():
                # The way back has to know what the strings were.
                rule = replace(rule, value_type=str(dtype).lower())
            pairs[name] = (rule, call.version)
        return Metadata.sign(file, job.policy.digest, pairs, run)


def cells_of(
    schema: pl.Schema, calls: Calls, policy: Policy | None, keyring: Keyring
) -> list[RejectCell]:
    """Give the columns of rejected rows, and their keys; none if no row can be rejected.

    A column without a key of its own goes under the policy's key for rejected rows. Without that,
    it's sealed under the key of the column that didn't fit.

    Raises
    ------
    UnsupportedType
        If a column is of a type that rejected rows can't hold.
    """
    turned = calls.transformed
    if not any(call.rule.on_invalid == "reject" for call in turned.values()):
        return []
    check_cells(schema)
    rest: tuple[str | None, KeyVersion | None] = (None, None)
    if policy is not None and policy.rejects is not None and policy.rejects.key is not None:
        rest = (REJECTS_DOMAIN, keyring[policy.rejects.key].primary)
    return [
        RejectCell(name, turned[name].rule.domain, turned[name].version)
        if name in turned
        else RejectCell(name, *rest)
        for name in schema
    ]


def prepare(job: Job, keyring: Keyring) -> list[Input]:
    """Open every input, and say what becomes of its columns.

    Raises
    ------
    InputNotFound, InputError
        If files are missing or can't be read.
    PolicyError, SchemeError, MetadataError, KeyringError
        If policy, metadata or keys don't fit them.
    """
    return [open_input(job, inlet, keyring) for inlet in origin_of(job.source).inlets()]


def open_input(job: Job, inlet: Inlet, keyring: Keyring) -> Input:
    """Open one input of a job, and say what becomes of its columns.

    Raises
    ------
    InputError, PolicyError, SchemeError, MetadataError, KeyringError
        As for :func:`prepare`.
    """
    with translated():
        source = _rejected(inlet, keyring) if job.replay else inlet.open(job.text)
        schema = _with_partition(inlet, source.schema)
    if job.operation == "tokenize":
        calls = calls_to_tokenize(job.policy, schema.names(), keyring, source.metadata)
    else:
        calls = calls_to_detokenize(
            job.policy, schema.names(), keyring, source.metadata, inlet.kind
        )
    if not calls.by_column:
        raise PolicyError("every column is dropped", hint="keep or tokenize at least one")
    for name in inlet.partition:
        call = calls.by_column.get(name)
        if call is not None and call.rule.tweak is not None:
            raise PolicyError(
                "a column in a path has no tweak: it stands for many rows",
                column=name,
                hint="leave the tweak out, or take the column out of the path",
            )
    return Input(inlet, source, calls, schema, cells_of(schema, calls, job.policy, keyring))


def kept_as_they_are(inlets: Sequence[Inlet], text: TextOptions) -> list[Input]:
    """Open inputs whose columns all stay as they are.

    Raises
    ------
    InputError
        If one can't be read.
    """
    found = []
    for inlet in inlets:
        with translated():
            source = inlet.open(text)
            schema = _with_partition(inlet, source.schema)
        found.append(Input(inlet, source, Calls(dict.fromkeys(schema), ()), schema))
    return found


def _rejected(inlet: Inlet, keyring: Keyring) -> Source:
    if not isinstance(inlet, InputFile):
        raise JobError(
            "rejected rows are replayed from a file", file=inlet.shown, hint="copy the file first"
        )
    with refusing(inlet.path):
        return RejectsSource(inlet.path, keyring)


def _with_partition(inlet: Inlet, schema: pl.Schema) -> pl.Schema:
    for name in inlet.partition:
        if name in schema:
            raise InputError(
                "a column stands both in the path and in the file",
                file=inlet.shown,
                column=name,
                hint="take it out of the file, or rename the folder",
            )
    return pl.Schema({**schema, **dict.fromkeys(inlet.partition, pl.String())})
