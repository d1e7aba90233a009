"""Circles and long chains in a graph, without recursion.

`aliases` asks it which aliases lead to one another. Circles are strongly connected components with an edge inside
(Tarjan 1972). Pure, no failures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Graph = Mapping[str, Sequence[str]]


@dataclass
class _Walk:
    graph: Graph
    index: dict[str, int] = field(default_factory=dict)
    low: dict[str, int] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)
    on_stack: set[str] = field(default_factory=set)
    found: list[tuple[str, ...]] = field(default_factory=list)

    def enter(self, node: str) -> None:
        self.index[node] = self.low[node] = len(self.index)
        self.stack.append(node)
        self.on_stack.add(node)

    def leave(self, node: str) -> None:
        if self.low[node] != self.index[node]:
            return
        members: list[str] = []
        while not members or members[-1] != node:
            members.append(self.stack.pop())
            self.on_stack.discard(members[-1])
        if len(members) > 1 or node in self.graph.get(node, ()):
            self.found.append(tuple(sorted(members)))

    def from_root(self, root: str) -> None:
        self.enter(root)
        work = [(root, iter(self.graph.get(root, ())))]
        while work:
            node, edges = work[-1]
            after = next(edges, None)
            if after is None:
                work.pop()
                self.leave(node)
                if work:
                    above = work[-1][0]
                    self.low[above] = min(self.low[above], self.low[node])
            elif after not in self.index:
                self.enter(after)
                work.append((after, iter(self.graph.get(after, ()))))
            elif after in self.on_stack:
                self.low[node] = min(self.low[node], self.index[after])


def circles(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Give the members of every circle, sorted, each node in at most one; a node with an edge to itself is one too."""
    walk = _Walk(graph)
    for node in sorted(graph):
        if node not in walk.index:
            walk.from_root(node)
    return tuple(sorted(walk.found))


def too_long(graph: Graph, limit: int) -> frozenset[str]:
    """Give the nodes from which a chain of more than `limit` nodes leads on, themselves counted."""
    chained = frozenset(graph)
    for _ in range(limit):
        chained = frozenset(node for node in chained if any(after in chained for after in graph[node]))
    return chained
