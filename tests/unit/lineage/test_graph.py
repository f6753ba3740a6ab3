"""The graph of lineage: its model, its layout, and how it is written."""

import html.parser
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.lineage import ColumnCounts, ColumnEdge, Dataset
from tokenkit.lineage.graph import Graph, Trace, Way, mermaid, page
from tokenkit.lineage.graph.layout import lay_out
from tokenkit.lineage.graph.names import short_name, shortened, shown, width

NAMES = st.text(min_size=1, max_size=40)
HOSTILE = (
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "</title></svg><img src=x onerror=alert(1)>",
    "`**bold**`",
    'a"] --> evil["b',
    "end",
    "%% comment",
    "a\nb",
    "\x1b[31mred",
    "\u202egnp.exe",
    "&lt;script&gt;",
    "#quot;",
    "]]>",
    "{style}",
    "1. list",
    "- list",
    "_stress_",
)


def way(source: str, column: str, target: str, name: str | None = None, **how: object) -> Way:
    """A way from a file to another."""
    counts = ColumnCounts(done=1_000, null=2, empty=3, invalid={"length": 4})
    done: dict[str, object] = {
        "action": "tokenize", "scheme": "text", "key": "people", "key_version": 1, "counts": counts,
    } | how  # fmt: skip
    return Way(
        edge=ColumnEdge(
            input=Dataset("file", source),
            input_column=column,
            output=Dataset("file", target),
            output_column=name or column,
            **done,  # type: ignore[arg-type]
        ),
        run=UUID(int=7),
        operation="tokenize",
        status="complete",
        started=datetime(2026, 11, 1, tzinfo=UTC),
        actor="ann",
    )


