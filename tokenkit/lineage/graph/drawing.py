"""A graph of lineage as SVG: a card for each dataset, a line on it for each column."""

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TypeAlias

from tokenkit.lineage.datasets import Dataset
from tokenkit.lineage.graph.layout import Layout, lay_out
from tokenkit.lineage.graph.model import Graph, Way
from tokenkit.lineage.graph.names import short_name, shortened, shown, width

ACTIONS = ("tokenize", "detokenize", "rekey", "seal", "keep")
_HEAD, _ROW, _FOOT = 44, 24, 6
_LETTER, _SMALL, _PADDING = 7.3, 6.2, 12
_NAME, _BADGE, _PLACE = 30, 30, 44
_ACROSS, _MARGIN = 110, 28

_Node: TypeAlias = tuple[Dataset, str]
_Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Card:
    number: int
    columns: dict[str, int]
    left: float
    top: float


class Drawing:
    """The SVG of a graph, and the ids of its columns.

    Names stand in it escaped and cut; in full they are tool tips.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._columns = graph.columns()
        self._badges = _badges(graph)
        self._wide = self._card_width()
        layout = lay_out(
            {
                dataset: float(_HEAD + _FOOT + _ROW * max(1, len(columns)))
                for dataset, columns in self._columns.items()
            },
            [(way.edge.input, way.edge.output) for way in graph.ways],
        )
        self._layout: Layout[Dataset] = layout
        self._cards = {
            dataset: _Card(
                number,
                {column: place for place, column in enumerate(columns)},
                self._left(layout.places[dataset].layer),
                layout.places[dataset].top + _MARGIN,
            )
            for number, (dataset, columns) in enumerate(self._columns.items())
        }

    def svg(self) -> str:
        """Write the SVG element."""
        wide = self._left(self._layout.layers - 1) + self._wide + 2 * _MARGIN
        high = self._layout.height + 2 * _MARGIN
        opening = (
            f'<svg class="graph" xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" '
            f'height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}" role="group" '
            'aria-label="The graph of lineage; the table below says the same">'
        )
        ends = "".join(
            f'<marker id="end-{action}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
            f'<path class="{action}" d="M0 .5 8 4 0 7.5z"/></marker>'
            for action in ACTIONS
        )
        ways = (self._way(number, way) for number, way in enumerate(self._graph.ways))
        cards = (self._card(dataset) for dataset in self._columns)
        return "\n".join((opening, f"<defs>{ends}</defs>", *ways, *cards, "</svg>"))

    def node(self, dataset: Dataset, column: str) -> str:
        """Give the id of a column."""
        card = self._cards[dataset]
        return f"{card.number}-{card.columns[column]}"

    def _left(self, layer: int) -> float:
        return _MARGIN + layer * (self._wide + _ACROSS)

    def _card_width(self) -> float:
        """Make all cards as wide as the widest line, within reason."""
        lines = [170.0]
        for dataset, columns in self._columns.items():
            lines.append(min(width(short_name(dataset)), _NAME) * _LETTER)
            for column in columns:
                badge = width(self._badges.get((dataset, column), ""))
                lines.append(min(width(column), _NAME) * _LETTER + min(badge, _BADGE) * _SMALL + 18)
        return max(lines) + 2 * _PADDING

    def _card(self, dataset: Dataset) -> str:
        card, columns = self._cards[dataset], self._columns[dataset]
        high = _HEAD + _FOOT + _ROW * max(1, len(columns))
        asked = " asked" if dataset == self._graph.dataset else ""
        letters = int((self._wide - 2 * _PADDING) / _LETTER)
        where = shown(str(dataset)).removesuffix(shown(short_name(dataset))) or dataset.namespace
        small = int((self._wide - 2 * _PADDING) / _SMALL)
        title = shortened(shown(short_name(dataset)), letters, end=True)
        rows = (self._row(dataset, column, place) for place, column in enumerate(columns))
        head = (
            f'<g class="dataset{asked}" transform="translate({card.left:.1f} {card.top:.1f})">'
            f"<g><title>{_html(str(dataset))}</title>"
            f'<rect class="card" width="{self._wide:.1f}" height="{high}" rx="9"/>'
            f'<path class="head" d="M1 {_HEAD - 2}V9.5a8.5 8.5 0 0 1 8.5-8.5h'
            f'{self._wide - 19:.1f}a8.5 8.5 0 0 1 8.5 8.5V{_HEAD - 2}z"/>'
            f'<text class="title" x="{_PADDING}" y="18">{_html(title)}</text>'
            f'<text class="place" x="{_PADDING}" y="34">{_html(shortened(where, small))}</text></g>'
        )
        return "\n".join((head, *rows, "</g>"))

    def _row(self, dataset: Dataset, column: str, place: int) -> str:
        top = _HEAD + _ROW * place
        badge = self._badges.get((dataset, column), "")
        wanted = (dataset, column) == (self._graph.dataset, self._graph.column)
        name, right = shown(column), self._wide - _PADDING
        return (
            f'<g class="column{" wanted" if wanted else ""}" tabindex="0" role="button" '
            f'data-node="{self.node(dataset, column)}">'
            f"<title>{_html(name)}{_html(f': {badge}') if badge else ''}</title>"
            f'<rect class="row" x="4" y="{top}" width="{self._wide - 8:.1f}" height="{_ROW}" '
            f'rx="5"/><text class="name" x="{_PADDING}" y="{top + 16}">'
            f"{_html(shortened(name, _NAME))}</text>"
            f'<text class="badge" x="{right:.1f}" y="{top + 16}">'
            f"{_html(shortened(badge, _BADGE))}</text></g>"
        )

    def _way(self, number: int, way: Way) -> str:
        edge = way.edge
        source, target = (edge.input, edge.input_column), (edge.output, edge.output_column)
        return (
            f'<path class="way {_html(edge.action)}" data-way="{number}" '
            f'data-from="{self.node(*source)}" data-to="{self.node(*target)}" '
            f'marker-end="url(#end-{_html(edge.action)})" d="{self._line(source, target)}">'
            f"<title>{_html(f'{edge.input_column} to {edge.output_column}: {label(way)}')}</title>"
            "</path>"
        )

    def _line(self, source: _Node, target: _Node) -> str:
        start, end = self._side(source, right=True), self._side(target, right=False)
        if source[0] == target[0]:
            # Out of the dataset and back into it: a loop at its right side.
            end = self._side(target, right=True)
            reach = 26 + abs(end[1] - start[1]) / 3
            lift = 6 if start[1] == end[1] else 0
            return (
                f"M{start[0]:.1f} {start[1] - lift:.1f}c{reach:.1f} {-lift} {reach:.1f} "
                f"{end[1] - start[1] + 3 * lift:.1f} 0 {end[1] - start[1] + 2 * lift:.1f}"
            )
        places = self._layout.places
        bends = self._layout.bends.get((source[0], target[0]), ())
        forward = places[source[0]].layer < places[target[0]].layer
        stops: list[_Point] = [start]
        for bend in bends if forward else reversed(bends):
            left, right = (self._left(bend.layer), self._left(bend.layer) + self._wide)
            across = (left, right) if forward else (right, left)
            stops += [(x, bend.top + _MARGIN) for x in across]
        stops.append(end)
        parts = [f"M{start[0]:.1f} {start[1]:.1f}"]
        for one, other in pairwise(stops):
            reach = abs(other[0] - one[0]) / 2 if forward else _ACROSS * 0.8
            out = reach if forward or one == start else -reach
            back = reach if forward or other == end else -reach
            parts.append(
                f"C{one[0] + out:.1f} {one[1]:.1f} {other[0] - back:.1f} {other[1]:.1f} "
                f"{other[0]:.1f} {other[1]:.1f}"
            )
        return "".join(parts)

    def _side(self, node: _Node, *, right: bool) -> _Point:
        card = self._cards[node[0]]
        height = card.top + _HEAD + _ROW * (card.columns[node[1]] + 0.5)
        return card.left + (self._wide if right else -1), height


def label(way: Way) -> str:
    """Say what was done on a way, in one line."""
    how = _how(way)
    return f"{way.edge.action}: {how}" if how else way.edge.action


def _how(way: Way) -> str:
    edge = way.edge
    if edge.key is None:
        return edge.scheme or ""
    version = "" if edge.key_version is None else f" v{edge.key_version}"
    return " · ".join(part for part in (edge.scheme, f"{edge.key}{version}") if part)


def _badges(graph: Graph) -> dict[_Node, str]:
    """Say at each column what its values are: tokens of which scheme, key and version."""
    newest: dict[_Node, Way] = {}
    for way in graph.ways:
        node = (way.edge.output, way.edge.output_column)
        if node not in newest or way.started > newest[node].started:
            newest[node] = way
    kinds = {"detokenize": "detokenized", "seal": "sealed"}
    return {node: shown(kinds.get(way.edge.action) or _how(way)) for node, way in newest.items()}


def _html(text: str) -> str:
    return escape(shown(text))
