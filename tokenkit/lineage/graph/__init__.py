"""The graph of lineage, and how it is drawn: Mermaid text, and an HTML page."""

from tokenkit.lineage.graph.mermaid import mermaid
from tokenkit.lineage.graph.model import Graph, Trace, Way, edge_json
from tokenkit.lineage.graph.page import page

__all__ = ["Graph", "Trace", "Way", "edge_json", "mermaid", "page"]
