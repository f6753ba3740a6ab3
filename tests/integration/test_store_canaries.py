"""Marked values, their tokens and the keys' bytes stand in no table, file or event of the store."""

import base64
import os
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text

from tests.integration.canaries import INVALID, REGION, VALID, cells, forms, rows, write
from tests.integration.stored import Stored
from tokenkit.jobs import Job, JobRefused, run
from tokenkit.jobs.rekeying import RekeyRequest, rekey_files
from tokenkit.keys import Keyring
from tokenkit.lineage import use_recorder
from tokenkit.lineage.openlineage import emitting
from tokenkit.policy import Policy

KEY = bytes.fromhex("8d1ff7c1a3b5d70912cafe54a1b2c3d4e5f60718293a4b5c6d7e8f9011223344")
TURNED = ("card", "ssn", "account", "email", "region")


def policy(mode):
    """Tokenize four columns and one of the path, drop one, keep one."""
    schemes = {
        "card": "credit-card",
        "ssn": "us-ssn",
        "account": "alphanumeric",
    }
    columns = {
        name: {"scheme": scheme, "key": "people", "on_invalid": mode}
        for name, scheme in schemes.items()
    }
    columns |= {name: {"scheme": "text", "key": "people"} for name in ("email", "region")}
    columns |= {"tenant": {"action": "drop"}, "note": {"action": "keep"}}
    return Policy.from_mapping({"columns": columns})


def tokens(folder: Path) -> set[str]:
    """Give every token that a folder of Parquet files holds, those in its paths too."""
    frame = pl.concat(
        pl.read_parquet(path, hive_partitioning=False) for path in folder.rglob("*.parquet")
    )
    found = {cell.decode() for cell in cells(frame.select(TURNED[:-1]))}
    paths = {path.parent.name.partition("=")[2] for path in folder.rglob("*.parquet")}
    return {token for token in found | paths if len(token) > 6}


def dump(stored: Stored, tmp_path: Path) -> bytes:
    """Give everything that is in the database, and on the disk beside it."""
    database = stored.database
    if database.is_postgresql:
        with database.read() as connection:
            tables = connection.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).scalars()
            whole = "\n".join(
                f"{table} {row}"
                for table in tables
                for row in connection.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()
            ).encode()
    else:
        assert database.address.file is not None
        folder = database.address.file.parent
        whole = b"\n".join(path.read_bytes() for path in folder.iterdir())
    rows_ = "\n".join(
        repr(row)
        for table in ("runs", "datasets", "column_edges", "policies", "audit_records")
        for row in stored.rows(table)
    )
    beside = b"\n".join(
        path.read_bytes()
        for path in Path(os.environ["XDG_DATA_HOME"]).rglob("*")
        if path.is_file() and path.suffix != ".pem"
    )
    return whole + rows_.encode() + beside + (tmp_path / "events.jsonl").read_bytes()


def test_nothing_secret_is_stored(database, recorder, stored, tmp_path, monkeypatch):
    """After runs of every kind, whole ones and failed ones."""
    monkeypatch.setenv("TOKENKIT_OPENLINEAGE_FILE", str(tmp_path / "events.jsonl"))
    place = tmp_path / "in" / f"region={REGION}"
    place.mkdir(parents=True)
    write(rows(VALID, INVALID), place / "a.parquet")
    with (
        Keyring.from_secrets({"people": KEY}) as ring,
        use_recorder(emitting(recorder)),
    ):

        def job(operation, source, target, mode=None, **options):
            return Job(
                operation=operation,
                source=tmp_path / source,
                target=tmp_path / target,
                policy=None if mode is None else policy(mode),
                keyring=ring,
                **options,
            )

        with pytest.raises(JobRefused):
            run(job("tokenize", "in", "refused", "error"))
        for mode in ("null", "seal", "reject"):
            run(job("tokenize", "in", f"out-{mode}", mode))
        secret = tokens(tmp_path / "out-seal") | tokens(tmp_path / "out-reject")
        run(job("detokenize", "out-seal", "back"))
        replayed = Policy.from_mapping(
            {"columns": {"card": {"action": "drop"}}, "unlisted": "keep"}
        )
        rejects = tmp_path / "out-reject.rejects.parquet"
        run(
            Job(
                operation="tokenize",
                source=rejects,
                target=tmp_path / "replayed.parquet",
                policy=replayed,
                keyring=ring,
                replay=True,
            )
        )
        columns = dict(policy("seal").to_mapping()["columns"])
        del columns["region"]
        run(
            Job(
                operation="tokenize",
                source=place / "a.parquet",
                target=tmp_path / "flat.parquet",
                policy=Policy.from_mapping({"columns": columns}),
                keyring=ring,
            )
        )
        ring.rotate("people")
        rekey_files(RekeyRequest(source=tmp_path / "flat.parquet", target=None, keyring=ring))
        rekeyed = pl.read_parquet(tmp_path / "flat.parquet").select(TURNED[:-1])
        secret |= {cell.decode() for cell in cells(rekeyed) if len(cell) > 6}
    statuses = {record.status for record in stored.runs}
    assert statuses == {"complete", "failed"}
    whole = dump(stored, tmp_path)
    assert b"column_runs" in whole
    assert b"region=*" in whole
    values = [*VALID.values(), *INVALID.values(), REGION, *secret]
    found = [value for value in values if any(form in whole for form in forms(value))]
    assert found == []
    written = [KEY, KEY.hex().encode(), base64.b64encode(KEY), base64.urlsafe_b64encode(KEY)]
    assert [form for form in written if form in whole] == []


def test_the_dump_would_show_it(stored, tmp_path, ring):
    """What stands in a table is found in the dump: a path that nobody masks."""
    (tmp_path / "events.jsonl").touch()
    source = tmp_path / f"{VALID['account']}.csv"
    source.write_text("ssn\n078-05-1120\n")
    columns = {"ssn": {"scheme": "us-ssn", "key": "people"}}
    run(
        Job(
            operation="tokenize",
            source=source,
            target=tmp_path / "b.csv",
            policy=Policy.from_mapping({"columns": columns}),
            keyring=ring,
        )
    )
    assert any(form in dump(stored, tmp_path) for form in forms(VALID["account"]))
