"""Walks over the ways of columns, on both back ends."""

import random
from datetime import timedelta

import pytest

from tests.integration.lineage_records import START, edge, file, record, store
from tokenkit.store.lineage import newest, resolve, trace

RAW, TOKENS, MART, CLEAR = (
    file(name) for name in ("raw.csv", "tokens.csv", "mart.csv", "clear.csv")
)


def ends(ways):
    """What the ways lead from and to, with their distance."""
    return [
        (way.distance, f"{short(way.edge.input)}.{way.edge.input_column}",
         f"{short(way.edge.output)}.{way.edge.output_column}")
        for way in ways
    ]  # fmt: skip


def short(dataset):
    return dataset.name.rpartition("/")[2].removesuffix(".csv")


def ask(database, name, **options):
    with database.begin() as connection:
        return trace(connection, resolve(connection, name), **options)


@pytest.fixture
def flow(database):
    """Raw to tokens, tokens to a mart, from which one column comes back in clear."""
    with database.begin() as connection:
        store(
            connection,
            record(1, edge(RAW, "id", TOKENS, action="keep"), edge(RAW, "card", TOKENS)),
            record(2, edge(TOKENS, "card", MART, "card_token", action="keep")),
            record(
                3,
                edge(MART, "card_token", CLEAR, "card", action="detokenize"),
                operation="detokenize",
            ),
        )
    return database


def test_a_column_both_ways(flow):
    """A column is followed step by step to its source and its last output, renamed or not."""
    found = ask(flow, "/data/tokens.csv.card")
    assert ends(found.upstream) == [(1, "raw.card", "tokens.card")]
    assert ends(found.downstream) == [
        (1, "tokens.card", "mart.card_token"),
        (2, "mart.card_token", "clear.card"),
    ]
    way = found.upstream[0]
    assert way.edge == edge(RAW, "card", TOKENS)
    assert (way.operation, way.status, way.actor) == ("tokenize", "complete", "ann")
    assert way.started == START + timedelta(minutes=1)
    assert (way.rows_read, way.rows_written, way.rows_rejected) == (100, 98, 2)
    assert not found.truncated


def test_a_dataset_is_all_of_its_columns(flow):
    """A dataset without a column is traced by each of its columns, and by no other."""
    found = ask(flow, "/data/tokens.csv")
    assert ends(found.upstream) == [(1, "raw.id", "tokens.id"), (1, "raw.card", "tokens.card")]
    assert [way[0] for way in ends(found.downstream)] == [1, 2]


def test_one_direction(flow):
    """A direction that isn't asked for isn't there."""
    found = ask(flow, "/data/clear.csv.card", downstream=False)
    assert len(found.upstream) == 3
    assert found.downstream is None


def test_ends_of_the_flow(flow):
    """What no run wrote has nothing upstream; what none read has nothing downstream."""
    assert ask(flow, "/data/raw.csv.card").upstream == ()
    assert ask(flow, "/data/clear.csv.card").downstream == ()


def test_rekeyed_in_place(database):
    """A dataset that is its own input is its own source once, with the newest run."""
    with database.begin() as connection:
        store(connection, record(1, edge(RAW, "card", TOKENS)))
        for number in range(2, 30):
            again = edge(TOKENS, "card", TOKENS, action="rekey", key_version=number)
            store(connection, record(number, again, operation="rekey"))
    for name in ("/data/tokens.csv", "/data/tokens.csv.card"):
        found = ask(database, name)
        assert sorted(ends(found.upstream)) == [
            (1, "raw.card", "tokens.card"),
            (1, "tokens.card", "tokens.card"),
        ]
        assert ends(found.downstream) == [(1, "tokens.card", "tokens.card")]
        assert found.downstream[0].edge.key_version == 29
        assert len(found.graph().ways) == 2


def test_a_circle_of_several(database):
    """A circle over several datasets ends where it closes."""
    ring = [file(f"{number}.csv") for number in range(5)]
    with database.begin() as connection:
        for number, dataset in enumerate(ring):
            following = ring[(number + 1) % len(ring)]
            store(connection, record(number, edge(dataset, "a", following, action="keep")))
    found = ask(database, "/data/0.csv.a")
    assert [distance for distance, *_ in ends(found.upstream)] == [1, 2, 3, 4, 5]
    assert [distance for distance, *_ in ends(found.downstream)] == [1, 2, 3, 4, 5]
    assert len(found.graph().ways) == 5


def test_newest_run_of_a_way(database):
    """Each way shows the newest run that took it, whatever order they were recorded in."""
    numbers = list(range(40))
    random.Random(1).shuffle(numbers)
    with database.begin() as connection:
        for number in numbers:
            store(connection, record(number, edge(RAW, "card", TOKENS, key_version=number + 1)))
    (way,) = ask(database, "/data/tokens.csv.card").upstream
    assert (way.edge.key_version, way.started) == (40, START + timedelta(minutes=39))


