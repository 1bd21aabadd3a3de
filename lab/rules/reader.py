"""Walks over the sentences of a proof: relations go to the ledger; points, cases, assumptions, verdicts are noted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from lab.algebra import Terms
from lab.certificate import Scope
from lab.claims import Claim, Solutions
from lab.clauses import clauses
from lab.defects import Kind
from lab.expressions import add, num, scaled, sub, var, variables
from lab.facts import Last
from lab.graph import EVERYWHERE
from lab.ledger import Ledger
from lab.moves import Move, Reading, why_not_understood
from lab.ordering import quadratic
from lab.phrases import DONE
from lab.rules.continuing import continued
from lab.rules.fitting import fits_claim
from lab.rules.hypotheses import assume, instance_named, instance_written
from lab.rules.points import equal_at, fails_at, names_all, point_of
from lab.rules.record import Record
from lab.sentences import Chain, Sentence

_HOLDS = re.compile(r"\b(?:holds|is true) (?:for|at) @")
_BY_HYPOTHESIS = re.compile(r"\bby .*(?:hypothesis|assumption)$")
ENDS = re.compile(rf"(?:{DONE})$")
_COUNTS = ("two", "three", "four")
_SETS = re.compile(r"(?:let us |we |now |[,] )*(?:set|put|let|substitute|introduce|write) ")
_SO = re.compile(
    r"\b(?:so|hence|thus|therefore|consequently|means that|follows that|conclude that|in each case|coprime|"
    r"equivalent)\b"
)
_IS = re.compile(r"\b(?:is|are|equals?)$")
_WANTED = re.compile(r"\b(?:desired|claimed) result$")
_OF = re.compile(r"\bdiscriminant of \$")
_TRAILING = re.compile(r" (?:for|at|when) @$")
_CONCLUDES = re.compile(
    r"\b(?:which|this) (?:proves|shows|establishes) the [a-z]+$|"
    r"\band (?:[a-z ,]+ )?it (?:holds|is true)(?! (?:for|at)\b)"
)
_REFUTES = re.compile(r"\b(?:fails|false|wrong|refuted|does not hold)\b")


def walk(ledger: Ledger, sentences: tuple[Sentence, ...]) -> Record:
    """Reads a proof into the ledger."""
    record = Record()
    for index, sentence in enumerate(sentences):
        ledger.sentence = index
        for clause, reading in clauses(sentence, ledger.claim):
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
    first = reading.body[0] if reading.body else None
    by_hypothesis = any(_BY_HYPOTHESIS.search(remark.words) and remark.following is first for remark in reading.remarks)
    if first is not None and by_hypothesis and not ledger.supposed and instance_written(ledger, first) is not None:
        assume(ledger, record, replace(reading, heads=(), body=(first,), bound=(), scope=()), sentence)
        reading = replace(reading, body=reading.body[1:])
        if not reading.body:
            return
    ledger.cited = reading.move is Move.CITE
    ledger.means = "am gm" in reading.words
    concluded = bool(_SO.search(reading.words)) and _states_claim(ledger, reading)
    scope = EVERYWHERE if reading.everywhere or concluded else record.scope
    record.note(scope)
    record.at = scope if scope.values else None
    _note_conclusion(ledger, record, reading, sentence)
    for chain in continued(ledger, record, reading, scope):
        if ledger.consecutive and chain.modulus and not chain.lead:
            _multiply_factors(ledger, chain)
        ledger.read_chain(chain, scope)
        note_discriminant(ledger, reading, chain, [ledger.algebra.terms(sub(ledger.claim.left, ledger.claim.right))])
    if reading.heads and not _equal_only_at(ledger, reading):
        ledger.defect(Kind.INVALID_STEP, sentence.span, "the two sides are not equal there, or not there alone")
    if ledger.cited and not reading.body:
        ledger.defect(Kind.UNSUPPORTED_CITATION, sentence.span, "a citation does not replace a proof", minor=True)
    ledger.cited = False
    if ledger.last is not None:
        record.lasts = [*record.lasts[-2:], ledger.last]


def _note_conclusion(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """Notes QED, and that the claim is said, for all values or as what follows."""
    if ENDS.search(reading.words):
        record.ended.append(sentence)
    if reading.everywhere and _states_claim(ledger, reading):
        record.verdicts.append((True, sentence))
    elif _SO.search(reading.words) and (_states_claim(ledger, reading) or _states_next(ledger, reading)):
        record.asserted.append(sentence)


def _states_next(ledger: Ledger, reading: Reading) -> bool:
    """Returns whether a sentence says the claim after what is supposed, as one relation."""
    chain = reading.body[0] if len(reading.body) == 1 else None
    stated = (
        chain is not None and chain.relations == ("=",) and not chain.lead and chain.modulus == ledger.claim.modulus
    )
    return stated and chain is not None and {*map(ledger.key, chain.terms)} in ledger.nexts


def _states_claim(ledger: Ledger, reading: Reading) -> bool:
    """Returns whether a sentence about all values says the claim as it is written."""
    return len(reading.body) == 1 and _is_claim(ledger, reading.body[0])


def _is_claim(ledger: Ledger, chain: Chain) -> bool:
    """Returns whether a relation is the claim as it is written."""
    claim = ledger.claim
    stated = (chain.relations, chain.modulus, chain.lead) == ((claim.relation,), claim.modulus, "")
    return stated and tuple(map(ledger.key, chain.terms)) == ledger.claim_key


def _equal_only_at(ledger: Ledger, reading: Reading) -> bool:
    """Returns whether the sides of the last relation, a square and no more, are equal at one value and at no other."""
    (head,), last = reading.heads, ledger.last
    point, algebra = point_of(reading.heads), ledger.algebra
    chain = reading.body[-1] if reading.body else None
    sides = (
        (ledger.claim.left, ledger.claim.right)
        if chain is None or chain.lead or last is None
        else (chain.terms[0], chain.terms[-1])
    )
    found = quadratic(algebra, algebra.terms(sub(*sides)))
    if found is None or point is None or point.modulus or head.terms[0].args[0] not in ledger.claim.variables:
        return False
    zero = Fraction(-found[1]) / (2 * found[0])
    return found[1] ** 2 == 4 * found[0] * found[2] and algebra.value(algebra.terms(head.terms[1])).get(0, 0) == zero


def _comment(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """Words without a relation: that the claim holds for the next index, or for all, is noted."""
    if "base case" in reading.words and ledger.claim.domain.first is None:
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, "this claim has no base case")
    if reading.heads:
        named = instance_named(ledger, reading.heads[0])
        point = point_of(reading.heads)
        at_number = point is not None and not fails_at(ledger, point) and names_all(point, ledger)
        if not at_number and (named is None or named[0] not in record.assumed):
            ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, "only the next case of an induction is concluded so")
        elif _CONCLUDES.search(reading.words):
            record.verdicts.append((True, sentence))
        elif ENDS.search(reading.words):
            record.ended.append(sentence)
        elif not at_number:
            record.asserted.append(sentence)
    elif (
        reading.asserts_claim
        or "steps are reversible" in reading.words
        or any(_WANTED.search(remark.words) for remark in reading.remarks)
    ):
        record.asserted.append(sentence)
    elif reading.everywhere and (record.at is not None or record.assumed):
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, "what is shown at some values is not said of all")


def _consider(ledger: Ledger, _record: Record, reading: Reading, _sentence: Sentence) -> None:
    """Consider the difference A - B: what follows goes on from it."""
    ledger.last = Last(reading.heads[0].terms[0], 0, EVERYWHERE, ())


def _multiply(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """n(n + 1) is the product of two consecutive integers, so it is even."""
    if reading.heads:
        (head,) = reading.heads
    elif ledger.last is not None:
        head = Chain((ledger.last.expr,), spans=(sentence.span,))
    else:
        return ledger.defect(Kind.INVALID_STEP, sentence.span, "there is no product that this could be said of")
    if head.relations or head.lead:
        ledger.read_chain(head)
    count = next(count for count, word in enumerate(_COUNTS, 2) if f"of {word} consecutive" in reading.words)
    if record.scope.values or not ledger.multiply_consecutive(head.terms[-1], count):
        message = f"this is no product of {_COUNTS[count - 2]} consecutive integers, such as n(n + 1)"
        return ledger.defect(Kind.INVALID_STEP, head.spans[-1], message)
    ledger.last = Last(head.terms[-1], 0, EVERYWHERE, ())
    for chain in reading.body:
        ledger.read_chain(chain)
    return None


def _multiply_factors(ledger: Ledger, chain: Chain) -> None:
    """Enters that n(n + 1) is even, of consecutive numbers that are spoken of."""
    terms, spoken_of = ledger.key(chain.terms[0]), ledger.consecutive
    if len(terms) == 1:
        ledger.multiply_consecutive(chain.terms[0], len(terms[0][1]))
    ledger.consecutive = max(spoken_of, ledger.consecutive)


def _name(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """We obtain x^2: what was reached, which it goes on from."""
    (chain,) = reading.heads
    terms = ledger.key(chain.terms[0], record.scope)
    reached = [one for one in (*record.lasts, ledger.last) if one is not None and one.scope == record.scope]
    same = [one for one in reached if ledger.algebra.same_value(terms, ledger.key(one.expr, one.scope))]
    if same and not any(_IS.search(remark.words) for remark in reading.remarks):
        ledger.last = same[-1]
        ledger.read_chain(replace(chain, lead="="))
    else:
        message = "an expression stands alone here that nothing was said of: write what it is equal to"
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, message)
    if ENDS.search(reading.words):
        record.ended.append(sentence)


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
    failing = point_of(reading.heads) if reading.heads and not agree else None
    if failing is not None:
        record.note(failing)
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
    if not moved and not _is_claim(ledger, chain) and instance_written(ledger, chain) is None:
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
    introduced = (
        point.modulus == 0 and any(variables(value) for _, value in point.values) and _SETS.match(reading.words)
    )
    record.scope, record.at = EVERYWHERE if reading.body and not introduced else point, point
    ledger.last = ledger.last if reading.body else None
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
    if ledger.claim.domain.first is None or ledger.claim.relation != "=" or instance_written(ledger, head) is None:
        return False
    assume(ledger, record, replace(reading, heads=(), body=(head,)), sentence)
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


_TAKERS: dict[Move, Callable[[Ledger, Record, Reading, Sentence], None]] = {
    Move.RELATE: _relate,
    Move.CITE: _relate,
    Move.EVALUATE: _evaluate,
    Move.ASSUME: assume,
    Move.COMMENT: _comment,
    Move.DONE: _end,
    Move.GOAL: _goal,
    Move.CONSIDER: _consider,
    Move.CONSECUTIVE: _multiply,
    Move.NAMED: _name,
    **dict.fromkeys((Move.CLAIM_TRUE, Move.AGREE, Move.CLAIM_FALSE, Move.DIFFER), _conclude),
}


def proposition_of(claim: Claim | Solutions) -> Claim:
    """The equation of a claim about solutions, as a claim; any other claim is itself."""
    return Claim(claim.left, "=", claim.right, claim.variables) if isinstance(claim, Solutions) else claim
