"""What a proof has shown so far: equal expressions, orderings, facts that may be put in, and the defects found.

Every relation is judged by its truth for all values, never by what the text assumed; the facts only make steps smaller.
"""

from dataclasses import dataclass, field

from lab.algebra import NO_VALUES, Algebra, Terms, Values
from lab.claims import Claim
from lab.congruence import vanishes
from lab.defects import Defect, Kind, Place
from lab.expressions import Expr, Number, sub, substitute
from lab.ordering import holds_everywhere, plainly_at_least
from lab.sentences import Chain, Span
from lab.sequences import close, definitions
from lab.steps import LEAP, STEP, Rewriting, work, work_with

Node = tuple[int, Terms]  # a modulus (0 for none) and sorted terms
MAX_FACTS = 12


@dataclass(slots=True)
class Last:
    """Where the chain before ended, for one that goes on from it."""

    expr: Expr
    first: Terms
    modulus: int
    values: Values


@dataclass(slots=True)
class Ledger:
    """Everything known at one point of a proof of ``claim``; ``sentence`` is the index of the one being read."""

    claim: Claim
    algebra: Algebra = field(default_factory=Algebra)
    defects: list[Defect] = field(default_factory=list)
    facts: list[tuple[int, Rewriting]] = field(default_factory=list)
    parents: dict[Node, Node] = field(default_factory=dict)
    above: list[tuple[Node, Node, bool]] = field(default_factory=list)
    last: Last | None = None
    sentence: int = 0
    cited: bool = False
    steps: int = 0

    def defect(self, kind: Kind, span: Span, message: str, *, minor: bool = False) -> None:
        """Notes a defect of the sentence being read."""
        self.defects.append(Defect(kind, Place(self.sentence, *span), message, minor))

    def node(self, expr: Expr, values: Values = NO_VALUES, modulus: int = 0) -> Node:
        """An expression as the ledger knows it."""
        return modulus, tuple(sorted(self.algebra.terms(expr, values)))

    def read_chain(self, chain: Chain, values: Values = NO_VALUES) -> None:
        """Judges each relation of a chain and enters what holds."""
        terms, relations, spans, modulus = list(chain.terms), list(chain.relations), list(chain.spans), chain.modulus
        last = self.last
        if chain.lead:
            if last is None:
                return self.defect(Kind.UNREADABLE, spans[0], "there is nothing that this relation goes on from")
            terms.insert(0, last.expr)
            relations.insert(0, chain.lead)
            spans.insert(0, spans[0])
            values, modulus = last.values, modulus or last.modulus
        for index, relation in enumerate(relations):
            span = (spans[index][0], spans[index + 1][1])
            self._relate(terms[index], relation, terms[index + 1], span, values, modulus)
        first = last.first if chain.lead and last else self.algebra.terms(terms[0], values)
        if relations and set(relations) == {"="}:
            self.add_fact(first, self.algebra.terms(terms[-1], values), modulus)
        self.last = Last(terms[-1], first, modulus, values)
        return None

    def add_fact(self, left: Terms, right: Terms, modulus: int = 0) -> None:
        """An equation that later steps may put in; the newest for a left side counts, and comes first."""
        rest = [fact for fact in self.facts if fact[0] != modulus or fact[1][0] != left]
        self.facts = [(modulus, (left, right)), *rest[: MAX_FACTS - 1]]

    def _relate(self, left: Expr, relation: str, right: Expr, span: Span, values: Values, modulus: int) -> None:
        self.steps += 1
        if relation == "=":
            self._equate(left, right, span, values, modulus)
        elif relation == "!=":
            self._separate(left, right, span, values, modulus)
        elif relation in {"<=", "<"}:
            self._order(right, left, relation == "<", span, values)
        else:
            self._order(left, right, relation == ">", span, values)

    def _equate(self, left: Expr, right: Expr, span: Span, values: Values, modulus: int) -> None:
        one, other = self.algebra.terms(left, values), self.algebra.terms(right, values)
        size = self.size(one, other, modulus)
        if size is None and not self._equal_everywhere(left, right, values, modulus):
            self.defect(Kind.INVALID_STEP, span, "the two sides are not equal")
            return
        if size is None or size > STEP or self.cited:
            self._too_large(left, right, size, span, values, modulus)
        self.unite((modulus, tuple(sorted(one))), (modulus, tuple(sorted(other))))

    def size(self, one: Terms, other: Terms, modulus: int) -> int | None:
        """The work between two sums with all that may be put in; None where no work makes them equal."""
        direct = work(self.algebra, one, other, modulus)
        if direct is not None and direct <= STEP:
            return direct
        facts = [rule for under, rule in self.facts if under in {0, modulus}]
        known = definitions(self.algebra, self.claim.sequence, one + other)
        return work_with(self.algebra, one, other, facts, known, modulus)

    def _too_large(self, left: Expr, right: Expr, size: int | None, span: Span, values: Values, modulus: int) -> None:
        """A true step that is not small: the claim itself, a citation, or a gap."""
        large = size is None or size > STEP
        if large and self.is_claim(left, "=", right, values, modulus):
            self.defect(Kind.CIRCULAR, span, "this is the claim itself, in one step")
            return
        minor = size is not None and size <= LEAP
        if self.cited:
            self.defect(Kind.UNSUPPORTED_CITATION, span, "a citation does not replace a proof", minor=minor)
        else:
            much = "no permitted work" if size is None else f"{size} operations"
            self.defect(Kind.GAP, span, f"{much} in one step, where {STEP} are permitted", minor=minor)

    def is_claim(self, left: Expr, relation: str, right: Expr, values: Values, modulus: int) -> bool:
        """Whether a relation is the claim or an instance of it, as it stands or turned around."""
        claim = self.claim
        if (relation, modulus) != (claim.relation, claim.modulus):
            return False
        pair = {self.node(left, values), self.node(right, values)}
        instances = [{}, values] + [{claim.variables[0]: argument} for argument in self.algebra.calls.values()]
        return any(pair == {self.node(claim.left, at), self.node(claim.right, at)} for at in instances)

    def _equal_everywhere(self, left: Expr, right: Expr, values: Values, modulus: int) -> bool:
        """The truth of an equation, whatever may be put in: sequences by their closed form, residues one by one."""
        difference = close(substitute(sub(left, right), dict(values)), self.claim.sequence)
        found = self.algebra.value(self.algebra.terms(difference))
        if not modulus or not found:
            return not found
        return vanishes(self.algebra, found, modulus)

    def _separate(self, left: Expr, right: Expr, span: Span, values: Values, modulus: int) -> None:
        """``!=`` is for numbers."""
        difference = self.algebra.value(self.algebra.terms(sub(left, right), values))
        if set(difference) - {0}:
            self.defect(Kind.GAP, span, "a difference between expressions needs an argument")
        elif not (difference.get(0, 0) % modulus if modulus else difference):
            self.defect(Kind.INVALID_STEP, span, "the two sides are equal")

    def _order(self, large: Expr, small: Expr, strict: bool, span: Span, values: Values) -> None:
        one, other = self.algebra.terms(large, values), self.algebra.terms(small, values)
        if not plainly_at_least(self.algebra, one, other, strict):
            if not holds_everywhere(self.algebra, sub(large, small), values, strict):
                self.defect(Kind.INVALID_STEP, span, "this inequality is false for some values")
                return
            circular = self.is_claim(large, ">" if strict else ">=", small, values, 0)
            kind = Kind.CIRCULAR if circular else Kind.GAP
            self.defect(kind, span, "no sum of squares shows this inequality")
        self.above.append(((0, tuple(sorted(one))), (0, tuple(sorted(other))), strict))

    def find(self, node: Node) -> Node:
        """The representative of all that is known to equal ``node``."""
        while (parent := self.parents.setdefault(node, node)) != node:
            self.parents[node] = self.parents[parent]
            node = parent
        return node

    def unite(self, one: Node, other: Node) -> None:
        """Enters that two nodes are equal."""
        self.parents[self.find(one)] = self.find(other)

    def anchor(self, node: Node) -> Node:
        """The class of a node; one that the text does not hold joins an expression that a permitted step away is."""
        if node not in self.parents:
            for known in list(self.parents):
                if known[0] != node[0] or not self.algebra.same_value(node[1], known[1], node[0]):
                    continue
                size = work(self.algebra, node[1], known[1], node[0])
                if size is not None and size <= STEP:
                    self.unite(node, known)
                    break
        return self.find(node)

    def shown_equal(self, left: Expr, right: Expr, values: Values = NO_VALUES, modulus: int = 0) -> bool:
        """Whether the text connects two expressions, or their difference and 0, by equations."""
        if self.anchor(self.node(left, values, modulus)) == self.anchor(self.node(right, values, modulus)):
            return True
        return self.anchor(self.node(sub(left, right), values, modulus)) == self.find((modulus, ()))

    def number(self, expr: Expr, values: Values, modulus: int = 0) -> Number | None:
        """The number that the text shows an expression to be, at the given values."""
        home = self.anchor(self.node(expr, values, modulus))
        for node in list(self.parents):
            if node[0] == modulus and self.find(node) == home and _is_number(node[1]):
                return self.algebra.value(node[1]).get(0, 0)
        return None


def _is_number(terms: Terms) -> bool:
    """Whether this is one number as it is written at the end: 0, 7, -7 or 7/2."""
    if not terms:
        return True
    factors = terms[0][1]
    atoms = all(atom[0] == "n" and abs(times) == 1 for atom, times in factors)
    return len(terms) == 1 and atoms and len(factors) <= 2 and sum(times > 0 for _, times in factors) <= 1
