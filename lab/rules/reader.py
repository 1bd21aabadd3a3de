"""Walks over the sentences of a proof: relations go to the ledger; points, cases, assumptions, verdicts are noted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lab.algebra import Terms
from lab.certificate import Scope
from lab.claims import Claim, Solutions
from lab.clauses import clauses
from lab.defects import Defect, Kind, Place
from lab.expressions import Expr, add, num, scaled, shifted, sub, var, variables
from lab.graph import EVERYWHERE
from lab.ledger import Ledger
from lab.moves import Move, Reading, interpret, why_not_understood
from lab.ordering import quadratic
from lab.rules.fitting import fits_claim
from lab.rules.points import equal_at, fails_at, names_all, point_of
from lab.rules.remarks import SHIFTS
from lab.sentences import Chain, Sentence
from lab.steps import STEP, work

_HOLDS = re.compile(r"\b(?:holds|is true) (?:for|at) @")
_OF = re.compile(r"\bdiscriminant of \$")
_TRAILING = re.compile(r" (?:for|at|when) @$")
_CONCLUDES = re.compile(r"\band (?:[a-z ,]+ )?it (?:holds|is true)(?! (?:for|at)\b)")
_REFUTES = re.compile(r"\b(?:fails|false|wrong|refuted|does not hold)\b")


@dataclass(slots=True)
class Record:
    """Record of what a proof did besides relating expressions."""

    points: list[Scope] = field(default_factory=list)
    assumed: dict[str, set[int]] = field(default_factory=dict)
    own: list[Defect] = field(default_factory=list)  # suppositions of the claim for its own variable
    verdicts: list[tuple[bool, Sentence]] = field(default_factory=list)
    asserted: list[Sentence] = field(default_factory=list)  # that the claim holds, said in passing
    goals: list[Chain] = field(default_factory=list)  # what the claim is said to be equivalent to
    ended: list[Sentence] = field(default_factory=list)  # QED and the like
    at: Scope | None = None  # the values last put in
    scope: Scope = EVERYWHERE  # of the sentences that follow "Let x = 2."

    def note(self, scope: Scope) -> None:
        """Notes values that something is said about."""
        if scope.values and scope not in self.points:
            self.points.append(scope)

    def circles(self) -> list[Defect]:
        """Suppositions of the claim itself, should nothing come of them."""
        return self.own


def walk(ledger: Ledger, sentences: tuple[Sentence, ...]) -> Record:
    """Reads a proof into the ledger."""
    record = Record()
    for index, sentence in enumerate(sentences):
        ledger.sentence = index
        for clause in clauses(sentence, ledger.claim):
            reading = interpret(clause)
            if reading is None:
                ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, why_not_understood(clause))
            elif fits_claim(ledger, reading, clause):
                enter(ledger, record, reading, clause)
    return record


def enter(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """Takes one sentence in."""
    take = _TAKERS.get(reading.move)
    if take is None:
        ledger.defect(Kind.UNREADABLE, sentence.span, "this kind of sentence has no place in such a proof")
    else:
        take(ledger, record, reading, sentence)


def _relate(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """Relations that hold for all values, or after "Let x = 2." at these; cited ones are marked."""
    ledger.cited = reading.move is Move.CITE
    ledger.means = "am gm" in reading.words
    scope = EVERYWHERE if reading.everywhere else record.scope
    record.note(scope)
    record.at = scope if scope.values else None
    for chain in reading.body:
        ledger.read_chain(chain, scope)
        note_discriminant(ledger, reading, chain, [ledger.algebra.terms(sub(ledger.claim.left, ledger.claim.right))])
    if ledger.cited and not reading.body:
        ledger.defect(Kind.UNSUPPORTED_CITATION, sentence.span, "a citation does not replace a proof", minor=True)
    ledger.cited = False


def _comment(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """Words without a relation: that the claim holds for the next index, or for all, is noted."""
    if reading.heads:
        named = _instance_named(ledger, reading.heads[0])
        point = point_of(reading.heads)
        at_number = point is not None and not fails_at(ledger, point) and names_all(point, ledger)
        if not at_number and (named is None or named[0] not in record.assumed):
            ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, "only the next case of an induction is concluded so")
        elif _CONCLUDES.search(reading.words):
            record.verdicts.append((True, sentence))
    elif reading.asserts_claim:
        record.asserted.append(sentence)
    elif reading.everywhere and (record.at is not None or record.assumed):
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, "what is shown at some values is not said of all")


def _end(_ledger: Ledger, record: Record, _reading: Reading, sentence: Sentence) -> None:
    """QED and the like."""
    record.ended.append(sentence)


def note_discriminant(ledger: Ledger, reading: Reading, chain: Chain, polynomials: Sequence[Terms]) -> None:
    """Notes the number that is worked out as a discriminant, of what is named or of one of the ``polynomials``."""
    if "discriminant" not in reading.words or not chain.relations or chain.lead:
        return
    value = ledger.algebra.value(ledger.key(chain.terms[0]))
    if chain is reading.body[0]:
        named = [remark.chains[0].terms[0] for remark in reading.remarks if _OF.search(remark.words)]
        of = [quadratic(ledger.algebra, ledger.algebra.terms(expr)) for expr in named]
        of = of or [quadratic(ledger.algebra, terms) for terms in polynomials]
        if value.get(0, 0) not in {found[1] ** 2 - 4 * found[0] * found[2] for found in of if found}:
            ledger.defect(Kind.INVALID_STEP, chain.spans[0], "this is not the discriminant of that polynomial")
            return
    if value.keys() <= {0}:
        ledger.discriminants.add(value.get(0, 0))


def _conclude(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """A verdict; that the sides agree after values were put in speaks of these alone."""
    agree = reading.move in {Move.CLAIM_TRUE, Move.AGREE}
    at = point_of(reading.heads) if reading.heads and reading.move is Move.AGREE else record.at
    if at is not None and reading.move in {Move.AGREE, Move.DIFFER} and not reading.everywhere:
        if fails_at(ledger, at) == agree or (agree and not equal_at(ledger, at)):
            ledger.defect(Kind.INVALID_STEP, sentence.span, "this is not so at these values")
        elif agree:
            return
    record.verdicts.append((agree, sentence))


def _is_free(reading: Reading, bound: Chain) -> bool:
    """Returns whether "for some k" names a variable that was put in, without leaving out values of it."""
    stated = [term for chain in (*reading.heads, *reading.body) for term in chain.terms]
    names = {name for term in stated for name in variables(term)}
    return bound.terms[0].op == "var" and bound.terms[0].args[0] in names and not bound.relations


def _goal(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """It suffices to show x^2 - 4x + 5 > 0: the claim at an index, or with its terms moved from side to side."""
    (chain,) = reading.heads
    moved = _is_moved(ledger, chain)
    if not moved and _instance_written(ledger, chain) is None:
        message = "what is to be shown is read if it is the claim, at another index or with its terms moved"
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, message)
    record.goals += [chain] if moved else []
    for part in reading.body:
        ledger.read_chain(part)


def _is_moved(ledger: Ledger, chain: Chain) -> bool:
    """Returns whether an inequality is the claim but for terms moved from side to side."""
    claim, algebra = ledger.claim, ledger.algebra
    turned = {"<": ">", "<=": ">="}.get(chain.relations[0] if chain.relations else "")
    if claim.relation not in {">", ">="} or len(chain.relations) != 1 or chain.lead or chain.modulus:
        return False
    large, small = reversed(chain.terms) if turned else chain.terms
    same = algebra.same_value(algebra.terms(sub(large, small)), algebra.terms(sub(claim.left, claim.right)))
    return (turned or chain.relations[0]) == claim.relation and same


def _evaluate(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """For x = 2: ... (or: n = 2 mod 3), the values put in for the body."""
    point = point_of(reading.heads) or _substitution(ledger, reading.heads)
    if point is None and len(reading.heads) == 1 and _evaluates_otherwise(ledger, record, reading, sentence):
        return
    if point is None or not {name for name, _ in point.values} <= set(ledger.claim.variables):
        message = "values of the claim's variables are given as x = 2, or of one as a residue, n = 2 mod 3"
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, message)
        return
    if message := _not_at_values(ledger, reading, point):
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, message)
        return
    record.scope, record.at = EVERYWHERE if reading.body else point, point
    if reading.body:
        record.note(point)
    sides = {ledger.key(ledger.claim.left), ledger.key(ledger.claim.right)}
    if _REFUTES.search(reading.words):
        record.verdicts.append((False, sentence))
    for chain in reading.body:
        if chain.relations or chain.lead:
            ledger.read_chain(chain, point)
        elif not {ledger.key(chain.terms[0]), ledger.key(chain.terms[0], point)} & sides:
            message = "an expression stands alone that is no side of the claim: write what it is equal to"
            ledger.defect(Kind.NOT_UNDERSTOOD, chain.spans[0], message)


def _not_at_values(ledger: Ledger, reading: Reading, point: Scope) -> str:
    """The message for a sentence that is not read at the values it names; empty where it is."""
    if not all(_is_free(reading, chain) for chain in reading.bound):
        return '"for some k" names the variable that was put in, and no bound'
    if _TRAILING.search(reading.words) and not _of_numbers(ledger, reading.body[:-1]):
        return "values behind several relations count for the last alone: write them in front"
    if _HOLDS.search(reading.words) and (not names_all(point, ledger) or fails_at(ledger, point)):
        return "the claim does not hold at these values"
    return ""


def _of_numbers(ledger: Ledger, chains: tuple[Chain, ...]) -> bool:
    """Returns whether relations have no variables; but a side of the claim that "both sides are 1" speaks of may."""
    sides = (ledger.claim.left, ledger.claim.right)
    return all(
        not any(map(variables, chain.terms[1:])) and (chain.terms[0] in sides or not variables(chain.terms[0]))
        for chain in chains
    )


def _evaluates_otherwise(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> bool:
    """Base case: S(1) = 1 = 1^2, where no value is named; if S(k) = k^2, then ..., which is a hypothesis."""
    (head,) = reading.heads
    if "base" in reading.words:
        for chain in (head, *reading.body):
            ledger.read_chain(chain)
        return True
    if ledger.claim.domain.first is None or ledger.claim.relation != "=" or _instance_written(ledger, head) is None:
        return False
    _assume(ledger, record, replace(reading, heads=(), body=(head,)), sentence)
    for chain in reading.body:
        ledger.read_chain(chain)
    return True


def _substitution(ledger: Ledger, heads: tuple[Chain, ...]) -> Scope | None:
    """n = 2k + 1, or t = x - 3 turned into x = t + 3: a variable of the claim as a linear expression in a new one."""
    if len(heads) != 1 or heads[0].relations != ("=",) or heads[0].lead or heads[0].modulus:
        return None
    (left, right), algebra, claim = heads[0].terms, ledger.algebra, ledger.claim
    (name,) = variables(left) if left.op == "var" else ("",)
    found = algebra.value(algebra.terms(right))
    shift, linear = found.pop(0, 0), [*found.items()]
    atoms = list(algebra.exponents(linear[0][0]).items()) if len(linear) == 1 else []
    if not name or len(atoms) != 1 or atoms[0][0][0] != "v" or atoms[0][1] != 1:
        return None
    other, slope = atoms[0][0][1], linear[0][1]
    if name in claim.variables and other not in claim.variables:
        return Scope(((name, right),))
    if other in claim.variables and name not in claim.variables and (slope == 1 or not claim.domain.integer):
        turned = scaled(1 / Fraction(slope), var(name))
        return Scope(((other, add(turned, num(-shift / Fraction(slope))) if shift else turned),))
    return None


def _assume(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """An induction hypothesis: it must be the claim at k (or at k and k + 1 for a rule of order two)."""
    record.scope, claim, ledger.last = EVERYWHERE, ledger.claim, None
    order = claim.sequence.order if claim.sequence else 1
    if claim.relation != "=" or claim.domain.first is None:
        message = "nothing is assumed but the claim for some k, in an induction"
        ledger.defect(Kind.INVALID_STEP, sentence.span, message)
        return
    found = [_instance_named(ledger, chain) for chain in reading.heads]
    found += [_instance_written(ledger, chain) for chain in reading.body if chain not in reading.heads]
    if not found:  # "Assume the claim for some k" without what k is
        found = [None]
    for instance in found:
        if instance is None:
            ledger.defect(Kind.INVALID_STEP, sentence.span, "what is assumed is not the claim for some k")
            continue
        name, shift = instance
        if not all(_begins(claim, bound, name, shift) for bound in reading.bound):
            message = "this hypothesis leaves out values from the first on, or names another variable"
            ledger.defect(Kind.MISSING_CASE, sentence.span, message)
            continue
        if shift >= order:
            ledger.defect(Kind.CIRCULAR, sentence.span, "this assumes what the induction step has to show")
            continue
        if reading.everywhere:
            ledger.defect(Kind.CIRCULAR, sentence.span, "this assumes the claim for all values")
            continue
        record.assumed.setdefault(name, set()).add(shift)
        if name in claim.variables:
            place = Place(ledger.sentence, *sentence.span)
            record.own.append(Defect(Kind.CIRCULAR, place, "this supposes the claim itself"))
        ledger.suppose(name, shift, *claim.at(shifted(name, shift)))
        _write_hypothesis(ledger, reading, claim.at(shifted(name, shift)))


def _begins(claim: Claim, bound: Chain, name: str, shift: int) -> bool:
    """Returns whether a hypothesis "for some k >= 2" about k + shift is one from the first value of the claim on."""
    if bound.terms[0] != var(name) or not bound.relations:
        return bound.terms[0] == var(name)
    low = bound.terms[1]
    return low.op == "neg" or (low.op == "num" and low.args[0] + shift <= (claim.domain.first or 0))


def _write_hypothesis(ledger: Ledger, reading: Reading, supposed: tuple[Expr, Expr]) -> None:
    """Leads from the claim at k to a hypothesis that is written otherwise."""
    for chain in reading.body:
        if ledger.key(chain.terms[0]) == ledger.key(supposed[0]) and ledger.key(chain.terms[-1]) != ledger.key(
            supposed[1]
        ):
            ledger.rewrite(supposed[1], chain.terms[-1])


def _instance_named(ledger: Ledger, chain: Chain) -> tuple[str, int] | None:
    """Assume the claim for n = k."""
    if chain.modulus or chain.lead:
        return None
    if chain.relations == ("=",) and chain.terms[0] == var(ledger.claim.variables[0]):
        return _shift_of(ledger, chain.terms[1])
    return _shift_of(ledger, chain.terms[0]) if not chain.relations else None


def _shift_of(ledger: Ledger, argument: Expr) -> tuple[str, int] | None:
    for name in variables(argument):
        for shift in SHIFTS:
            if ledger.key(argument) == ledger.key(shifted(name, shift)):
                return name, shift
    return None


def _instance_written(ledger: Ledger, chain: Chain) -> tuple[str, int] | None:
    """Assume S(k) = k^2 and the like."""
    claim = ledger.claim
    if chain.relations != ("=",) or chain.modulus != claim.modulus or chain.lead:
        return None
    written = sorted(ledger.key(term) for term in chain.terms)
    for name in sorted({name for term in chain.terms for name in variables(term)}):
        for shift in SHIFTS:
            pair = sorted(ledger.key(side) for side in claim.at(shifted(name, shift)))
            if written == pair or _close_to(ledger, written, pair):
                return name, shift
    return None


def _close_to(ledger: Ledger, written: list[Terms], pair: list[Terms]) -> bool:
    """Returns whether one side is that of the claim, and the other a permitted step from it: k for k - 1 + 1."""
    same = [side for side in written if side in pair]
    if len(same) != 1:
        return False
    (one,), (other,) = ([side for side in sides if side != same[0]] for sides in (written, pair))
    size = work(ledger.algebra, one, other, ledger.claim.modulus)
    return size is not None and size <= STEP


_TAKERS: dict[Move, Callable[[Ledger, Record, Reading, Sentence], None]] = {
    Move.RELATE: _relate,
    Move.CITE: _relate,
    Move.EVALUATE: _evaluate,
    Move.ASSUME: _assume,
    Move.COMMENT: _comment,
    Move.DONE: _end,
    Move.GOAL: _goal,
    **dict.fromkeys((Move.CLAIM_TRUE, Move.AGREE, Move.CLAIM_FALSE, Move.DIFFER), _conclude),
}


def proposition_of(claim: Claim | Solutions) -> Claim:
    """The equation of a claim about solutions, as a claim; any other claim is itself."""
    return Claim(claim.left, "=", claim.right, claim.variables) if isinstance(claim, Solutions) else claim
