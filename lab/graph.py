"""Graph of facts: the nodes of a certificate, what they depend on, and the walks from one written side to another."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.algebra import NO_VALUES, Algebra, Terms, Values
from lab.certificate import Joined, Node, Path, Scope
from lab.claims import Claim
from lab.expressions import Expr, sub
from lab.facts import NOTHING, Edge, Entered, Needs, step_of

EVERYWHERE = Scope()


@dataclass(slots=True)
class Graph:
    """Facts about ``claim`` by their places, and the edges that they are between sides as they are written."""

    claim: Claim
    algebra: Algebra = field(default_factory=Algebra)
    nodes: list[Any] = field(default_factory=list)
    needs: list[Needs] = field(default_factory=list)
    edges: dict[Terms, list[Edge]] = field(default_factory=dict)
    runs: dict[tuple[int, ...], int] = field(default_factory=dict)
    scopes: dict[tuple, Values] = field(default_factory=lambda: {(): NO_VALUES})

    def values(self, scope: Scope) -> Values:
        """The values of a scope; the same object each time, as the algebra's memory needs it."""
        known = self.scopes.get(scope.values)
        if known is None:
            known = self.scopes[scope.values] = dict(scope.values)
        return known

    def key(self, expr: Expr, scope: Scope = EVERYWHERE) -> Terms:
        """An expression at the values of a scope, up to the order of its terms."""
        return self.algebra.ordered(expr, self.values(scope))

    def add(self, node: Node | Entered, needs: Needs) -> int:
        """Enters a node; gives its place."""
        self.nodes.append(node)
        self.needs.append(needs)
        return len(self.nodes) - 1

    def joined(self, run: tuple[int, ...]) -> int:
        """The node of a run of equations."""
        place = run[0] if len(run) == 1 else self.runs.get(run)
        if place is None:
            path = tuple((node, False) for node in run)
            place = self.runs[run] = self.add(Joined(path), NOTHING.union(*(self.needs[node] for node in run)))
        return place

    def certified(self) -> tuple[Node, ...]:
        """The nodes as a certificate has them."""
        return tuple(step_of(self.algebra, node) if isinstance(node, Entered) else node for node in self.nodes)

    def connect(self, node: int, left: Terms, right: Terms, relation: str, modulus: int) -> None:
        """Enters a fact between two written sides, to be found on the way to the conclusion."""
        self.edges.setdefault(left, []).append(Edge(right, node, False, relation, modulus))
        if relation == "=":
            self.edges.setdefault(right, []).append(Edge(left, node, True, relation, modulus))

    def fact(self, path: Path) -> int:
        """The node of what a path gives."""
        if len(path) == 1 and not path[0][1]:
            return path[0][0]
        return self.add(Joined(path), NOTHING.union(*(self.needs[node] for node, _ in path)))

    def is_claim(self, left: Expr, relation: str, right: Expr, scope: Scope, modulus: int) -> bool:
        """Returns whether a relation is the claim or an instance of it, as it is written or turned around."""
        claim = self.claim
        if (relation, modulus) != (claim.relation, claim.modulus):
            return False
        pair = {self.key(left, scope), self.key(right, scope)}
        called = [Scope(((claim.variables[0], argument),)) for argument in self.algebra.calls.values()]
        instances = [EVERYWHERE, scope, *called]
        return any(pair == {self.key(claim.left, at), self.key(claim.right, at)} for at in instances)

    def connected(self, one: Terms, other: Terms) -> bool:
        """Returns whether equations lead from one written side to another."""
        return self.path(one, other.__eq__, lambda edge: edge.relation == "=") is not None

    def falls(self, large: Expr, small: Expr, strict: bool) -> bool:
        """Returns whether what was shown leads from the difference down to 0, with a strict step if ``strict``."""
        start = self.key(sub(large, small))
        if not strict:
            return self.path(start, ().__eq__, lambda edge: not edge.modulus) is not None
        for high, edges in self.edges.items():
            for edge in edges:
                if edge.relation != ">" or (high != start and not self.connected(start, high)):
                    continue
                if edge.to == () or self.path(edge.to, ().__eq__, lambda edge: not edge.modulus) is not None:
                    return True
        return False

    def path(
        self, start: Terms, wanted: Callable[[Terms], bool], usable: Callable[[Edge], bool]
    ) -> tuple[Path, Terms] | None:
        """The shortest walk of one fact at least from a written side to one that is ``wanted``, and where it ends."""
        waiting: deque[tuple[Terms, Path]] = deque([(start, ())])
        seen = {start}
        while waiting:
            at, path = waiting.popleft()
            if path and wanted(at):
                return path, at
            for edge in self.edges.get(at, ()):
                if usable(edge) and (edge.to not in seen or (not path and edge.to == start and wanted(start))):
                    seen.add(edge.to)
                    waiting.append((edge.to, (*path, (edge.node, edge.turned))))
        return None
