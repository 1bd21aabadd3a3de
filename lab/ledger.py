"""Ledger: the facts that a proof has shown so far, as nodes of its certificate, and the defects found.

Every relation is judged by its truth for all values, never by what the text assumed; facts put in only make steps
smaller, and what depends on a hypothesis is marked.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from math import factorial
from typing import Any

from lab.algebra import Terms, Values
from lab.certificate import Consecutive, Definite, Definition, Differ, Hypothesis, Node, Order, Scope
from lab.congruence import vanishes
from lab.defects import Defect, Kind, Place
from lab.expressions import Expr, Number, num, power, shifted, sub, substitute
from lab.facts import NOTHING, Entered, Last, consecutive_shifts, fits_case, has_divisor, is_hypothetical
from lab.graph import EVERYWHERE, Graph
from lab.limits import MAX_DEFECTS, DefectLimit
from lab.openings import forms_between
from lab.ordering import balanced_squares, holds_everywhere, plainly_at_least, quadratic
from lab.sentences import Chain, Span
from lab.sequences import close, definitions, lowest_index
from lab.steps import LEAP, STEP, Change, Rule, minus, multiple, without_multiples, work, work_with

MAX_FACTS = 12
MAX_ORDERS = 12
MAX_OPENED = 8  # larger steps of a text that are taken apart


@dataclass(slots=True)
class Ledger(Graph):
    """Everything known at one point of a proof of ``claim``; ``sentence`` is the index of the one being read."""

    defects: list[Defect] = field(default_factory=list)
    facts: list[tuple[int, Rule]] = field(default_factory=list)
    supposed: list[set[Terms]] = field(default_factory=list)
    nexts: list[set[Terms]] = field(default_factory=list)  # the claim after what is supposed
    restated: list[Defect] = field(default_factory=list)
    moduli: dict[Any, int] = field(default_factory=dict)
    lowest: dict[str, int] = field(default_factory=dict)
    known: dict[Definition, int] = field(default_factory=dict)
    last: Last | None = None
    sentence: int = 0
    cited: bool = False
    means: bool = False  # whether the inequality of the means is named
    discriminants: set[Number] = field(default_factory=set)
    consecutive: int = 0  # how many consecutive numbers are spoken of
    opened: int = 0
    steps: int = 0
    claim_key: tuple[Terms, Terms] = ((), ())

    def __post_init__(self) -> None:
        self.claim_key = self.key(self.claim.left), self.key(self.claim.right)

    def defect(self, kind: Kind, span: Span, message: str, *, minor: bool = False) -> None:
        """Notes a defect of the sentence being read. Raises DefectLimit at the last one that is noted."""
        self.defects.append(Defect(kind, Place(self.sentence, *span), message, minor))
        if len(self.defects) >= MAX_DEFECTS:
            raise DefectLimit

    def read_chain(self, chain: Chain, scope: Scope = EVERYWHERE) -> None:
        """Judges each relation of a chain and enters what holds."""
        terms, relations, spans, modulus = list(chain.terms), list(chain.relations), list(chain.spans), chain.modulus
        run: tuple[int, ...] = ()
        if chain.lead:
            last = self.last
            if last is None:
                return self.defect(Kind.UNREADABLE, spans[0], "there is nothing that this relation goes on from")
            terms.insert(0, last.expr)
            relations.insert(0, chain.lead)
            spans.insert(0, spans[0])
            scope, modulus = last.scope, modulus or last.modulus
            run = last.run
            if last.modulus not in {0, modulus}:
                return self.defect(Kind.UNREADABLE, spans[0], "this goes on with another modulus: write both sides")
        if modulus and not set(relations) <= {"=", "!="}:
            return self.defect(Kind.UNREADABLE, (spans[0][0], spans[-1][1]), "an inequality has no modulus")
        if modulus == 1 != self.claim.modulus:
            return self.defect(Kind.UNREADABLE, (spans[0][0], spans[-1][1]), "modulo 1 everything is equal")
        for index, relation in enumerate(relations):
            span = (spans[index][0], spans[index + 1][1])
            nodes = self._relate(terms[index], relation, terms[index + 1], span, scope, modulus)
            if not nodes:
                self._note(run)
            run = (*run, *nodes) if nodes else ()
        self._note(run)
        self.last = Last(terms[-1], modulus, scope, run)
        return None

    def _note(self, run: tuple[int, ...]) -> None:
        """Enters what a run of equations gives from its first side to its last, for later steps to put in."""
        if run:
            first, last = self.nodes[run[0]], self.nodes[run[-1]]
            left = self.algebra.terms(first.left, self.values(first.scope))
            self.add_fact(left, self.algebra.terms(last.right, self.values(last.scope)), last.modulus, run)

    def add_fact(self, left: Terms, right: Terms, modulus: int, source: tuple[int, ...]) -> None:
        """An equation that later steps may put in; the newest for a left side counts, and comes first."""
        rest = [fact for fact in self.facts if fact[0] != modulus or fact[1].left != left]
        self.facts = [(modulus, Rule(left, right, source)), *rest[: MAX_FACTS - 1]]
        self.moduli[source] = modulus

    def suppose(self, name: str, shift: int, left: Expr, right: Expr) -> None:
        """Enters the claim at ``name + shift`` as a hypothesis."""
        node = self.add(Hypothesis(name, shift), frozenset({(name, shift)}))
        self.lowest[name] = min(shift, self.lowest.get(name, shift))
        self.add_fact(self.algebra.terms(left), self.algebra.terms(right), self.claim.modulus, (node,))
        following = (self.claim.at(shifted(name, shift + more)) for more in (1, 2))
        self.nexts += ({self.key(side) for side in pair} for pair in following)
        self.supposed.append({self.key(left), self.key(right)})
        self.connect(node, self.key(left), self.key(right), "=", self.claim.modulus)

    def suppose_moved(self, supposed: tuple[Expr, Expr], left: Expr, right: Expr) -> None:
        """Enters ``left = right``, a congruence that is the hypothesis entered last with its terms moved."""
        place, modulus = len(self.nodes) - 1, self.claim.modulus
        one, other, *sides = (self.algebra.terms(expr) for expr in (left, right, *supposed))
        for sign in (1, -1):
            start = minus(one, minus(*sides) if sign > 0 else minus(*reversed(sides)))
            size = work(self.algebra, start, other, modulus)
            if size is not None and size <= STEP:
                change = Change(size, start, other, (((place,), ((sign, ()),)),))
                node = self._enter_step(left, right, change, EVERYWHERE, modulus)
                self.connect(node, tuple(sorted(one)), tuple(sorted(other)), "=", modulus)
                self.add_fact(one, other, modulus, (node,))
                return

    def _relate(
        self, left: Expr, relation: str, right: Expr, span: Span, scope: Scope, modulus: int
    ) -> tuple[int, ...]:
        """Judges one relation; the equations that it is entered as, none where it does not hold."""
        self.steps += 1
        if scope.modulus and not fits_case(left, right, scope, modulus):
            message = "in a case of residues, relations of the variable hold only modulo a number dividing the case's"
            self.defect(Kind.INVALID_STEP, span, message)
        elif relation == "=":
            return self._equate(left, right, span, scope, modulus)
        elif relation == "!=":
            self._separate(left, right, span, scope, modulus)
        else:
            sides = (left, right) if relation in {">", ">="} else (right, left)
            self._order(*sides, relation in {"<", ">"}, span, scope)
        return ()

    def _equate(self, left: Expr, right: Expr, span: Span, scope: Scope, modulus: int) -> tuple[int, ...]:
        values = self.values(scope)
        one, other = self.algebra.terms(left, values), self.algebra.terms(right, values)
        found = self.change(one, other, modulus)
        if found.size is None and not self._equal_everywhere(left, right, values, modulus):
            self.defect(Kind.INVALID_STEP, span, "the two sides are not equal")
            return ()
        if not scope.values and self._is_restated(left, right, found, modulus):
            place = Place(self.sentence, *span)
            self.restated.append(Defect(Kind.CIRCULAR, place, "this is the claim itself, in one step"))
            return self._from_known(left, right, modulus)
        nodes: tuple[int, ...] = ()
        if found.size is None or found.size > STEP or self.cited:
            nodes = self._enter_opened(left, right, found, scope, modulus)
            if not nodes:
                self._too_large(left, right, found.size, span, scope, modulus)
        nodes = nodes or (self._enter_step(left, right, found, scope, modulus),)
        sides = tuple(sorted(one)), tuple(sorted(other))
        if any(is_hypothetical(self.needs[node]) for node in nodes):
            if modulus:
                self._by_way(*sides, modulus)
            self._note_circle(set(sides), span)
        self.connect(self.joined(nodes), *sides, "=", modulus)
        return nodes

    def _is_restated(self, left: Expr, right: Expr, found: Change, modulus: int) -> bool:
        """Returns whether an equation is the claim, by nothing that was shown before; a congruence, by anything."""
        by_algebra = bool(modulus) or not (found.on_left or found.on_right)
        fits = by_algebra and (self.claim.relation, self.claim.modulus) == ("=", modulus)
        return fits and {self.key(left), self.key(right)} == set(self.claim_key)

    def _from_known(self, left: Expr, right: Expr, modulus: int) -> tuple[int, ...]:
        """The claim as a small step from its left side to what was shown to equal its right side."""
        one, other = self.algebra.terms(left), self.key(right)
        for edge in () if modulus else self.edges.get(other, ()):
            size = work(self.algebra, one, edge.to) if edge.relation == "=" and not edge.modulus else None
            usable = edge.to != other and not self.needs[edge.node]
            if usable and tuple(sorted(one)) != edge.to and size is not None and size <= STEP:
                return (self.enter_plain(left, self.algebra.written(edge.to), EVERYWHERE, 0, size),)
        return ()

    def _by_way(self, one: Terms, other: Terms, modulus: int) -> None:
        """Enters a congruence of what a side was shown to equal: of 5(5^k + 3) - 12 for 5^(k + 1) + 3."""
        for edge in list(self.edges.get(one, ())):
            found = self.change(edge.to, other, modulus) if edge.relation == "=" and not edge.modulus else None
            if (
                found is not None
                and found.size is not None
                and found.size <= STEP
                and (found.on_left or found.on_right)
            ):
                written = self.algebra.written(edge.to), self.algebra.written(other)
                node = self._enter_step(*written, found, EVERYWHERE, modulus)
                self.connect(node, edge.to, other, "=", modulus)
                return

    def _note_circle(self, sides: set[Terms], span: Span) -> None:
        """Notes a hypothesis that is only said again, a circle should nothing come of it; the claim at another index in
        one line is what the step of the induction has to show."""
        if sides in self.supposed or sides == set(self.claim_key):
            place = Place(self.sentence, *span)
            self.restated.append(Defect(Kind.CIRCULAR, place, "this takes what is to be shown as given"))
        elif sides in self.nexts and not self.connected(*sides):
            self.defect(Kind.CIRCULAR, span, "this is what the step has to show, in one line")

    def _enter_step(self, left: Expr, right: Expr, found: Change, scope: Scope, modulus: int) -> int:
        needs = NOTHING
        uses: list[tuple[int, Terms, bool]] = []
        for applied, on_right in ((found.on_left, False), (found.on_right, True)):
            for source, factor in applied:
                place = self._define(source) if isinstance(source, Definition) else self.joined(source)
                needs |= self.needs[place]
                uses.append((place, factor, on_right))
        return self.add(Entered(left, right, modulus, scope, found, tuple(uses)), needs)

    def _enter_opened(self, left: Expr, right: Expr, found: Change, scope: Scope, modulus: int) -> tuple[int, ...]:
        """Enters a step that is large only by powers and multiples of sums, as the small steps that open them."""
        if found.size is None or self.cited or scope.modulus or self.is_claim(left, "=", right, scope, modulus):
            return ()
        self.opened += 1
        if self.opened > MAX_OPENED:
            return ()
        forms = forms_between(self.algebra, found.start, found.end, modulus)
        if len(forms) < 3:
            return ()
        first = Change(0, forms[0], forms[1], found.on_left)
        last = Change(0, forms[-2], forms[-1], (), found.on_right)
        written = [self.algebra.written(form) for form in forms[1:-1]]
        between = [
            self._enter_step(*sides, Change(0, *terms), EVERYWHERE, modulus)
            for sides, terms in zip(pairwise(written), pairwise(forms[1:-1]), strict=True)
        ]
        start = self._enter_step(left, written[0], first, scope, modulus)
        return (start, *between, self._enter_step(written[-1], right, last, scope, modulus))

    def enter_plain(self, left: Expr, right: Expr, scope: Scope, modulus: int, size: int) -> int:
        """Enters an equation that takes one small step of nothing but algebra."""
        one, other = self.key(left, scope), self.key(right, scope)
        node = self._enter_step(left, right, Change(size, one, other), scope, modulus)
        self.connect(node, one, other, "=", modulus)
        return node

    def rewrite(self, left: Expr, right: Expr) -> bool:
        """Enters that the last fact's right side is, in one small step, ``right``."""
        one, other = self.key(left), self.key(right)
        found = Change(work(self.algebra, one, other, self.claim.modulus), one, other)
        if found.size is None or found.size > STEP:
            return False
        node = self.enter_plain(left, right, EVERYWHERE, self.claim.modulus, found.size)
        for modulus, rule in self.facts:
            if tuple(sorted(rule.right)) == one and modulus == self.claim.modulus:
                self.add_fact(rule.left, self.algebra.terms(right), modulus, (*rule.source, node))
                break
        return True

    def _define(self, definition: Definition) -> int:
        """The node of a definition that was put in."""
        known = self.known.get(definition)
        if known is None:
            assert self.claim.sequence is not None
            bound = lowest_index(self.algebra, self.claim.sequence, definition.argument)
            known = self.known[definition] = self.add(definition, NOTHING if bound is None else frozenset({bound}))
        return known

    def change(self, one: Terms, other: Terms, modulus: int) -> Change:
        """The work between two sums with all that may be put in."""
        direct = work(self.algebra, one, other, modulus)
        if direct is not None and direct <= STEP:
            return Change(direct, one, other)
        reduced = [without_multiples(side, modulus) for side in (one, other)] if modulus else [one, other]
        if reduced != [one, other]:
            size = work(self.algebra, reduced[0], reduced[1], modulus)
            if size is not None and size <= STEP:
                return Change(size, one, other)
        facts = [rule for under, rule in self.facts if under in {0, modulus}]
        known = definitions(self.algebra, self.claim.sequence, one + other, self.lowest)
        found = work_with(self.algebra, one, other, direct, facts, known, modulus)
        applied = (*found.on_left, *found.on_right)
        split = any(self.moduli.get(source) and has_divisor(factor) for source, factor in applied)
        return Change(direct, one, other) if split else found

    def _too_large(self, left: Expr, right: Expr, size: int | None, span: Span, scope: Scope, modulus: int) -> None:
        """A true step that is not small: the claim at some values, a citation, or a gap."""
        if (size is None or size > STEP) and self.is_claim(left, "=", right, scope, modulus):
            self.defect(Kind.CIRCULAR, span, "this is the claim itself, in one step")
            return
        minor = size is not None and size <= LEAP
        if self.cited:
            self.defect(Kind.UNSUPPORTED_CITATION, span, "a citation does not replace a proof", minor=minor)
        else:
            much = "no permitted work" if size is None else f"{size} operations"
            self.defect(Kind.GAP, span, f"{much} in one step, where {STEP} are permitted", minor=minor)

    def _equal_everywhere(self, left: Expr, right: Expr, values: Values, modulus: int) -> bool:
        """The truth of an equation, whatever may be put in: sequences by their closed form, residues one by one."""
        difference = close(substitute(sub(left, right), dict(values)), self.claim.sequence)
        found = self.algebra.value(self.algebra.terms(difference))
        if not modulus or not found:
            return not found
        return vanishes(self.algebra, found, modulus)

    def _separate(self, left: Expr, right: Expr, span: Span, scope: Scope, modulus: int) -> None:
        """``!=`` is for numbers."""
        difference = self.algebra.value(self.algebra.terms(sub(left, right), self.values(scope)))
        if set(difference) - {0}:
            self.defect(Kind.GAP, span, "a difference between expressions needs an argument")
        elif not (difference.get(0, 0) % modulus if modulus else difference):
            self.defect(Kind.INVALID_STEP, span, "the two sides are equal")
        else:
            self.add(Differ(left, right, modulus, scope), NOTHING)

    def _order(self, large: Expr, small: Expr, strict: bool, span: Span, scope: Scope) -> None:
        values = self.values(scope)
        one, other = self.algebra.terms(large, values), self.algebra.terms(small, values)
        node: Node | None = None
        if plainly_at_least(self.algebra, one, other, strict):
            node = Order(large, small, strict, scope)
        elif not holds_everywhere(self.algebra, sub(large, small), values, strict):
            self.defect(Kind.INVALID_STEP, span, "this inequality is false for some values")
            return
        else:
            node = self._moved(large, small, one, other, strict, scope) or self._named(large, small, strict, scope)
            node = node or self._seen_in_another_form(one, small, other, strict, scope)
            one = self.key(node.large) if isinstance(node, Order) and node.large != large else one
        if node is None and not scope.values and self.falls(large, small, strict):
            return
        if node is None:
            circular = self.is_claim(large, ">" if strict else ">=", small, EVERYWHERE, 0)
            kind = Kind.CIRCULAR if circular else Kind.GAP
            self.defect(kind, span, "no sum of squares shows this inequality")
            return
        place = self.add(node, NOTHING)
        self.connect(place, tuple(sorted(one)), tuple(sorted(other)), ">" if strict else ">=", 0)

    def multiply_consecutive(self, product: Expr, count: int) -> bool:
        """Enters that a product of so many consecutive numbers is 0 modulo each divisor of count!, if it is one."""
        terms = self.algebra.terms(product)
        shifts = consecutive_shifts(self.algebra, terms) if self.claim.domain.integer else ()
        if len(shifts) != count:
            return False
        self.consecutive = count
        for modulus in (number for number in range(2, factorial(count) + 1) if factorial(count) % number == 0):
            node = self.add(Consecutive(product, modulus), NOTHING)
            self.connect(node, tuple(sorted(terms)), (), "=", modulus)
            self.add_fact(terms, (), modulus, (node,))
        return True

    def follows(self, large: Expr, small: Expr, *, strict: bool) -> bool:
        """Enters an inequality that is an earlier one with its terms moved, if it is."""
        one, other = self.algebra.terms(large), self.algebra.terms(small)
        node = self._moved(large, small, one, other, strict, EVERYWHERE)
        if node is not None:
            relation = ">" if strict else ">="
            self.connect(self.add(node, NOTHING), tuple(sorted(one)), tuple(sorted(other)), relation, 0)
        return node is not None

    def _moved(self, large: Expr, small: Expr, one: Terms, other: Terms, strict: bool, scope: Scope) -> Order | None:
        """An inequality that is a multiple of an earlier one, its terms moved from side to side."""
        orders = [place for place, node in enumerate(self.nodes) if isinstance(node, Order)]
        for place in reversed(orders[-MAX_ORDERS:]):
            before = self.nodes[place]
            assert isinstance(before, Order)
            if strict and not before.strict:
                continue
            sides = (self.algebra.terms(side, self.values(before.scope)) for side in (before.large, before.small))
            found = multiple(self.algebra, minus(*sides), minus(one, other))
            if found is not None and found.ratio > 0 and found.size <= STEP:
                return Order(large, small, strict, scope, place, found.ratio)
        return None

    def _seen_in_another_form(self, one: Terms, small: Expr, other: Terms, strict: bool, scope: Scope) -> Order | None:
        """An inequality that is plain in a form that the large side was shown to equal: squares and a number."""
        for edge in () if scope.values else self.edges.get(tuple(sorted(one)), ()):
            plain = edge.relation == "=" and not edge.modulus and not self.needs[edge.node]
            if plain and plainly_at_least(self.algebra, edge.to, other, strict):
                return Order(self.algebra.written(edge.to), small, strict, scope)
        return None

    def _named(self, large: Expr, small: Expr, strict: bool, scope: Scope) -> Node | None:
        """An inequality by what the text names: the inequality of the means, or a discriminant that it works out."""
        terms = self.algebra.terms(sub(large, small), self.values(scope))
        root = balanced_squares(self.algebra, terms) if self.means and not strict else None
        if root is not None:
            square = self.add(Order(power(root, 2), num(0), False, EVERYWHERE), NOTHING)
            before = self.algebra.terms(power(root, 2))
            found = multiple(self.algebra, before, terms)
            return Order(large, small, False, scope, square) if found is not None and found.size <= STEP else None
        return Definite(large, small, strict, scope) if self.opens_upward(terms, strict) else None

    def opens_upward(self, terms: Terms, strict: bool) -> bool:
        """Returns whether a quadratic polynomial is never negative by a discriminant that the text worked out."""
        found = quadratic(self.algebra, terms) if self.discriminants else None
        if found is None or found[0] < 0:
            return False
        discriminant = found[1] ** 2 - 4 * found[0] * found[2]
        return discriminant in self.discriminants and (discriminant < 0 or (discriminant == 0 and not strict))
