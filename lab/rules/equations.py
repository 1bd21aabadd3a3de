"""Solving an equation: every sentence gives alternatives that together have the same real solutions as before.

A new list of alternatives may follow from the one before if, after products that are 0 are split into their factors and
what stands in both is dropped, each new equation is a multiple of an old one, or their products are multiples of each
other, within the permitted work. A factor may be dropped once it is shown to be positive for all x. What x is may be
read off linear factors, and off a square that is a number.
"""

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lab.algebra import MASK, Terms
from lab.certificate import Instance, Refutation, Scope, Solved, State
from lab.claims import Solutions
from lab.clauses import clauses
from lab.defects import Kind
from lab.expressions import Expr, Number, holds_variable, num, polynomial, sub, var
from lab.ledger import Ledger
from lab.moves import Move, Reading, why_not_understood
from lab.ordering import quadratic, rational_root
from lab.rules.factors import (
    Factor,
    factors_of,
    is_gathered,
    is_value,
    nonzero,
    product,
    repeated,
    solution,
    unsigned,
)
from lab.rules.fitting import fits_claim
from lab.rules.goals import Outcome, positive_fact, put_in, to_number
from lab.rules.reader import ENDS, enter, note_discriminant
from lab.rules.record import Record
from lab.rules.roots import has_real_root
from lab.sentences import Chain, Sentence
from lab.steps import LEAP, STEP, multiple

Equation = tuple[Expr, Expr]
_EQUIVALENT = re.compile(r"\b(?:equivalent|becomes|reads|written|rewritten|says|means)\b").search
_IN_FULL = re.compile(
    r"\bonly (?:real )?(?:solution|root|zero)|equation has no |(?:solutions|roots) are (?:therefore |thus |hence "
    r")?exactly"
).search


