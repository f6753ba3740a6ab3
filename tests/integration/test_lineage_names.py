"""What a user means by DATASET or DATASET.COLUMN, on both back ends."""

import pytest

from tests.integration.lineage_records import edge, file, record, store
from tokenkit.errors import NotRecorded
from tokenkit.lineage import Dataset
from tokenkit.store.lineage import resolve

TABLE = Dataset("postgres://db:5432", "shop.public.customers")
OBJECT = Dataset("s3://lake", "tokens/customers.parquet")
FOLDER = Dataset("s3://lake", "orders")


@pytest.fixture
def named(database, tmp_path):
    """Files, a folder, a table and objects, with dots in many names."""
    here = str(tmp_path)
    datasets = {
        "csv": file(f"{here}/customers.csv"),
        "dotted": file(f"{here}/v1.2/cust.omers.csv"),
        "parts": file(f"{here}/parts"),
        "other": file("/elsewhere/customers.csv"),
        "table": TABLE,
        "object": OBJECT,
        "folder": FOLDER,
    }
    with database.begin() as connection:
        for number, dataset in enumerate(datasets.values()):
            columns = ("id", "card", "e.mail")
            ways = [edge(file("/raw/raw.csv"), name, dataset) for name in columns]
            store(connection, record(number, *ways))
    return datasets


@pytest.fixture
def ask(database, tmp_path):
    """Resolve a name in a working folder."""

    def resolved(text, **options):
        with database.begin() as connection:
            found = resolve(connection, text, folder=tmp_path, **options)
        return found.dataset, found.column

    return resolved


UNDERSTOOD = [
    ("customers.csv", "csv"),
    ("./customers.csv", "csv"),
    ("v1.2/../customers.csv", "csv"),
    ("v1.2/cust.omers.csv", "dotted"),
    ("cust.omers.csv", "dotted"),
    ("/elsewhere/customers.csv", "other"),
    ("file:/elsewhere/customers.csv", "other"),
    ("file:///elsewhere/customers.csv", "other"),
    ("parts", "parts"),
    ("parts/", "parts"),
    ("shop.public.customers", "table"),
    ("public.customers", "table"),
    ("customers", "table"),
    ("postgres://db:5432/shop.public.customers", "table"),
    ("postgres://db:5432:shop.public.customers", "table"),
    ("s3://lake/tokens/customers.parquet", "object"),
    ("s3://lake:tokens/customers.parquet", "object"),
    ("tokens/customers.parquet", "object"),
    ("customers.parquet", "object"),
    ("s3://lake/orders/2026/part-0.parquet", "folder"),
]


def test_names(named, ask):
    """Full names, paths, tables and ends of names are understood, with a column or without."""
    for text, meant in UNDERSTOOD:
        assert ask(text) == (named[meant], None), text
        for column in ("card", "e.mail"):
            assert ask(f"{text}.{column}") == (named[meant], column), text


def test_a_file_inside_a_recorded_folder(named, ask, tmp_path):
    """A file that is there means the folder that was recorded, with a column or without."""
    (tmp_path / "parts" / "a=1").mkdir(parents=True)
    (tmp_path / "parts" / "a=1" / "part-0.csv").touch()
    assert ask("parts/a=1/part-0.csv") == (named["parts"], None)
    assert ask("parts/a=1/part-0.csv.card") == (named["parts"], "card")


def test_a_file_that_is_not_there_means_no_folder(named, ask):
    """A typo doesn't become the folder above it."""
    with pytest.raises(NotRecorded, match="no run has read or written a dataset named parts/typo"):
        ask("parts/typo.csv")


def test_partitions_stand_masked(database, ask, tmp_path):
    """A path with a partition's value means the dataset whose name has it masked."""
    masked = file(f"{tmp_path}/country=*/a.csv")
    with database.begin() as connection:
        store(connection, record(1, edge(file("/r.csv"), "id", masked)))
    assert ask("country=NO/a.csv.id") == (masked, "id")


def test_names_that_no_database_keeps(database, ask):
    """A name with bytes that aren't UTF-8, or a NUL, is found as it was written down."""
    odd = file("/data/caf%E9.csv")
    with database.begin() as connection:
        store(connection, record(1, edge(file("/r.csv"), "id", odd, "a%00b")))
    assert ask("/data/caf\udce9.csv") == (odd, None)
    assert ask("/data/caf\udce9.csv", column="a\0b") == (odd, "a%00b")


def test_links_are_followed(named, ask, tmp_path):
    """A path through a symbolic link is the path that it leads to."""
    (tmp_path / "customers.csv").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert ask("link/customers.csv.card") == (named["csv"], "card")


def test_the_column_in_an_option(named, ask):
    """--column leaves nothing to guess."""
    assert ask("customers.csv", column="e.mail") == (named["csv"], "e.mail")
    with pytest.raises(NotRecorded):
        ask("customers.csv.card", column="id")


def test_a_dataset_as_a_whole(named, ask):
    """Where only a dataset can be meant, no column is looked for."""
    with pytest.raises(NotRecorded):
        ask("customers.csv.card", whole=True)


def test_an_unknown_column_names_those_that_are_there(named, ask):
    """The hint lists the columns on record."""
    with pytest.raises(NotRecorded) as caught:
        ask("customers.csv.cadr")
    assert "the column cadr of file:" in str(caught.value)
    assert caught.value.hint == "on record are card, e.mail, id"


def test_short_names_of_several_are_refused(database, ask):
    """A short name that several datasets have is refused, and the hint names them."""
    with database.begin() as connection:
        ways = [edge(file("/r.csv"), "id", file(f"/{folder}/same.csv")) for folder in "abc"]
        store(connection, record(1, *ways))
    with pytest.raises(NotRecorded, match="may mean 3 datasets") as caught:
        ask("same.csv")
    assert "file:/a/same.csv, file:/b/same.csv, file:/c/same.csv" in str(caught.value)
    assert ask("/b/same.csv.id") == (file("/b/same.csv"), "id")


def test_two_readings_with_columns_are_refused(database, ask):
    """If both ways to part a name are on record, --column is asked for."""
    with database.begin() as connection:
        store(
            connection,
            record(
                1,
                edge(file("/r.csv"), "b.c", file("/d/a")),
                edge(file("/r.csv"), "c", file("/d/a.b")),
            ),
        )
    with pytest.raises(NotRecorded, match="may mean 2 datasets or columns") as caught:
        ask("/d/a.b.c")
    assert "--column" in str(caught.value)
    assert ask("/d/a", column="b.c") == (file("/d/a"), "b.c")
    assert ask("/d/a.b", column="c") == (file("/d/a.b"), "c")


NONSENSE = [
    "",
    ".",
    "..",
    "/",
    "a" * 5_000,
    "." * 500,
    ":" * 500,
    "\0",
    "\udcff",
    "%",
    "_",
    "://",
    "file:",
]


def test_nonsense_is_not_recorded(named, ask):
    """Whatever is typed, the answer is that it isn't recorded."""
    for text in NONSENSE:
        with pytest.raises(NotRecorded):
            ask(text)


def test_marks_of_patterns_mean_themselves(database, ask):
    """% and _ are letters, and names differ by case."""
    with database.begin() as connection:
        store(connection, record(1, edge(file("/r.csv"), "id", file("/x/100%_a.csv"))))
    assert ask("100%_a.csv") == (file("/x/100%_a.csv"), None)
    for text in ("100%%a.csv", "100%_A.csv", "100xxa.csv"):
        with pytest.raises(NotRecorded):
            ask(text)
