"""Solving an equation: every sentence gives alternatives that together have the same real solutions as before.

A new list of alternatives may follow from the one before if, after products that are 0 are split into their factors and
what stands in both is dropped, each new equation is a multiple of an old one, or their products are multiples of each
other, within the permitted work. A factor may be dropped once it is shown to be positive for all x.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from lab.algebra import MASK, Terms
from lab.claims import Claim, Solutions
from lab.defects import Kind
from lab.expressions import Expr, Number, holds_variable, num, sub
from lab.ledger import Ledger
from lab.moves import Move, Reading, interpret
from lab.rules.goals import WHOLE
from lab.rules.reader import Record, enter
from lab.rules.roots import has_real_root
from lab.sentences import Chain, Sentence
from lab.steps import LEAP, STEP, work

Equation = tuple[Expr, Expr]


@dataclass(slots=True)
class Solver:
    """The alternatives reached so far, as factors that are 0, and the sets of numbers that solve them."""

    claim: Solutions
    ledger: Ledger
    record: Record = field(default_factory=Record)
    factors: list[Terms] = field(default_factory=list)
    solved: frozenset[Number] | None = None

    def __post_init__(self) -> None:
        self.factors = self._split([(self.claim.left, self.claim.right)])

    def walk(self, sentences: tuple[Sentence, ...]) -> None:
        """Reads a proof."""
        for index, sentence in enumerate(sentences):
            self.ledger.sentence = index
            reading = interpret(sentence)
            if reading is None:
                self.ledger.defect(Kind.UNREADABLE, sentence.span, "the words of this sentence are not in the language")
            else:
                self._enter(reading, sentence)

    def _enter(self, reading: Reading, sentence: Sentence) -> None:
        if reading.move is Move.NO_SOLUTION:
            self._advance([], sentence)
        elif reading.move in {Move.RELATE, Move.ALTERNATIVES}:
            equations = [found for chain in reading.body if (found := self._equation(chain)) is not None]
            if equations:
                self._advance(equations, sentence)
        else:
            enter(self.ledger, self.record, reading, sentence)

    def _equation(self, chain: Chain) -> Equation | None:
        """The equation of a chain; its links of numbers or that hold for all x, and inequalities, go to the ledger."""
        ledger = self.ledger
        if chain.lead or set(chain.relations) != {"="} or chain.modulus:
            ledger.read_chain(chain)
            return None
        links = list(zip(chain.terms, chain.terms[1:], strict=False))
        open_links = [link for link in links if not self._of_numbers(link) and not self._identity(link)]
        if not open_links:
            ledger.read_chain(chain)
            return None
        if len(open_links) > 1:
            ledger.defect(Kind.UNREADABLE, (chain.spans[0][0], chain.spans[-1][1]), "two equations in one")
            return None
        for index, link in enumerate(links):
            if link not in open_links:
                ledger.read_chain(Chain(link, ("=",), spans=chain.spans[index : index + 2]))
        return chain.terms[0], chain.terms[-1]

    def _identity(self, link: Equation) -> bool:
        return not self.ledger.algebra.value(self.ledger.algebra.terms(sub(*link)))

    def _of_numbers(self, link: Equation) -> bool:
        """Whether a link relates numbers, which says something about x only where there is no solution."""
        return bool(self.claim.actual) and not any(map(holds_variable, link))

    def _split(self, equations: list[Equation]) -> list[Terms]:
        """The factors one of which is 0."""
        found: dict[Terms, Terms] = {}
        for left, right in equations:
            terms = self.ledger.algebra.terms(sub(left, right))
            for factor in self._factors(terms):
                found.setdefault(_unsigned(factor), factor)
        return list(found.values())

    def _factors(self, terms: Terms) -> list[Terms]:
        if len(terms) != 1:
            return [terms]
        atoms = [atom for atom, times in terms[0][1] if atom[0] != "n" and times > 0]
        return [atom[1] if atom[0] == "s" else ((1, ((atom, 1),)),) for atom in atoms] or [terms]

    def _advance(self, equations: list[Equation], sentence: Sentence) -> None:
        """Goes on to new alternatives, if they have the same solutions."""
        self.ledger.steps += 1
        new = self._split(equations)
        if not self._same_solutions(new, sentence):
            return
        size = self._size(self.factors, new)
        solved = frozenset(found for left, right in equations if (found := _solution(left, right)) is not None)
        if size is None or size > STEP:
            minor = size is not None and size <= LEAP
            much = "no permitted work" if size is None else f"{size} operations"
            message = f"{much} in one step, where {STEP} are permitted"
            self.ledger.defect(Kind.GAP, sentence.span, message, minor=minor)
        self.factors = new
        if len(solved) == len(equations):
            self.solved = solved

    def _same_solutions(self, new: list[Terms], sentence: Sentence) -> bool:
        """Judges the truth of a step: no solution lost, none gained."""
        for root in sorted(self.claim.actual):
            if not any(self._at(factor, root) == 0 for factor in new):
                self.ledger.defect(Kind.MISSING_CASE, sentence.span, f"the solution x = {root} is lost")
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
        """Whether a factor has a real zero that is no solution, or is no polynomial in x at all."""
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

    def _size(self, old: list[Terms], new: list[Terms]) -> int | None:
        """The work from one list of factors to another."""
        kept = {_unsigned(factor) for factor in old} & {_unsigned(factor) for factor in new}
        before = [factor for factor in old if _unsigned(factor) not in kept and not self._positive(factor)]
        after = [factor for factor in new if _unsigned(factor) not in kept and not self._positive(factor)]
        total = 0
        for factor in list(after):
            for other in before:
                size = self._multiple(other, factor)
                if size is not None:
                    total += size
                    before.remove(other)
                    after.remove(factor)
                    break
        if not before and not after:
            return total
        size = self._multiple(_product(before), _product(after)) if before and after else None
        return None if size is None else total + size

    def _multiple(self, old: Terms, new: Terms) -> int | None:
        """The work to see that ``new`` is a number times ``old``."""
        algebra = self.ledger.algebra
        before, after = algebra.value(old), algebra.value(new)
        top = max(before, default=-1)
        if top != max(after, default=-1) or top < 0:
            return None
        ratio = Fraction(after[top]) / before[top]
        if abs(ratio) != 1:
            factor = dict(algebra.terms(num(abs(ratio)))[0][1])
            old = tuple((sign, _times(parts, factor)) for sign, parts in old)
        if ratio < 0:
            old = tuple((-sign, parts) for sign, parts in old)
        return work(algebra, old, new)

    def _positive(self, factor: Terms) -> bool:
        """Whether the proof shows that a factor is above 0 for all x."""
        ledger = self.ledger
        if not ledger.above:
            return False
        opposite = tuple((-sign, parts) for sign, parts in factor)
        zero = ledger.find((0, ()))
        for terms in (factor, opposite):
            node = ledger.anchor((0, tuple(sorted(terms))))
            if any(
                strict and ledger.find(high) == node and ledger.find(low) == zero for high, low, strict in ledger.above
            ):
                return True
        return False

    def missing(self, truth: bool) -> str:
        """What the proof lacks: nothing, or the whole, for a claim shown by all solutions or refuted by one number."""
        if self.solved is not None and (self.solved == self.claim.claimed) == truth:
            return ""
        points = [point for point in self.record.points if not point.modulus]
        return "" if not truth and any(self._refutes(point.values) for point in points) else WHOLE

    def _refutes(self, values: dict[str, Expr]) -> bool:
        if set(values) != {"x"}:
            return False
        left = self.ledger.number(self.claim.left, values)
        right = self.ledger.number(self.claim.right, values)
        number = self.ledger.algebra.value(self.ledger.algebra.terms(values["x"])).get(0, 0)
        return left is not None and right is not None and (left == right) != (number in self.claim.claimed)


def solve(claim: Solutions, sentences: tuple[Sentence, ...]) -> Solver:
    """Reads a proof about the solutions of an equation."""
    ledger = Ledger(Claim(claim.left, "=", claim.right, claim.variables))
    solver = Solver(claim, ledger)
    solver.walk(sentences)
    return solver


def _unsigned(terms: Terms) -> Terms:
    """The same for a sum and its opposite."""
    return min(tuple(sorted(terms)), tuple(sorted((-sign, parts) for sign, parts in terms)))


def _product(factors: list[Terms]) -> Terms:
    """The factors as one product that is not multiplied out."""
    parts: dict = {}
    sign = 1
    for factor in factors:
        if len(factor) == 1:
            sign *= factor[0][0]
            for atom, times in factor[0][1]:
                parts[atom] = parts.get(atom, 0) + times
        else:
            atom = ("s", tuple(sorted(factor)))
            parts[atom] = parts.get(atom, 0) + 1
    if len(factors) == 1:
        return factors[0]
    return ((sign, tuple(sorted(parts.items()))),)


def _times(parts: tuple, factor: dict) -> tuple:
    merged = dict(parts)
    for atom, times in factor.items():
        merged[atom] = merged.get(atom, 0) + times
    return tuple(sorted((atom, times) for atom, times in merged.items() if times))


def _solution(left: Expr, right: Expr) -> Number | None:
    """The number of ``x = number``, written either way."""
    if right.op == "var":
        left, right = right, left
    sign = 1
    if right.op == "neg":
        sign, right = -1, right.args[0]
    if left.op != "var":
        return None
    if right.op == "num":
        return sign * right.args[0]
    if right.op == "div" and right.args[0].op == "num":
        return sign * Fraction(right.args[0].args[0], right.args[1].args[0])
    return None
