"""A keyring in memory, and jobs over small files."""

from pathlib import Path

import polars as pl
import pytest

from tokenkit.jobs import Job, run
from tokenkit.keys import Keyring
from tokenkit.policy import Policy


@pytest.fixture
def ring():
    """Give a keyring of two keys."""
    secrets = {"payments": bytes(range(32)), "people": bytes(range(1, 33))}
    with Keyring.from_secrets(secrets) as opened:
        yield opened


@pytest.fixture
def job(ring, tmp_path):
    """Run a job over files of the test's folder."""

    def running(operation, source, target, columns=None, *, unlisted="keep", **options):
        policy = None
        if columns is not None:
            policy = Policy.from_mapping({"columns": columns, "unlisted": unlisted})
        return run(
            Job(
                operation=operation,
                source=tmp_path / source,
                target=None if target is None else tmp_path / target,
                policy=policy,
                keyring=ring,
                **options,
            )
        )

    return running


@pytest.fixture
def write(tmp_path):
    """Write a file of text or of a frame's rows, and the folders above it."""

    def writing(name: str, content: pl.DataFrame | str | bytes) -> Path:
        path = Path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return writing
