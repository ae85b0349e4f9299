"""Shortest paths along data: through a graph that joins each image to its nearest ones."""

from __future__ import annotations

import numpy as np

from overgen.measures.neighbours import nearest


class Graph:
    """The k-nearest-neighbour graph of points, as Isomap has it (Tenenbaum et al. 2000): edges as long as they are.

    x: (N, D) points; neighbours: k, of each.
    """

    def __init__(self, x: np.ndarray, neighbours: int) -> None:
        self.x, self.neighbours = x, neighbours
        self.found = nearest(x, neighbours)

    def shortest(self, first: np.ndarray, second: np.ndarray) -> list[np.ndarray | None]:
        """The corners of the shortest path between each two points, (V, D), V ≥ 3; None where there is no path.

        first, second: (P, D), each joined to its own nearest points of the graph. No path goes through the end of
        another. A point that coincides with a point of the graph is one corner with it.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        count, pairs = len(self.x), len(first)
        starts, ends = (nearest(self.x, self.neighbours, points) for points in (first, second))
        k = self.neighbours
        inner = np.repeat(np.arange(count), k), self.found.places.ravel(), self.found.distances.ravel()
        into = np.repeat(count + np.arange(pairs), k), starts.places.ravel(), starts.distances.ravel()
        out = ends.places.ravel(), np.repeat(count + pairs + np.arange(pairs), k), ends.distances.ravel()
        both = [inner, (inner[1], inner[0], inner[2]), into, out]  # edges within the graph go both ways
        tails, heads, lengths = (np.concatenate(column) for column in zip(*both, strict=True))
        lengths = np.maximum(lengths, np.finfo(np.float64).tiny)  # an edge of length 0 would be none
        _, once = np.unique(tails * (count + 2 * pairs) + heads, return_index=True)  # else lengths would be added
        size = count + 2 * pairs
        graph = csr_array((lengths[once], (tails[once], heads[once])), shape=(size, size))
        before = dijkstra(graph, indices=count + np.arange(pairs), return_predecessors=True)[1]
        paths: list[np.ndarray | None] = []
        for pair in range(pairs):
            places = [int(before[pair, count + pairs + pair])]
            while places[-1] >= 0 and places[-1] != count + pair:
                places.append(int(before[pair, places[-1]]))
            corners = np.concatenate([first[pair][None], self.x[places[-2::-1]], second[pair][None]])
            moved = np.r_[True, (np.diff(corners, axis=0) != 0).any(1)]
            paths.append(corners[moved] if places[-1] >= 0 else None)
        return paths