def test_failed_runs_wrote_nothing(database):
    """A way that only failed runs took isn't one, nor is what lies behind it; others stand."""
    with database.begin() as connection:
        store(
            connection,
            record(1, edge(RAW, "card", TOKENS)),
            record(2, edge(RAW, "card", TOKENS, key_version=2), status="failed"),
            record(3, edge(TOKENS, "card", MART), status="failed"),
            record(4, edge(MART, "card", CLEAR, action="detokenize")),
            record(5, edge(RAW, "card", file("other.csv")), status="publishing"),
        )
    found = ask(database, "/data/raw.csv.card")
    assert ends(found.downstream) == [(1, "raw.card", "tokens.card"), (1, "raw.card", "other.card")]
    assert found.downstream[0].edge.key_version == 1
    assert found.downstream[1].status == "publishing"


def test_depth(database):
    """No more steps than asked for are gone, and nothing is said to be missing."""
    with database.begin() as connection:
        for number in range(12):
            way = edge(file(f"{number}.csv"), "a", file(f"{number + 1}.csv"), action="keep")
            store(connection, record(number, way))
    for depth in (1, 3, 12, 50):
        found = ask(database, "/data/12.csv.a", depth=depth)
        assert [distance for distance, *_ in ends(found.upstream)] == [
            *range(1, min(depth, 12) + 1)
        ]
        assert not found.truncated


def test_limit_takes_the_nearest(database):
    """Past the limit the nearest ways are there, and it is said that there are more."""
    with database.begin() as connection:
        for number in range(30):
            way = edge(file(f"{number}.csv"), "a", file(f"{number + 1}.csv"), action="keep")
            store(connection, record(number, way))
    found = ask(database, "/data/30.csv.a", limit=10)
    assert [distance for distance, *_ in ends(found.upstream)] == [*range(1, 11)]
    assert found.truncated
    assert not ask(database, "/data/30.csv.a", limit=30).truncated
    assert not ask(database, "/data/30.csv.a", limit=10, depth=5).truncated


def test_wide(database):
    """A column with more readers than the limit gives so many, and says that there are more."""
    with database.begin() as connection:
        ways = [edge(RAW, "a", file(f"{number}.csv"), action="keep") for number in range(30)]
        store(connection, record(1, *ways))
    found = ask(database, "/data/raw.csv.a", limit=20)
    assert len(found.downstream) == 20
    assert found.truncated
    assert len(ask(database, "/data/raw.csv.a", limit=30).downstream) == 30


def test_diamonds(database):
    """Ways that part and meet again are each taken once, however many paths there are."""
    with database.begin() as connection:
        for level in range(25):
            pairs = [
                edge(file(f"{level}{a}.csv"), "x", file(f"{level + 1}{b}.csv"), action="keep")
                for a in "ab"
                for b in "ab"
            ]
            store(connection, record(level, *pairs))
    found = ask(database, "/data/25a.csv.x")
    assert len(found.upstream) == 2 + 24 * 4
    assert max(distance for distance, *_ in ends(found.upstream)) == 25


def test_random_graphs_agree_with_a_walk_in_memory(database):
    """On random graphs with circles, ways and distances are those of a breadth-first search."""
    random_ = random.Random(7)
    names = [f"{number}.csv" for number in range(12)]
    pairs = {(random_.choice(names), random_.choice(names)) for _ in range(30)}
    with database.begin() as connection:
        for number, (a, b) in enumerate(sorted(pairs)):
            store(connection, record(number, edge(file(a), "x", file(b), action="keep")))
    for start in sorted({name for pair in pairs for name in pair}):
        distances: dict[tuple[str, str], int] = {}
        frontier, seen, steps = {start}, {start}, 0
        while frontier:
            steps += 1
            taken = [pair for pair in pairs if pair[0] in frontier]
            for pair in taken:
                distances.setdefault(pair, steps)
            frontier = {b for _, b in taken} - seen
            seen |= frontier
        found = ask(database, f"/data/{start}.x", upstream=False)
        assert {
            (f"{short(w.edge.input)}.csv", f"{short(w.edge.output)}.csv"): w.distance
            for w in found.downstream
        } == distances


def test_newest_runs(flow):
    """Without a start, the graph is what the newest runs did."""
    with flow.begin() as connection:
        graph = newest(connection, runs=2)
        assert sorted(short(way.edge.output) for way in graph.ways) == ["clear", "mart"]
        assert graph.truncated
        whole = newest(connection)
    assert len(whole.ways) == 4
    assert not whole.truncated


def test_hostile_names(database):
    """Names full of quotes, marks of LIKE and line ends are found and given back as they are."""
    name = "/data/a'b\"c%_\\\n\x1b[31m\u202e;--.csv"
    column = "x'); DROP TABLE runs;--\u0007.y"
    with database.begin() as connection:
        store(connection, record(1, edge(RAW, "a", file(name), column)))
    found = ask(database, f"{name}.{column}")
    assert (found.dataset.name, found.column) == (name, column)
    assert found.upstream[0].edge.output_column == column