@dataclass(slots=True)
class Solver:
    """The alternatives reached so far, as factors that are 0, and the sets of numbers that solve them."""

    claim: Solutions
    ledger: Ledger
    record: Record = field(default_factory=Record)
    factors: list[Factor] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    solved: frozenset[Number] | None = None
    solved_after: int = 0  # states until then
    squares: bool = False  # whether a square is seen to be at least 0 as it is written
    formula: bool = False  # whether the quadratic formula is named

    def __post_init__(self) -> None:
        self.factors = self._split([(self.claim.left, self.claim.right)], given=True)

    def walk(self, sentences: tuple[Sentence, ...]) -> None:
        """Reads a proof."""
        for index, sentence in enumerate(sentences):
            self.ledger.sentence = index
            for clause, reading in clauses(sentence, self.claim):
                if reading is None:
                    self.ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, why_not_understood(clause))
                elif fits_claim(self.ledger, reading, clause, solving=True):
                    self._enter(reading, clause)

    def _enter(self, reading: Reading, sentence: Sentence) -> None:
        if (
            reading.move is Move.GOAL
            and any(map(holds_variable, reading.heads[0].terms))
            and _EQUIVALENT(reading.words)
        ):
            reading = replace(reading, move=Move.RELATE, heads=(), body=(*reading.heads, *reading.body))
        if reading.move is Move.NO_SOLUTION:
            self.squares = "square" in reading.words or bool(self.states)
            self._advance([], sentence)
            self.squares = False
            if _IN_FULL(reading.words) and not self.claim.claimed:
                self.record.asserted.append(sentence)
        elif reading.move is Move.SOLVES:
            self._checksolution(reading, sentence)
        elif reading.move is Move.RELATE and reading.everywhere:  # said of all x: no equation to be solved
            for chain in reading.body:
                self.ledger.read_chain(chain)
        elif (
            reading.move is Move.ALTERNATIVES or (reading.move is Move.RELATE and not reading.heads)
        ) and not self.record.scope.values:
            self._take_equations(reading, sentence)
        else:
            enter(self.ledger, self.record, reading, sentence)

    def _take_equations(self, reading: Reading, sentence: Sentence) -> None:
        """Goes on to the equations of a sentence, one after the other, or as alternatives."""
        for chain in reading.body:
            note_discriminant(self.ledger, reading, chain, self._polynomials())
        self.formula = "quadratic formula" in reading.words or bool(self.ledger.discriminants)
        given = Chain((self.claim.left, self.claim.right), ("=",))
        stages = [
            found
            for chain in reading.body
            if (found := self._equations(chain)) and not (self.states and chain == given)
        ]
        together = reading.move is Move.ALTERNATIVES or all(is_value(*last) for _, last in stages)
        for group in [stages] if together and stages else [[stage] for stage in stages]:
            held = self._advance([first for first, _ in group], sentence)
            if not held or any(first != last for first, last in group):
                self._advance([last for _, last in group], sentence)
        if ENDS.search(reading.words):
            self.record.ended.append(sentence)
        if _IN_FULL(reading.words) and self.solved == self.claim.claimed:
            self.record.asserted.append(sentence)

    def _polynomials(self) -> list[Terms]:
        """The polynomials that a discriminant may be of: the equation as it is claimed, and what it was brought to."""
        claimed = self.ledger.algebra.terms(sub(self.claim.left, self.claim.right))
        return [claimed, *(factor.terms for factor in self.factors)]

    def _checksolution(self, reading: Reading, sentence: Sentence) -> None:
        """x = 5 is (not) a solution, since ...: judged by the solutions; the reason counts at this value."""
        (head,) = reading.heads
        root = solution(*head.terms) if head.relations else solution(var("x"), head.terms[0])
        solves = root is not None and not head.modulus and root in self.claim.actual
        if root is None or head.modulus or solves == (" is not " in reading.words):
            self.ledger.defect(Kind.INVALID_STEP, sentence.span, "this is not so: put the value in")
        elif reading.body:
            enter(self.ledger, self.record, replace(reading, move=Move.EVALUATE), sentence)

    def _equations(self, chain: Chain) -> tuple[Equation, Equation] | None:
        """The equation of a chain, with its first and with its last sides; links of numbers or that hold for all x, and
        inequalities, go to the ledger."""
        ledger = self.ledger
        if chain.lead or set(chain.relations) != {"="} or chain.modulus:
            ledger.read_chain(chain)
            return None
        links = list(zip(chain.terms, chain.terms[1:], strict=False))
        places = [place for place, link in enumerate(links) if not self._of_numbers(link) and not self._identity(link)]
        if not places:
            ledger.read_chain(chain)
            factored = len(ledger.algebra.terms(chain.terms[-1])) == 1 and holds_variable(chain.terms[-1])
            if factored and not self.states and ledger.key(chain.terms[0]) == ledger.claim_key[0]:
                return (chain.terms[0], self.claim.right), (chain.terms[-1], self.claim.right)
            return None
        if len(places) > 1:
            ledger.defect(Kind.UNREADABLE, (chain.spans[0][0], chain.spans[-1][1]), "two equations in one")
            return None
        for place, link in enumerate(links):
            if place not in places:
                ledger.read_chain(Chain(link, ("=",), spans=chain.spans[place : place + 2]))
        place = places[0]
        return (chain.terms[0], chain.terms[place + 1]), (chain.terms[place], chain.terms[-1])

    def _identity(self, link: Equation) -> bool:
        return not self.ledger.algebra.value(self.ledger.algebra.terms(sub(*link)))

    def _of_numbers(self, link: Equation) -> bool:
        """Returns whether a link relates numbers, which says something about x only where there is no solution."""
        solved = bool(self.claim.actual) or self.solved is not None
        return solved and not any(map(holds_variable, link))

    def _split(self, equations: list[Equation], *, given: bool = False) -> list[Factor]:
        """The factors one of which is 0; ``given`` in the claim, they are ready only where a division is left."""
        known = {factor.unsigned: factor.ready for factor in self.factors}
        algebra = self.ledger.algebra
        found: dict[Terms, Factor] = {}
        for left, right in equations:
            sides = algebra.terms(left), algebra.terms(right)
            terms = algebra.terms(sub(left, right))
            gathered = is_gathered(*sides) or is_gathered(*reversed(sides))
            says = is_value(left, right) or is_value(right, left)
            factors = factors_of(terms)
            for factor, power in factors:
                easy = len(factor) <= (2 if given else 3) or (gathered and len(factors) == 1)
                key = unsigned(factor)
                ready = known.get(key, easy)
                square = gathered and len(factor) == 2 and len(factors) == 1
                found.setdefault(key, Factor(factor, key, ready, says, square, power))
        return list(found.values())

    def _advance(self, equations: list[Equation], sentence: Sentence) -> bool:
        """Goes on to new alternatives, if they have the same solutions; returns whether they have."""
        self.ledger.steps += 1
        new = self._split(equations)
        if not self._same_solutions([factor.terms for factor in new], sentence):
            return False
        size = self._follow(new)
        solved = frozenset(found for left, right in equations if (found := solution(left, right)) is not None)
        if size is None or size > STEP:
            minor = size is not None and size <= LEAP
            much = "no permitted work" if size is None else f"{size} operations"
            message = f"{much} in one step, where {STEP} are permitted"
            self.ledger.defect(Kind.GAP, sentence.span, message, minor=minor)
        self.factors = new
        if len(solved) == len(equations):
            self.solved, self.solved_after = solved, len(self.states)
        return True

    def _same_solutions(self, new: list[Terms], sentence: Sentence) -> bool:
        """Judges the truth of a step: no solution lost, none gained."""
        for root in sorted(self.claim.actual):
            if not any(self._at(factor, root) == 0 for factor in new):
                self.ledger.defect(Kind.MISSING_CASE, sentence.span, f"the solution x = {root} is lost")
                return False
        values = [self.ledger.algebra.value(factor).keys() for factor in (*(one.terms for one in self.factors), *new)]
        if new and {0} not in values[: len(self.factors)] and all(found == {0} for found in values[-len(new) :]):
            self.ledger.defect(Kind.INVALID_STEP, sentence.span, "this does not follow from the equation")
            return False
        for factor in new:
            if self._gains(factor):
                self.ledger.defect(Kind.INVALID_STEP, sentence.span, "this has solutions that the equation has not")
                return False
        return True

    def _at(self, factor: Terms, root: Number) -> Number:
        """A factor at a number; not 0 where it is no polynomial in x."""
        degrees = self._degrees(factor)
        return 1 if degrees is None else sum(value * root**degree for degree, value in degrees.items())

    def _gains(self, factor: Terms) -> bool:
        """Returns whether a factor has a real zero that is no solution, or is no polynomial in x at all."""
        degrees = self._degrees(factor)
        if not degrees:
            return True
        coefficients = [Fraction(degrees.get(degree, 0)) for degree in range(max(degrees), -1, -1)]
        return has_real_root(coefficients, self.claim.actual)

    def _degrees(self, factor: Terms) -> dict[int, Number] | None:
        """The coefficients by degree; None where there is anything but x."""
        slot = self.ledger.algebra.slot(("v", "x"))
        values = self.ledger.algebra.value(factor)
        if any(mono & ~(MASK << slot) for mono in values):
            return None
        return {mono >> slot: value for mono, value in values.items()}

    def _follow(self, new: list[Factor]) -> int | None:
        """The work from the factors before to new ones, which are entered as states, one change after the other."""
        positive: list[int] = []
        now = [factor.terms for factor in self.factors]
        kept = {factor.unsigned for factor in self.factors} & {factor.unsigned for factor in new}
        before = [factor for factor in self.factors if self._counts(factor, kept, positive)]
        after = [factor for factor in new if self._counts(factor, kept, positive)]
        total = 0
        for factor in list(after):
            for other in before:
                found = multiple(self.ledger.algebra, other.terms, factor.terms)
                if found is not None and (other.ready or not factor.says):
                    total += found.size
                    before.remove(other)
                    after.remove(factor)
                    now = [factor.terms if terms is other.terms else terms for terms in now]
                    self._note(now, positive)
                    break
        if before or after:
            square = len(before) == 1 and before[0].square
            if self.formula and (solved := self._by_formula(before, after)):
                others = [factor.terms for factor in new if factor.unsigned in kept]
                for count in range(len(after) + 1):
                    now = [*(factor.terms for factor in after[:count]), *solved[count:], *others]
                    self._note(now, positive)
                return total + 1
            if not before or not after or (any(factor.says for factor in after) and not square):
                return None
            size = 1 if square and self._roots(before[0].terms, [one.terms for one in after]) else None
            if size is None:
                found = multiple(self.ledger.algebra, *map(repeated, (before, after)))
                if found is None:
                    return None
                size = found.size
            total += size
        self._note([factor.terms for factor in new for _ in range(factor.power)], positive)
        return total

    def _by_formula(self, before: list[Factor], after: list[Factor]) -> list[Terms]:
        """The linear factors of a quadratic equation, whose zeros are those of what is said to be x; else nothing."""
        algebra = self.ledger.algebra
        found = quadratic(algebra, before[0].terms) if len(before) == 1 and all(one.says for one in after) else None
        if found is None:
            return []
        discriminant = found[1] ** 2 - 4 * found[0] * found[2]
        if discriminant < 0 or (root := rational_root(discriminant)) is None:
            return []
        zeros = {(-found[1] + sign * root) / (2 * found[0]) for sign in (1, -1)}
        if zeros != {self._zero(factor.terms) for factor in after}:
            return []
        order = [Fraction(self._zero(factor.terms)) for factor in after]
        lines = [polynomial((zero.denominator, -zero.numerator)) for zero in (order if len(zeros) == 2 else order * 2)]
        factors = [algebra.terms(line) for line in lines]
        size = multiple(algebra, before[0].terms, product(factors))
        return factors if size is not None and size.size <= STEP else []

    def _zero(self, linear: Terms) -> Number:
        value = self.ledger.algebra.value(linear)
        return -Fraction(value.get(0, 0)) / value[max(value)]

    def _roots(self, square: Terms, found: list[Terms]) -> bool:
        """Returns whether two factors A - s and A + s are those of a square A^2 that is the number s^2."""
        value = self.ledger.algebra.value
        squared = [
            (atom, sign) for sign, ((atom, times), *more) in square if times == 2 and not more and atom[0] in "sv"
        ]
        if len(squared) != 1 or len(found) != 2:
            return False
        (atom, sign), (one, other) = squared[0], (value(terms) for terms in found)
        inner = value(atom[1] if atom[0] == "s" else ((1, ((atom, 1),)),))
        shift = one.get(0, 0) - inner.get(0, 0)
        wanted = [{**inner, 0: inner.get(0, 0) + change} for change in (shift, -shift)]
        rest = value(square).get(0, 0) - sign * value(((1, ((atom, 2),)),)).get(0, 0)
        return [nonzero(one), nonzero(other)] == [*map(nonzero, wanted)] and sign * rest == -shift * shift

    def _note(self, factors: list[Terms], positive: list[int]) -> None:
        written = tuple(self.ledger.algebra.written(terms) for terms in factors)
        self.states.append(State(written, tuple(positive)))

    def _counts(self, factor: Factor, kept: set[Terms], positive: list[int]) -> bool:
        """Returns whether a factor is to be accounted for: it is not in both, and not shown to be never 0."""
        if factor.unsigned in kept or self.ledger.algebra.value(factor.terms).keys() == {0}:
            return False
        fact = positive_fact(self.ledger, factor.terms, squares=self.squares)
        if fact is not None:
            positive.append(fact)
        return fact is None

    def outcome(self, truth: bool) -> Outcome:
        """Returns how the claim, or its contrary, follows: from all solutions, or against it from one number."""
        if self.solved is not None and (self.solved == self.claim.claimed) == truth:
            return Outcome(Solved(tuple(self.states[: self.solved_after]), tuple(map(num, sorted(self.solved)))), "")
        found = None if truth else next(filter(None, map(self._refuted, self.record.points)), None)
        return Outcome(found, "") if found else Outcome()

    def _refuted(self, point: Scope) -> Refutation | None:
        if point.modulus or [name for name, _ in point.values] != ["x"]:
            return None
        ledger = self.ledger
        put_in(ledger, point)
        sides = [to_number(ledger, side, point, 0) for side in (self.claim.left, self.claim.right)]
        if None in sides:
            return None
        (one, left), (other, right) = (side for side in sides if side is not None)
        number = ledger.algebra.value(ledger.key(point.values[0][1])).get(0, 0)
        if not (left or right) or (one == other) == (number in self.claim.claimed):
            return None
        facts = [ledger.fact(path) if path else None for path in (left, right)]
        return Refutation(Instance(point.values, facts[0], facts[1]))


def solve(claim: Solutions, ledger: Ledger, sentences: tuple[Sentence, ...]) -> Solver:
    """Reads a proof about the solutions of an equation into the ledger."""
    solver = Solver(claim, ledger)
    solver.walk(sentences)
    return solver
