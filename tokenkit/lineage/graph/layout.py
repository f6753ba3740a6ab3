"""Where the boxes of a graph go: in layers from left to right, with few crossings.

A small form of the method of Sugiyama, Tagawa and Toda (1981): circles are broken where the fewest
arrows turn back (the greedy heuristic of Eades, Lin and Smyth, 1993), each box goes one layer right
of the farthest one that it comes from, arrows over several layers get a place in each, and the
order within layers follows the mean place of the neighbours.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

_SWEEPS = 6
_GAP = 28.0
_BEND = 10.0

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Place:
    """The layer of a box, counted from 0, and the height of its upper edge."""

    layer: int
    top: float


@dataclass(frozen=True, slots=True)
class Layout(Generic[T]):
    """The place of each box, and the bends of arrows that pass boxes in the layers between.

    Attributes
    ----------
    places
        By box.
    bends
        By arrow, from its left end to its right end.
    layers, height
        How many layers there are, and how high the highest is.
    """

    places: Mapping[T, Place]
    bends: Mapping[tuple[T, T], Sequence[Place]]
    layers: int
    height: float


def lay_out(heights: Mapping[T, float], arrows: Iterable[tuple[T, T]]) -> Layout[T]:
    """Lay out boxes of these heights, with arrows between them; circles are fine.

    Examples
    --------
    >>> found = lay_out({"a": 10, "b": 10, "c": 10}, [("a", "b"), ("b", "c"), ("a", "c")])
    >>> [found.places[box].layer for box in "abc"], len(found.bends["a", "c"])
    ([0, 1, 2], 1)
    """
    weights = Counter((a, b) for a, b in arrows if a != b)
    layer = _layers(heights, weights)
    sizes: dict[Hashable, float] = dict(heights.items())
    levels: defaultdict[int, list[Hashable]] = defaultdict(list)
    for box in heights:
        levels[layer[box]].append(box)
    chains: dict[tuple[T, T], list[Hashable]] = {}
    links: list[tuple[Hashable, Hashable]] = []
    for a, b in weights:
        left, right = (a, b) if layer[a] < layer[b] else (b, a)
        between = [("bend", a, b, at) for at in range(layer[left] + 1, layer[right])]
        for bend in between:
            sizes[bend] = _BEND
            levels[bend[3]].append(bend)
        chains[a, b] = list(between)
        stops: list[Hashable] = [left, *between, right]
        links += pairwise(stops)
    ordered = [levels[number] for number in sorted(levels)]
    tops = _heights(ordered, sizes, links)
    level_of = {box: number for number, boxes in enumerate(ordered) for box in boxes}
    return Layout(
        {box: Place(level_of[box], tops[box]) for box in heights},
        {
            pair: [Place(level_of[bend], tops[bend] + _BEND / 2) for bend in chain]
            for pair, chain in chains.items()
        },
        len(ordered),
        max((tops[box] + sizes[box] for box in sizes), default=0.0),
    )


def _layers(boxes: Iterable[T], weights: Mapping[tuple[T, T], int]) -> dict[T, int]:
    """Give the longest way to each box, along the arrows that go forward."""
    order = {box: place for place, box in enumerate(_forward(boxes, weights))}
    coming: defaultdict[T, list[T]] = defaultdict(list)
    for a, b in weights:
        if order[a] < order[b]:
            coming[b].append(a)
    layer: dict[T, int] = {}
    for box in order:
        layer[box] = max((layer[a] + 1 for a in coming[box]), default=0)
    return layer


def _forward(boxes: Iterable[T], weights: Mapping[tuple[T, T], int]) -> list[T]:
    """Order boxes so that few arrows go back."""
    leaving: defaultdict[T, dict[T, int]] = defaultdict(dict)
    coming: defaultdict[T, dict[T, int]] = defaultdict(dict)
    for (a, b), weight in weights.items():
        leaving[a][b] = coming[b][a] = weight
    left = dict.fromkeys(boxes)
    first: list[T] = []
    last: list[T] = []
    ends = [box for box in left if not (coming[box] and leaving[box])]
    while left:
        # Where only circles are left, the box that most arrows leave goes before all others.
        box = (
            ends.pop()
            if ends
            else max(left, key=lambda b: sum(leaving[b].values()) - sum(coming[b].values()))
        )
        if box not in left:
            continue
        del left[box]
        (first if leaving[box] or not coming[box] else last).append(box)
        for other in (*leaving[box], *coming[box]):
            coming[other].pop(box, None)
            leaving[other].pop(box, None)
            if not (coming[other] and leaving[other]):
                ends.append(other)
    return first + last[::-1]


def _heights(
    levels: Sequence[list[Hashable]],
    sizes: Mapping[Hashable, float],
    links: Sequence[tuple[Hashable, Hashable]],
) -> dict[Hashable, float]:
    """Order each layer by its neighbours, then put each box as near to them as its layer allows."""
    beside: tuple[defaultdict[Hashable, list[Hashable]], ...] = (
        defaultdict(list),
        defaultdict(list),
    )
    for a, b in links:
        beside[0][b].append(a)
        beside[1][a].append(b)
    tops: dict[Hashable, float] = {}
    for boxes in levels:
        _stack(boxes, sizes, tops, dict.fromkeys(boxes, 0.0))
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for boxes in levels if side == 0 else reversed(levels):
            wanted = {
                box: sum(tops[other] + sizes[other] / 2 for other in beside[side][box])
                / len(beside[side][box])
                - sizes[box] / 2
                if beside[side][box]
                else tops[box]
                for box in boxes
            }
            boxes.sort(key=lambda box: wanted[box] + sizes[box] / 2)
            _stack(boxes, sizes, tops, wanted)
    highest = min(tops.values(), default=0.0)
    return {box: top - highest for box, top in tops.items()}


def _stack(
    boxes: Sequence[Hashable],
    sizes: Mapping[Hashable, float],
    tops: dict[Hashable, float],
    wanted: Mapping[Hashable, float],
) -> None:
    """Put boxes below one another, each group that touches at the mean of what its boxes want."""
    groups: list[tuple[list[Hashable], float, float]] = []
    for box in boxes:
        group, start, size = [box], wanted[box], sizes[box]
        while groups and groups[-1][1] + groups[-1][2] + _GAP > start:
            before, before_start, before_size = groups.pop()
            offset = before_size + _GAP
            count, new = len(before), len(group)
            start = (before_start * count + (start - offset) * new) / (count + new)
            group, size = before + group, offset + size
        groups.append((group, start, size))
    for group, start, _ in groups:
        at = start
        for box in group:
            tops[box] = at
            at += sizes[box] + _GAP
