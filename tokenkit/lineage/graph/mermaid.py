"""A graph of lineage as Mermaid text, for pages and tickets that draw it."""

import re

from tokenkit.lineage.graph.model import Graph, Way
from tokenkit.lineage.graph.names import shown

_MARK = re.compile(
    # Marks of Markdown (lists, stress) mean nothing between letters, where names mostly have them.
    r"[^A-Za-z0-9 ,:/._-]|(?<![A-Za-z0-9])[._-]|[._-](?![A-Za-z0-9])"
)


def mermaid(graph: Graph) -> str:
    r"""Write a graph as a Mermaid flowchart: a box for each dataset, a node for each column.

    Mermaid draws at most 500 arrows unless its ``maxEdges`` is raised.

    Examples
    --------
    >>> from tokenkit.lineage import Dataset
    >>> print(mermaid(Graph(ways=(), dataset=Dataset("file", "/a.csv"), column="id")), end="")
    flowchart LR
      subgraph d0["file:/a.csv"]
        d0c0["id"]
      end
      class d0c0 asked
      classDef asked stroke-width:3px
    """
    lines = ["flowchart LR"]
    nodes: dict[tuple[object, str], str] = {}
    for number, (dataset, columns) in enumerate(graph.columns().items()):
        lines.append(f"  subgraph d{number}[{_quoted(str(dataset))}]")
        for place, column in enumerate(columns):
            nodes[dataset, column] = f"d{number}c{place}"
            lines.append(f"    d{number}c{place}[{_quoted(column)}]")
        # Mermaid refuses a subgraph without nodes.
        lines += [] if columns else [f"    d{number}c0[{_quoted('no columns')}]"]
        lines.append("  end")
    for way in graph.ways:
        source = nodes[way.edge.input, way.edge.input_column]
        target = nodes[way.edge.output, way.edge.output_column]
        arrow = "-.->" if way.edge.action == "keep" else "-->"
        lines.append(f"  {source} {arrow}|{_quoted(_label(way))}| {target}")
    if graph.dataset is not None and graph.column is not None:
        lines.append(f"  class {nodes[graph.dataset, graph.column]} asked")
        lines.append("  classDef asked stroke-width:3px")
    if graph.truncated:
        lines.append("  %% there is more than this")
    return "\n".join(lines) + "\n"


def _label(way: Way) -> str:
    edge = way.edge
    if edge.scheme is None:
        return edge.action
    version = "" if edge.key_version is None else f" {edge.key_version}"
    return f"{edge.action}: {edge.scheme}" + (f", {edge.key}{version}" if edge.key else "")


def _quoted(text: str) -> str:
    # Mermaid reads `#NUMBER;` in quotes as a character, so nothing in a name can end the quotes,
    # begin Markdown or be taken for HTML.
    return '"' + _MARK.sub(lambda mark: f"#{ord(mark[0])};", shown(text)) + '"'
