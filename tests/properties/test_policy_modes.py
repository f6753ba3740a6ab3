"""Every mode of a policy comes back from files as the policy says."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tokenkit as tk
from tokenkit.jobs import Job, run
from tokenkit.keys import Keyring
from tokenkit.policy import Policy

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
DIGITS = st.text("0123456789", min_size=6, max_size=12)
LITERALS = ["N/A", "000000", "123456"]
SEPARATED = st.text("0123456789 -", max_size=14)
VALUES = st.one_of(st.none(), st.just(""), DIGITS, SEPARATED, st.sampled_from(LITERALS), TEXT)
FORMATS = st.sampled_from(["csv", "tsv", "csv.gz", "ndjson", "parquet", "arrow"])
BOUNDED = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def ring():
    """Give a keyring of two keys."""
    with Keyring.from_secrets({"one": bytes(range(32)), "two": bytes(range(7, 39))}) as opened:
        yield opened


@st.composite
def rules(draw):
    """Draw how a column of digits is tokenized."""
    found: dict[str, Any] = {"scheme": "digits", "key": draw(st.sampled_from(["one", "two"]))}
    found["on_invalid"] = draw(st.sampled_from(["null", "reject", "seal"]))
    if draw(st.booleans()):
        found["literals"] = LITERALS
    if draw(st.booleans()):
        steps = ["trim", "nfc", "lower", "strip-separators"]
        found["normalize"] = draw(st.lists(st.sampled_from(steps), min_size=1, unique=True))
    if draw(st.booleans()):
        found["tweak"] = "place"
    return found


def expected(value: str | None, rule: dict[str, Any]) -> tuple[str | None, str]:
    """Say what a value comes back as, and whether it's fit, sealed, null or rejected."""
    if value is None or value == "":
        return value, "fit"
    if value in rule.get("literals", ()):
        return value, "fit"
    steps = rule.get("normalize", ())
    turned = value
    if "trim" in steps:
        turned = trimmed(turned)
    if "lower" in steps:
        turned = turned.lower()
    if "strip-separators" in steps:
        turned = "".join(char for char in turned if not separates(char))
    plain = turned in rule.get("literals", ()) or turned == ""
    if plain or fits(turned):
        return turned, "fit"
    return (value if rule["on_invalid"] == "seal" else None), rule["on_invalid"]


def fits(value: str) -> bool:
    """Whether a text is one of the scheme's."""
    return value.isascii() and value.isdecimal() and len(value) >= 6


def separates(char: str) -> bool:
    """Whether normalizing strips a character."""
    return char in "-./_()" or is_space(char) or "\u2010" <= char <= "\u2015"


def is_space(char: str) -> bool:
    """Whether a character has the property White_Space."""
    return char.isspace() and not "\x1c" <= char <= "\x1f"


def trimmed(value: str) -> str:
    """Take white space off both ends."""
    while value and is_space(value[0]):
        value = value[1:]
    while value and is_space(value[-1]):
        value = value[:-1]
    return value


def job(operation: Any, source: Path, target: Path, ring: Keyring, **more: Any) -> Any:
    """Run a job."""
    rule = more.pop("columns", None)
    policy = None if rule is None else Policy.from_mapping({"columns": rule, "unlisted": "keep"})
    return run(
        Job(operation=operation, source=source, target=target, keyring=ring, policy=policy, **more)
    )


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame, through a job that keeps everything where Polars has no writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        frame.write_parquet(Path(folder, "a.parquet"))
        job("tokenize", Path(folder, "a.parquet"), path, NO_KEYS, columns={})


NO_KEYS = Keyring.from_secrets({"unused": bytes(32)})


def read(path: Path, ring: Keyring) -> pl.DataFrame:
    """Read a file's values, whatever its format."""
    return tk.scan(path, {"columns": {}, "unlisted": "keep"}, keyring=ring).collect()