class Reader(html.parser.HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_a_trace_as_a_graph():
    """Both directions make one graph, in which a way that closes a circle stands once."""
    circle = way("/a", "x", "/a", action="rekey")
    trace = Trace(
        dataset=Dataset("file", "/a"),
        column="x",
        upstream=(way("/r", "x", "/a"), circle),
        downstream=(circle, way("/a", "x", "/b")),
    )
    graph = trace.graph()
    assert len(graph.ways) == 3
    assert [dataset.name for dataset in graph.columns()] == ["/r", "/a", "/b"]


def test_mermaid_text():
    """Datasets are boxes, columns are nodes, and arrows say how."""
    graph = Graph(
        ways=(
            way("/a.csv", "x", "/b.csv"),
            way("/a.csv", "y", "/b.csv", action="keep", scheme=None),
        )
    )
    lines = mermaid(graph).splitlines()
    assert lines[:4] == [
        "flowchart LR",
        '  subgraph d0["file:/a.csv"]',
        '    d0c0["x"]',
        '    d0c1["y"]',
    ]
    assert '  d0c0 -->|"tokenize: text, people 1"| d1c0' in lines
    assert '  d0c1 -.->|"keep"| d1c1' in lines
    assert '"1#46; a#95;"' in mermaid(Graph(ways=(way("/a", "1. a_", "/b"),)))
    assert mermaid(replace(graph, truncated=True)).endswith("%% there is more than this\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_quotes(name):
    """Whatever a name holds, Mermaid's lines stay the same, with plain letters in quotes."""
    plain = mermaid(Graph(ways=(way("/a", "x", "/b", "y"),))).splitlines()
    drawn = mermaid(Graph(ways=(way(name, name, f"/b{name}", name, key=name),))).splitlines()
    shape = re.compile(r'"(?:[A-Za-z0-9 ,._/:-]|#\d+;)*"')
    assert [shape.sub("Q", line) for line in drawn] == [shape.sub("Q", line) for line in plain]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    """A page has the same elements and attributes for any name, and shows the name as text."""
    plain = Reader(page(Graph(ways=(way("/a", "x", "/b", "y"),))))
    drawn = page(Graph(ways=(way(f"/{name}", name, "/b", name, key=name, domain=name),)))
    read = Reader(drawn)
    assert [(tag, sorted(attrs)) for tag, attrs in read.elements] == [
        (tag, sorted(attrs)) for tag, attrs in plain.elements
    ]
    assert shown(name) in "".join(read.text)
    assert not set("\x1b\u202e") & set(drawn)


@given(NAMES, NAMES)
def test_any_names(dataset, column):
    """No name makes another element or attribute."""
    plain = Reader(page(Graph(ways=(way("/a", "x", "/b", "y"),))))
    drawn = Reader(page(Graph(ways=(way("/" + dataset, column, "/b\0", column),))))
    assert [(tag, sorted(attrs)) for tag, attrs in drawn.elements] == [
        (tag, sorted(attrs)) for tag, attrs in plain.elements
    ]


def test_the_page_needs_nothing_else():
    """No address of another place is in a page, and its policy allows its own script alone."""
    drawn = page(Graph(ways=(way("/a", "x", "/b"),), dataset=Dataset("file", "/b"), column="x"))
    addresses = set(re.findall(r"(?:https?:)?//[a-z][^\s\"'<]*", drawn))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|object|base)\b|\bsrc=|@import|url\((?!#)", drawn)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', drawn)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_the_policy_fits_the_script():
    """The hashes in the page's policy are those of the script and the style that it holds."""
    import hashlib
    from base64 import b64encode

    drawn = page(Graph(ways=(way("/a", "x", "/b"),)))
    for kind in ("script", "style"):
        found = re.search(f"<{kind}>(.*?)</{kind}>", drawn, re.DOTALL)
        assert found is not None
        digest = b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in drawn


def test_every_way_is_drawn_and_listed():
    """Each way is an arrow between two columns that are there, and a line of the table."""
    ways = (way("/a", "x", "/b"), way("/b", "x", "/b", action="rekey"), way("/b", "x", "/a"))
    read = Reader(page(Graph(ways=ways, truncated=True)))
    nodes = {attrs["data-node"] for _, attrs in read.elements if "data-node" in attrs}
    arrows = [attrs for tag, attrs in read.elements if tag == "path" and "data-way" in attrs]
    rows = [attrs["data-way"] for tag, attrs in read.elements if tag == "tr" and attrs]
    assert [arrow["data-way"] for arrow in arrows] == rows == ["0", "1", "2"]
    assert {arrow[end] for arrow in arrows for end in ("data-from", "data-to")} == nodes
    assert "There is more than is shown here" in "".join(read.text)


def test_columns_show_their_scheme():
    """A column says by which scheme, key and version its newest tokens are."""
    old = way("/a", "x", "/b")
    new = replace(
        old,
        edge=replace(old.edge, input=old.edge.output, action="rekey", key_version=2),
        started=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert "text · people v2</text>" in page(Graph(ways=(new, old)))


def test_an_empty_graph():
    """Nothing recorded is a page and a text too."""
    assert mermaid(Graph(ways=())) == "flowchart LR\n"
    assert "Ways of columns" in page(Graph(ways=()))


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40),
    st.data(),
)
def test_layouts(arrows, data):
    """Boxes of a layer never overlap, all is within the height, and arrows of a tree go right."""
    heights = {box: data.draw(st.integers(10, 200)) for box in range(13)}
    found = lay_out(heights, arrows)
    assert set(found.places) == set(heights)
    for layer in range(found.layers):
        boxes = sorted(
            (place.top, heights[box]) for box, place in found.places.items() if place.layer == layer
        )
        assert boxes, "no layer is empty"
        for (top, height), (following, _) in pairwise(boxes):
            assert top + height <= following + 1e-6
    for box, place in found.places.items():
        assert -1e-6 <= place.top <= place.top + heights[box] <= found.height + 1e-6
    for a, b in arrows:
        if a != b:
            assert found.places[a].layer != found.places[b].layer
            if all(source < target for source, target in arrows):
                assert found.places[a].layer < found.places[b].layer


def test_long_chains_are_laid_out():
    """A chain of thousands takes a moment, and no stack."""
    size = 3_000
    found = lay_out(dict.fromkeys(range(size), 50.0), [(n, n + 1) for n in range(size - 1)])
    assert found.layers == size


def test_circles_are_broken_where_fewest_arrows_turn_back():
    """Of a circle, the side with most arrows goes from left to right."""
    arrows = [("a", "b")] * 5 + [("b", "c")] * 3 + [("c", "a")]
    places = lay_out({"c": 1.0, "a": 1.0, "b": 1.0}, arrows).places
    assert [places[box].layer for box in "abc"] == [0, 1, 2]


def test_names_are_cut_by_their_width():
    """Wide letters count twice, and what is cut says so."""
    assert width("卡号a") == 5
    assert shortened("卡号卡号", 5) == "卡号…"
    assert width(shortened("卡" * 50, 30)) <= 30
    assert short_name(Dataset("s3://b", "a/b/")) == "b"
    assert short_name(Dataset("file", "/")) == "/"
