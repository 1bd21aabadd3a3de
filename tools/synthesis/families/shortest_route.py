"""Shortest paths in weighted graphs."""

import random
from typing import Any

import networkx

CATEGORY = "graphs"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"shortest_route {seed} {level}")
    size, reach = 4 + 2 * level, 6 * 3**level
    edges = [[node, node + 1, draw.randrange(reach // 2, reach)] for node in range(size - 1)]
    for _ in range(size):
        a, b = sorted(draw.sample(range(size), 2))
        edges.append([a, b, draw.randrange(reach, 3 * reach)])
    text = (
        f"An undirected graph on the vertices 0 to {size - 1} has the weighted edges "
        f"{', '.join(f'{a}-{b}: {w}' for a, b, w in edges)}. Find the length of a shortest path from 0 to {size - 1}."
    )
    return {"statement": text, "reference": str(_length(size, edges)), "data": [size, edges]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    return text.isdigit() and int(text) == _length(*data)


def _length(size: Any, edges: Any) -> int:
    graph = networkx.MultiGraph()
    graph.add_weighted_edges_from(edges)
    return networkx.shortest_path_length(graph, 0, size - 1, weight="weight")
