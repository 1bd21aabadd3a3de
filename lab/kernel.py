"""Kernel: checks a certificate again, node by node, from the claim alone.

It trusts the claim (what the statement says) and nothing else: not the reader of proofs, not the rules, not what is
known about the claim's truth. With ``lab.kernel_terms`` it shares no code with them. What it checks:

- a step: what is put in are multiples of earlier equations, and the rest is ``limit`` operations large at most;
- a fact about values of variables holds for them; one about a residue class holds modulo a number dividing its modulus,
  between polynomials with whole coefficients;
- an inequality: the difference is, as written, a sum of squares and a number, or a multiple of an earlier one's;
- what depends on a hypothesis is used only in the induction that assumes it; the claim by algebra alone in one step,
  or a congruence that is the claim, nowhere;
- the conclusion: the claim from facts that depend on nothing; all base cases and the step; all residues; values in the
  domain where the claim fails; factors with the same zeros, the last of them x less the solutions.
"""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, lcm
from typing import Any

from lab import certificate as given
from lab.kernel_solutions import solved
from lab.kernel_terms import (
    SLOT,
    Number,
    Poly,
    Rejected,
    Terms,
    Writing,
    canceled,
    divides,
    need,
    negated,
    plus,
    scaled,
)

LIMIT = 6  # operations of a step
ITSELF = "itself", 0


@dataclass(slots=True)
class Fact:
    """Fact of a node; ``needs`` are hypotheses (name, shift), bounds (name, shift, "from"), the claim ``ITSELF``."""

    relation: str
    left: Terms
    right: Terms
    modulus: int = 0
    needs: frozenset = frozenset()


def verify(claim: Any, certificate: given.Certificate, limit: int = LIMIT) -> None:
    """Returns where the certificate shows the claim, or with ``truth`` False its contrary. Raises Rejected."""
    try:
        kernel = Kernel(claim, limit)
        for node in certificate.nodes:
            kernel.facts.append(_NODES[type(node)](kernel, node))
        _CONCLUSIONS[type(certificate.conclusion)](kernel, certificate.conclusion, certificate.truth)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, StopIteration) as error:
        raise Rejected(f"the certificate is malformed: {error!r}") from error