@BOUNDED
@given(
    values=st.lists(st.tuples(VALUES, st.sampled_from(["a", "b"])), max_size=12),
    rule=rules(),
    names=st.tuples(FORMATS, FORMATS, FORMATS),
)
def test_values_come_back_as_the_policy_says(ring, values, rule, names):
    """Sealed ones to the byte, literals as they are, normalized ones as normalized."""
    data = [value for value, _ in values]
    frame = pl.DataFrame(
        {"v": data, "place": [place for _, place in values]},
        schema={"v": pl.String, "place": pl.String},
    )
    found = [expected(value, rule) for value in data]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.{name}") for number, name in enumerate(names)]
        if not any(fate != "reject" for _, fate in found):
            # NDJSON without rows has no columns.
            paths = [Path(folder, f"{number}.parquet") for number in range(3)]
        write(frame, paths[0])
        columns = {"v": rule, "place": {"action": "keep"}}
        there = job("tokenize", paths[0], paths[1], ring, columns=columns)
        back = job("detokenize", paths[1], paths[2], ring)
        kept = [value for value, fate in found if fate != "reject"]
        assert read(paths[2], ring)["v"].to_list() == kept
        assert there.rows_written == back.rows_written == len(kept)
        assert there.columns["v"].sealed == sum(fate == "seal" for _, fate in found)
        rejected = [v for v, (_, fate) in zip(data, found, strict=True) if fate == "reject"]
        assert there.rows_rejected == len(rejected)
        if rejected:
            opened = tk.open_rejects(f"{paths[1]}.rejects.parquet", keyring=ring)
            assert opened["v"].to_list() == rejected
        if rule["on_invalid"] == "seal" and "normalize" not in rule:
            assert read(paths[2], ring)["v"].to_list() == data


@BOUNDED
@given(values=st.sets(st.integers(0, 10**6 - 1), max_size=40), literals=st.sets(DIGITS, max_size=5))
def test_no_other_token_equals_a_literal(ring, values, literals):
    """Literals of the scheme's own domain are left out of it, in both directions."""
    data = sorted({f"{value:06}" for value in values} | literals)
    rule = {"scheme": "digits", "key": "one", "literals": sorted(literals)}
    frame = pl.DataFrame({"v": data}, schema={"v": pl.String})
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.parquet"), Path(folder, "b.parquet")
        write(frame, source)
        job("tokenize", source, target, ring, columns={"v": rule})
        tokens = pl.read_parquet(target)["v"].to_list()
        assert len(set(tokens)) == len(data)
        for value, token in zip(data, tokens, strict=True):
            assert (token == value) if value in literals else (token not in literals)
        assert tk.scan(target, keyring=ring).collect().equals(frame)


@BOUNDED
@given(
    values=st.lists(st.one_of(st.none(), st.sampled_from(["a", "", "ä", "x" * 9]), VALUES)),
    on_invalid=st.sampled_from(["null", "seal"]),
    suffix=st.sampled_from(["parquet", "arrow"]),
)
def test_dictionaries_stay_dictionaries(ring, values, on_invalid, suffix):
    """Categorical columns come back as such, with the same values."""
    frame = pl.DataFrame({"v": values}, schema={"v": pl.Categorical})
    rule = {"scheme": "digits", "key": "one", "on_invalid": on_invalid}
    found = [expected(value, rule)[0] for value in values]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{n}.{suffix}") for n in range(3)]
        if suffix == "parquet":
            frame.write_parquet(paths[0])
        else:
            frame.write_ipc(paths[0], compat_level=pl.CompatLevel.oldest())
        job("tokenize", paths[0], paths[1], ring, columns={"v": rule})
        job("detokenize", paths[1], paths[2], ring)
        back = tk.scan(paths[2], {"columns": {}, "unlisted": "keep"}, keyring=ring).collect()
        assert back.schema["v"] == pl.Categorical
        assert back["v"].cast(pl.String).to_list() == found


