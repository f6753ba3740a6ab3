"""A graph of lineage as one HTML page: no script, style, font or image comes from elsewhere."""

import hashlib
from base64 import b64encode
from functools import cache
from html import escape
from importlib import resources

from tokenkit.lineage.graph.drawing import ACTIONS, Drawing
from tokenkit.lineage.graph.model import Graph, Way
from tokenkit.lineage.graph.names import shown

_HEADINGS = (
    ("From", False),
    ("To", False),
    ("Action", False),
    ("Scheme", False),
    ("Key", False),
    ("Domain", False),
    ("Values", True),
    ("Null", True),
    ("Empty", True),
    ("Invalid", True),
    ("Run", False),
    ("Started (UTC)", False),
    ("By", False),
)
_MEANING = {
    "tokenize": "values became tokens",
    "detokenize": "tokens became values",
    "rekey": "tokens moved to another key version",
    "seal": "rejected values were sealed",
    "keep": "left as it was",
}


def page(graph: Graph) -> str:
    """Write a graph as an HTML page.

    Names are escaped, and the page's own policy lets no script run but the one that it comes with.

    Examples
    --------
    >>> from tokenkit.lineage import Dataset
    >>> "<script>alert" in page(Graph(ways=(), dataset=Dataset("file", "<script>alert(1)")))
    False
    """
    style, script = _asset("page.css"), _asset("page.js")
    drawing = Drawing(graph)
    title = _title(graph)
    used = {way.edge.action for way in graph.ways}
    more = (
        '<p class="more">There is more than is shown here: raise --limit, or ask about less.</p>'
        if graph.truncated
        else ""
    )
    legend = "".join(
        f'<li><svg viewBox="0 0 28 10"><path class="way {action}" d="M0 5h28"/></svg>'
        f"{action}: {_MEANING[action]}</li>"
        for action in ACTIONS
        if action in used
    )
    headings = "".join(
        f"<th{' class=number' if number else ''}>{heading}</th>" for heading, number in _HEADINGS
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>Point at a column to see where its values come from and where they went. Click to keep it; \
press Escape to let go.</p>
{more}
<ul class="legend">{legend}</ul>
<div class="drawing">
{drawing.svg()}
</div>
<h2>Ways of columns: <span id="count">{len(graph.ways):,}</span></h2>
<div class="table"><table class="ways">
<thead><tr>{headings}</tr></thead>
<tbody>
{"".join(_row(number, way) for number, way in enumerate(graph.ways))}</tbody>
</table></div>
<script>{script}</script>
</body>
</html>
"""


def _title(graph: Graph) -> str:
    if graph.dataset is None:
        return "Lineage"
    column = "" if graph.column is None else f", column {graph.column}"
    return _html(f"Lineage of {graph.dataset}{column}")


def _row(number: int, way: Way) -> str:
    edge, counts = way.edge, way.edge.counts
    version = "" if edge.key_version is None else f" v{edge.key_version}"
    numbers = ("", "", "", "")
    if counts is not None:
        invalid = sum(counts.invalid.values())
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts.invalid.items())
        numbers = (
            f"{counts.done:,}",
            f"{counts.null:,}",
            f"{counts.empty:,}",
            f"{invalid:,}" + (f" ({reasons})" if reasons else ""),
        )
    cells = [
        _cell(f"{edge.input}.{edge.input_column}"),
        _cell(f"{edge.output}.{edge.output_column}"),
        _cell(edge.action, edge.action),
        _cell(edge.scheme or ""),
        _cell(f"{edge.key}{version}" if edge.key else ""),
        _cell(edge.domain or ""),
        *(_cell(text, "number") for text in numbers),
        _cell(str(way.run)),
        _cell(f"{way.started:%Y-%m-%d %H:%M:%S}"),
        _cell(way.actor),
    ]
    return f'<tr data-way="{number}">{"".join(cells)}</tr>\n'


def _cell(text: str, kind: str = "") -> str:
    return f"<td{f' class={kind}' if kind else ''}>{_html(text)}</td>"


def _html(text: str) -> str:
    return escape(shown(text))


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