class Kernel:
    """The facts checked so far."""

    def __init__(self, claim: Any, limit: int) -> None:
        self.claim, self.limit = claim, limit
        self.writing = Writing()
        self.terms, self.value = self.writing.terms, self.writing.value
        self.facts: list[Fact] = []
        self.relation, self.modulus = getattr(claim, "relation", "="), getattr(claim, "modulus", 0)
        self.itself = self.terms(claim.left), self.terms(claim.right)

    def number(self, terms: Terms) -> Number | None:
        """The number that is written: 0, 7, -7 or 7/2; None for anything still to be worked out."""
        parts = terms[0][1] if len(terms) == 1 else ()
        above = [times for atom, times in parts if times > 0]
        if len(terms) > 1 or len(parts) - len(above) > 1 or any(a[0] != "n" or abs(n) > 1 for a, n in parts):
            return None
        return self.value(terms).get(0, 0) if len(above) <= 1 else None

    def linear(self, expr: tuple) -> tuple[Number, Number] | None:
        """The slope and shift of a linear expression in one variable that is not the claim's; None for others."""
        poly = dict(self.value(self.terms(expr)))
        shift, rest = poly.pop(0, 0), list(poly.items())
        new = {
            1 << slot
            for atom, slot in self.writing.slots.items()
            if atom[0] == "v" and atom[1] not in self.claim.variables
        }
        return (rest[0][1], shift) if len(rest) == 1 and rest[0][0] in new else None

    def constant(self, expr: tuple) -> Number:
        """The number that a value is."""
        number = self.number(self.terms(expr))
        if number is None:
            raise Rejected("a value is no number")
        return number

    def whole_polynomials(self, *sides: tuple) -> bool:
        """Returns whether both sides are polynomials with whole coefficients."""
        values = [self.value(self.terms(side)) for side in sides]
        others = sum((1 << SLOT) - 1 << slot for atom, slot in self.writing.slots.items() if atom[0] != "v")
        return all(v.denominator == 1 and not mono & others for value in values for mono, v in value.items())

    def sides(
        self, node: given.CertificateStep | given.Order | given.Definite | given.Differ, left: tuple, right: tuple
    ) -> tuple[Terms, Terms]:
        """Both sides at the values of the node's scope, which they hold for."""
        scope, modulus = node.scope, getattr(node, "modulus", 0)
        found = self.terms(left, scope.values), self.terms(right, scope.values)
        if scope.modulus and (self.terms(left), self.terms(right)) != found:
            numbers = [self.constant(value) for _, value in scope.values]
            need(len(numbers) == 1 and numbers[0].denominator == 1, "a residue class is not one of whole numbers")
            need(modulus and scope.modulus % modulus == 0, "a residue was put in modulo another number")
            need(self.whole_polynomials(left, right), "a residue was put in where only a number can be")
        return found

    def premise(self, place: int) -> Fact:
        """An earlier fact."""
        need(0 <= place < len(self.facts), "a premise does not stand before")
        return self.facts[place]

    def difference(self, left: Terms, right: Terms) -> Poly:
        """left - right as a polynomial."""
        found = dict(self.value(left))
        for mono, number in self.value(right).items():
            found[mono] = found.get(mono, 0) - number
        return found

    def step(self, node: given.CertificateStep) -> Fact:
        left, right = self.sides(node, node.left, node.right)
        start = left if node.start is None else self.terms(node.start)
        end = right if node.end is None else self.terms(node.end)
        plain = self.modulus or not node.uses
        needs = frozenset({ITSELF}) if plain and self.itself in ((left, right), (right, left)) else frozenset()
        for written, changed, side in ((left, start, False), (right, end, True)):
            if written == changed:
                continue
            rest = self.difference(written, changed)
            for use in (use for use in node.uses if use.right is side):
                fact, factor = self.premise(use.premise), self.value(self.terms(use.factor))
                need(fact.relation == "=" and divides(node.modulus, fact.modulus), "an unfit equation is put in")
                need(not fact.modulus or all(v.denominator == 1 for v in factor.values()), "part of a congruence")
                needs |= fact.needs
                for mono, number in self.difference(fact.left, fact.right).items():
                    for other, times in factor.items():
                        rest[mono + other] = rest.get(mono + other, 0) - number * times
            need(not any(v % node.modulus if node.modulus else v for v in rest.values()), "this is not what was put in")
        size = self.writing.size(start, end, node.modulus, self.limit)
        if node.modulus and (size is None or size > self.limit):  # products such as 2(k + 1) are seen to be 0 modulo 2
            start, end = (tuple(t for t in side if not self.vanishes(t, node.modulus)) for side in (start, end))
            size = self.writing.size(start, end, node.modulus, self.limit)
        self.within(size)
        return Fact("=", left, right, node.modulus, needs)

    def vanishes(self, term: tuple, modulus: int) -> bool:
        """Returns whether the numbers before a parenthesis with whole coefficients are a multiple of the modulus."""
        rest = tuple(pair for pair in term[1] if pair[0][0] != "n")
        number = self.value(((1, tuple(pair for pair in term[1] if pair[0][0] == "n")),)).get(0, 0)
        whole = all(v.denominator == 1 for v in self.value(((1, rest),)).values())
        return number % modulus == 0 and whole and any(atom[0] == "s" for atom, _ in rest)

    def within(self, size: int | None) -> None:
        need(size is not None and size <= self.limit, f"a step of {size} operations")

    def joined(self, node: given.Joined) -> Fact:
        facts = [self.premise(place) for place, _ in node.path]
        ways = [
            (f.right, f.left) if turned else (f.left, f.right) for f, (_, turned) in zip(facts, node.path, strict=True)
        ]
        need(all(one[1] == other[0] for one, other in itertools.pairwise(ways)), "a path is broken")
        turned_down = any(f.relation != "=" and turned for f, (_, turned) in zip(facts, node.path, strict=True))
        moduli, relations = {f.modulus for f in facts} - {0}, {f.relation for f in facts}
        need(not turned_down and "!=" not in relations and len(moduli) <= 1, "facts that do not join")
        need(relations == {"="} or not moduli, "an inequality is joined to a congruence")
        relation = ">" if ">" in relations else ">=" if ">=" in relations else "="
        needs = frozenset().union(*(f.needs for f in facts))
        return Fact(relation, ways[0][0], ways[-1][1], max(moduli, default=0), needs)

    def hypothesis(self, node: given.Hypothesis) -> Fact:
        claim = self.claim
        need(claim.relation == "=" and claim.domain.first is not None, "this claim has no induction")
        at = ((claim.variables[0], plus(("var", (node.name,)), node.shift)),)
        left, right = self.terms(claim.left, at), self.terms(claim.right, at)
        return Fact("=", left, right, claim.modulus, frozenset({(node.name, node.shift)}))

    def definition(self, node: given.Definition) -> Fact:
        """A value of the sequence; of ``k + s`` by the rule, where k + s - order is an index: that is noted."""
        sequence = self.claim.sequence
        left = self.terms(("call", (sequence.name, node.argument)))
        value = dict(self.value(self.terms(node.argument)))
        shift, order = value.pop(0, 0), len(sequence.initial)
        need(shift.denominator == 1, "a sequence has whole indices")
        by_rule = self.terms(sequence.rule, (("n", plus(node.argument, -order)),))
        if value:
            ((mono, slope),) = value.items()
            name = next(atom[1] for atom, slot in self.writing.slots.items() if mono == 1 << slot and atom[0] == "v")
            need(slope == 1 and not node.whole, "a sequence is used at k + a number")
            return Fact("=", left, by_rule, 0, frozenset({(name, int(shift) - order, "from")}))
        offset = int(shift) - sequence.first
        need(0 <= offset <= 1000, "the sequence does not begin so early")
        if node.whole:
            at = [(("n", ("num", (sequence.first + index,))),) for index in range(offset + 1)]
            return Fact("=", left, tuple(sorted(term for one in at for term in self.terms(sequence.summand, one))))
        return Fact("=", left, self.terms(sequence.initial[offset]) if offset < order else by_rule)

    def order(self, node: given.Order) -> Fact:
        (large, small), relation = self.sides(node, node.large, node.small), ">" if node.strict else ">="
        if node.premise is not None:
            fact, factor = self.premise(node.premise), Fraction(node.factor)
            need(fact.relation in {">", relation} and factor > 0, "no such inequality stands before")
            before = scaled((*fact.left, *negated(fact.right)), factor, self.terms)
            self.within(self.writing.size((*large, *negated(small)), before, 0, self.limit))
            return Fact(relation, large, small, 0, fact.needs)
        left, right = canceled(large, small)
        least = self.least((*left, *negated(right)))
        need(least is not None and (least > 0 or (least == 0 and not node.strict)), "no sum of squares shows this")
        return Fact(relation, large, small)

    def least(self, terms: Terms) -> Number | None:
        """A number that a sum of squares and numbers, as it is written, is not below; None for other sums."""
        total: Number = 0
        for sign, parts in terms:
            if all(atom[0] == "n" for atom, _ in parts):
                total += self.value(((sign, parts),)).get(0, 0)
                continue
            odd = [atom for atom, times in parts if atom[0] != "n" and times % 2]
            inner = [self.least(atom[1]) if atom[0] == "s" else None for atom in odd]
            if sign < 0 or any(least is None or least < 0 for least in inner):
                return None
        return total

    def definite(self, node: given.Definite) -> Fact:
        large, small = self.sides(node, node.large, node.small)
        values = {mono: v for mono, v in self.difference(large, small).items() if v}
        slot = next(slot for atom, slot in self.writing.slots.items() if atom[0] == "v" and 2 << slot in values)
        a, b, c = (values.pop(mono, 0) for mono in (2 << slot, 1 << slot, 0))
        need(not values and a > 0 and (b * b < 4 * a * c or (b * b == 4 * a * c and not node.strict)), "not definite")
        return Fact(">" if node.strict else ">=", large, small)

    def consecutive(self, node: given.Consecutive) -> Fact:
        product = self.terms(node.product)
        need(self.claim.domain.integer and len(product) == 1, "no product of whole numbers")
        sums = [(((1, ((atom, 1),)),) if atom[0] == "v" else atom[1], times) for atom, times in product[0][1]]
        lines = [dict(self.value(terms)) for terms, times in sums if times == 1]
        shifts = sorted(line.pop(0, 0) for line in lines)
        need(len(lines) == len(sums) and all(line == lines[0] for line in lines), "factors of other forms")
        need(list(lines[0].values()) == [1] and self.whole_polynomials(node.product), "a factor is no n + a number")
        need(shifts == list(range(int(shifts[0]), int(shifts[0]) + len(lines))), "these are not consecutive")
        need(node.modulus > 0 and factorial(len(lines)) % node.modulus == 0, "this modulus does not follow")
        return Fact("=", product, (), node.modulus)

    def differ(self, node: given.Differ) -> Fact:
        left, right = self.sides(node, node.left, node.right)
        gap = {mono: v for mono, v in self.difference(left, right).items() if v}
        need(gap.keys() <= {0} and (gap.get(0, 0) % node.modulus if node.modulus else gap), "these do not differ")
        return Fact("!=", left, right, node.modulus)

    def instance(self, found: given.Instance, modulus: int) -> tuple[bool | None, frozenset]:
        """Returns whether the claim holds at some values (None: that is not shown), and what this needs."""
        need((found.left, found.right) != (None, None), "nothing is said about the claim there")
        ends, needs, fallen = [], frozenset(), "="
        left, right = self.terms(self.claim.left, found.values), self.terms(self.claim.right, found.values)
        if found.difference:
            left, right = tuple(sorted((*left, *negated(right)))), ()
        for side, place in ((left, found.left), (right, found.right)):
            fact = Fact("=", side, side) if place is None else self.premise(place)
            need(fact.left == side and divides(modulus, fact.modulus), "this is not about the claim")
            need(fact.relation == "=" or (side is left and self.relation in {">", ">="}), "an unfit inequality")
            fallen, needs = max(fallen, fact.relation, key=len) if fact.relation != ">" else ">", needs | fact.needs
            ends.append(fact.right)
        if ends[0] == ends[1] and self.relation != "!=":
            return self.relation != ">" or fallen == ">" or (False if fallen == "=" else None), needs
        one, other = map(self.number, ends)
        if one is None or other is None or fallen != "=":
            return None, needs
        if self.relation in {">", ">="}:
            return (one > other if self.relation == ">" else one >= other), needs
        return (not (one - other) % modulus if modulus else one == other) == (self.relation == "="), needs

    def holds(self, found: given.Instance, modulus: int) -> bool:
        """Returns whether the claim is shown at some values, by what depends on nothing."""
        return self.instance(found, modulus) == (True, frozenset())

    def direct(self, how: given.Direct, truth: bool) -> None:
        need(truth and hasattr(self.claim, "relation"), "this is not the claim")
        if how.instance.values:  # x = t + 3 for a new t
            ((name, value),) = how.instance.values
            poly = self.linear(value)
            need(name in self.claim.variables and poly and not self.claim.domain.integer, "a case is no proof")
        need(self.holds(how.instance, self.modulus), "the claim is not reached")

    def induction(self, how: given.Induction, truth: bool) -> None:
        claim = self.claim
        need(truth and claim.relation == "=" and claim.domain.first is not None, "this claim has no induction")
        order = len(claim.sequence.initial) if claim.sequence else 1
        bases = {self.constant(dict(base.values)[claim.variables[0]]): base for base in how.bases}
        first = int(claim.domain.first or 0)
        for index in range(first, first + order):
            need(self.holds(bases[index], claim.modulus), f"the base case {index} is not shown")
        target = plus(("var", (how.name,)), how.shift + order)
        holds, needs = self.instance(how.step, claim.modulus)
        need(holds and how.step.values == ((claim.variables[0], target),), "the step of the induction is not shown")
        for name, shift, *bound in needs:
            need(name == how.name and how.shift <= shift, "the step needs another hypothesis")
            need(bound or shift < how.shift + order, "the step needs what it is to show")

    def cases(self, how: given.ResidueCases, truth: bool) -> None:
        claim = self.claim
        need(truth and how.blocks and self.whole_polynomials(claim.left, claim.right), "no cases of residues here")
        for residues, modulus, instances in how.blocks:
            need(modulus > 0 and residues % modulus == 0, "cases and relation have unfit moduli")
            need(self.relation == "=" or claim.modulus % modulus == 0, "this modulus decides nothing")
            values = [dict(instance.values)[claim.variables[0]] for instance in instances]
            lines = [self.linear(value) or (residues, self.constant(value)) for value in values]
            need(all(abs(slope) == residues for slope, _ in lines), "a case is no residue class")
            need({shift % residues for _, shift in lines} == set(range(residues)), "a residue is missing")
            need(all(self.holds(instance, modulus) for instance in instances), "a case is not shown")
        together = lcm(*(modulus for _, modulus, _ in how.blocks))
        need(self.relation == "!=" or (claim.modulus and together % claim.modulus == 0), "the moduli do not suffice")

    def refutation(self, how: given.Refutation, truth: bool) -> None:
        claim, domain = self.claim, getattr(self.claim, "domain", None)
        numbers = {name: self.constant(value) for name, value in how.instance.values}
        need(not truth and set(numbers) == set(claim.variables), "no counterexample")
        if domain is not None and domain.integer:
            low = min(numbers.values()) if domain.first is None else domain.first
            need(all(n.denominator == 1 and n >= low for n in numbers.values()), "a value is outside the domain")
        holds, needs = self.instance(how.instance, self.modulus)
        need(holds is not None and not needs, "nothing is shown at these values")
        need(holds != (numbers["x"] in claim.claimed if domain is None else True), "the claim holds at these values")


_NODES = {
    given.CertificateStep: Kernel.step,
    given.Joined: Kernel.joined,
    given.Hypothesis: Kernel.hypothesis,
    given.Definition: Kernel.definition,
    given.Order: Kernel.order,
    given.Definite: Kernel.definite,
    given.Consecutive: Kernel.consecutive,
    given.Differ: Kernel.differ,
}
_CONCLUSIONS = {
    given.Direct: Kernel.direct,
    given.Induction: Kernel.induction,
    given.ResidueCases: Kernel.cases,
    given.Refutation: Kernel.refutation,
    given.Solved: solved,
}