@settings(BOUNDED, max_examples=25)
@given(
    regions=st.lists(st.one_of(st.none(), TEXT.filter(bool)), min_size=1, max_size=3, unique=True),
    suffix=st.sampled_from(["parquet", "csv"]),
)
def test_partitions_come_back(ring, regions, suffix):
    """Values of paths are tokenized in paths, whatever characters they have."""
    from tokenkit.jobs.outlets import partition_folder

    columns = {
        "region": {"scheme": "text", "key": "one"},
        "v": {"scheme": "digits", "key": "two"},
    }
    with tempfile.TemporaryDirectory() as folder:
        frames = []
        for number, region in enumerate(regions):
            data = pl.DataFrame({"v": [f"{100000 + number}", None], "n": ["1", "2"]})
            place = Path(folder, "in", partition_folder("region", region))
            write(data, place / f"a.{suffix}")
            frames.append(data.with_columns(region=pl.lit(region, pl.String)))
        job("tokenize", Path(folder, "in"), Path(folder, "out"), ring, columns=columns)
        tokens = {path.name for path in Path(folder, "out").iterdir()}
        clear = {partition_folder("region", region) for region in regions if region is not None}
        assert not tokens & clear
        job("detokenize", Path(folder, "out"), Path(folder, "back"), ring)
        assert names(Path(folder, "back")) == names(Path(folder, "in"))
        back = tk.scan(Path(folder, "out"), keyring=ring).collect()
        same: Callable[[pl.DataFrame], list[Any]] = lambda frame: sorted(  # noqa: E731
            frame.select("region", "v", "n").rows(), key=repr
        )
        assert same(back) == same(pl.concat(frames))


def names(folder: Path) -> list[str]:
    """List the data files of a folder, sidecars left out."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(".json"))


@settings(BOUNDED, max_examples=12)
@given(parts=st.lists(st.lists(DIGITS, min_size=1, max_size=5), min_size=2, max_size=3))
def test_a_folder_of_several_key_versions(parts):
    """Each file is read under its own version, by scan and by a job."""
    with (
        Keyring.from_secrets({"one": bytes(range(32))}) as ring,
        tempfile.TemporaryDirectory() as folder,
    ):
        for number, values in enumerate(parts):
            source = Path(folder, f"{number}.csv")
            write(pl.DataFrame({"v": values}), source)
            target = Path(folder, "out", f"{number}.csv")
            target.parent.mkdir(exist_ok=True)
            columns = {"v": {"scheme": "digits", "key": "one"}}
            job("tokenize", source, target, ring, columns=columns)
            ring.rotate("one")
        whole = [value for values in parts for value in values]
        assert tk.scan(Path(folder, "out"), keyring=ring).collect()["v"].to_list() == whole
        job("detokenize", Path(folder, "out"), Path(folder, "back"), ring)
        job("detokenize", Path(folder, "out"), Path(folder, "all.csv"), ring)
        assert read(Path(folder, "all.csv"), ring)["v"].to_list() == whole
        for number, values in enumerate(parts):
            assert read(Path(folder, "back", f"{number}.csv"), ring)["v"].to_list() == values


WIDEST = {pl.Int32: 9, pl.Int64: 18, pl.UInt32: 9, pl.UInt64: 19}


@BOUNDED
@given(data=st.data(), dtype=st.sampled_from(list(WIDEST)), strings=st.booleans())
def test_integers_of_a_width(ring, data, dtype, strings):
    """They come back as integers of their type, and join with the same digits as text."""
    width = data.draw(st.integers(6, WIDEST[dtype]))
    value = st.one_of(st.none(), st.integers(0, 10**width - 1))
    values = data.draw(st.lists(value, max_size=10))
    rule = {"scheme": "digits", "key": "one", "width": width}
    frame = pl.DataFrame({"v": values}, schema={"v": dtype})
    text = pl.DataFrame(
        {"v": [None if v is None else f"{v:0{width}}" for v in values]}, schema={"v": pl.String}
    )
    chosen = {**rule, "output": "string"} if strings else rule
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}.parquet") for name in "abcde"]
        write(frame, paths[0])
        write(text, paths[1])
        job("tokenize", paths[0], paths[2], ring, columns={"v": chosen})
        job("tokenize", paths[1], paths[3], ring, columns={"v": rule})
        tokens = pl.read_parquet(paths[2])["v"]
        assert tokens.dtype == (pl.String if strings else dtype)
        written = [None if t is None else f"{int(t):0{width}}" for t in tokens.to_list()]
        assert written == pl.read_parquet(paths[3])["v"].to_list()
        job("detokenize", paths[2], paths[4], ring)
        assert pl.read_parquet(paths[4]).equals(frame)
