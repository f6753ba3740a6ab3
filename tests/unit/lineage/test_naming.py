"""How datasets are named."""

import pytest

from tokenkit.lineage.naming import of_file, of_folder, of_object, of_table, storable


def test_a_file_has_one_name(tmp_path, monkeypatch):
    """However a file is reached, its name is the absolute path without links."""
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    whole = of_file(tmp_path / "real" / "a.csv")
    assert whole.namespace == "file"
    assert of_file("real/../linked/a.csv") == whole
    assert of_folder("linked") == of_folder(tmp_path / "real")


def test_values_of_partitions_are_masked():
    """A folder NAME=VALUE never shows its value; a file's own name is no partition."""
    assert of_file("/d/ssn=078-05-1120/x=1.csv").name == "/d/ssn=*/x=1.csv"
    assert of_folder("/d/ssn=078-05-1120").name == "/d/ssn=*"
    assert of_object("s3://b/ssn=078-05-1120/a.parquet").name == "ssn=*/a.parquet"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("s3://bucket/a/b.csv", "s3://bucket:a/b.csv"),
        ("s3a://bucket/a/b.csv", "s3://bucket:a/b.csv"),
        ("gcs://bucket/a", "gs://bucket:a"),
        (
            "abfss://c@x.dfs.core.windows.net/a",
            "abfss://c@x.dfs.core.windows.net:a",
        ),
        ("s3://user:secret@bucket/a", "s3://bucket:a"),
    ],
)
def test_object_stores(url, named):
    """OpenLineage's namespaces and names; what is secret in an address isn't kept."""
    assert str(of_object(url)) == named


def test_tables():
    """A table's namespace is its server."""
    named = of_table("postgres", "db:5432", "shop", "public", "customers")
    assert str(named) == "postgres://db:5432:shop.public.customers"


def test_names_that_no_database_keeps():
    """NUL and bytes that are not UTF-8 are written otherwise; long names are cut, each apart."""
    assert storable("a\0b\udce9") == "a%00b%E9"
    one, other = storable("é" * 600 + "1"), storable("é" * 600 + "2")
    assert one != other
    assert len(one.encode()) <= 1_000
    assert storable("é" * 500) == "é" * 500
