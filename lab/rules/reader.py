"""Walks over the sentences of a proof: relations go to the ledger; points, cases, assumptions, verdicts are noted."""

from dataclasses import dataclass, field

from lab.claims import Claim
from lab.defects import Kind
from lab.expressions import Expr, add, is_numeral, num, var
from lab.ledger import Ledger
from lab.moves import Move, Reading, interpret
from lab.sentences import Chain, Sentence


@dataclass(frozen=True, slots=True)
class Point:
    """Values of the claim's variables that a sentence speaks of; ``modulus``: the value is a residue, a whole case."""

    values: dict[str, Expr]
    modulus: int = 0


@dataclass(slots=True)
class Record:
    """What a proof did besides relating expressions."""

    points: list[Point] = field(default_factory=list)
    assumed: dict[str, set[int]] = field(default_factory=dict)
    verdicts: list[tuple[bool, Sentence]] = field(default_factory=list)


def walk(ledger: Ledger, sentences: tuple[Sentence, ...]) -> Record:
    """Reads a proof into the ledger."""
    record = Record()
    for index, sentence in enumerate(sentences):
        ledger.sentence = index
        reading = interpret(sentence)
        if reading is None:
            ledger.defect(Kind.UNREADABLE, sentence.span, "the words of this sentence are not in the language")
        else:
            enter(ledger, record, reading, sentence)
    return record


def enter(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """Takes one sentence in."""
    move = reading.move
    if move in {Move.RELATE, Move.CITE}:
        ledger.cited = move is Move.CITE
        for chain in reading.body:
            ledger.read_chain(chain)
        if ledger.cited and not any(chain.relations for chain in reading.body):
            ledger.defect(Kind.UNSUPPORTED_CITATION, sentence.span, "a citation does not replace a proof", minor=True)
        ledger.cited = False
    elif move is Move.EVALUATE:
        _evaluate(ledger, record, reading, sentence)
    elif move is Move.ASSUME:
        _assume(ledger, record, reading, sentence)
    elif move in {Move.CLAIM_TRUE, Move.AGREE, Move.CLAIM_FALSE, Move.DIFFER}:
        record.verdicts.append((move in {Move.CLAIM_TRUE, Move.AGREE}, sentence))
    elif move is not Move.COMMENT:
        ledger.defect(Kind.UNREADABLE, sentence.span, "this kind of sentence has no place in such a proof")


def _evaluate(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """For x = 2: ... (or: n = 2 mod 3), the values put in for the body."""
    point = _point(reading.heads)
    if point is None:
        if all(chain.relations for chain in reading.heads) or reading.body:
            ledger.defect(Kind.UNREADABLE, sentence.span, "the values that this sentence speaks of cannot be read")
        return
    record.points.append(point)
    for chain in reading.body:
        if point.modulus and not _valid_in_case(ledger.claim, chain, point):
            message = "in a case of residues, equations with the variable hold only modulo the same number"
            ledger.defect(Kind.INVALID_STEP, sentence.span, message)
            continue
        ledger.read_chain(chain, point.values)


def _point(heads: tuple[Chain, ...]) -> Point | None:
    """The assignments ``x = number``; all exact or one modulo."""
    values: dict[str, Expr] = {}
    for chain in heads:
        if chain.relations != ("=",) or chain.lead or chain.terms[0].op != "var" or not is_numeral(chain.terms[1]):
            return None
        values[chain.terms[0].args[0]] = chain.terms[1]
    moduli = {chain.modulus for chain in heads}
    if len(moduli) != 1 or len(values) != len(heads) or (len(heads) > 1 and moduli != {0}):
        return None
    return Point(values, moduli.pop())


def _valid_in_case(claim: Claim, chain: Chain, point: Point) -> bool:
    """A residue may be put in modulo the same number, and not into an exponent."""
    names = set(point.values)
    if not any(names & _variables(term) for term in chain.terms):
        return True
    divides = bool(chain.modulus) and point.modulus % chain.modulus == 0
    return divides and set(claim.variables) == names and not any(_in_exponent(term) for term in chain.terms)


def _variables(expr: Expr) -> set[str]:
    if expr.op == "var":
        return {expr.args[0]}
    return {name for part in expr.args if isinstance(part, Expr) for name in _variables(part)}


def _in_exponent(expr: Expr) -> bool:
    """Whether a variable stands in an exponent or in the argument of a sequence, or a division spoils residues."""
    if expr.op in {"div", "call"} or (expr.op == "pow" and expr.args[1].op != "num"):
        return bool(_variables(expr))
    return any(_in_exponent(part) for part in expr.args if isinstance(part, Expr))


def _assume(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """An induction hypothesis: it must be the claim at k (or at k and k + 1 for a rule of order two)."""
    order = ledger.claim.sequence.order if ledger.claim.sequence else 1
    found = [_instance_named(ledger, chain) for chain in reading.heads]
    found += [_instance_written(ledger, chain) for chain in reading.body if chain.relations]
    for instance in found:
        if instance is None or not ledger.claim.domain.integer:
            ledger.defect(Kind.INVALID_STEP, sentence.span, "what is assumed is not the claim for some k")
            continue
        name, shift = instance
        if shift >= order:
            ledger.defect(Kind.CIRCULAR, sentence.span, "this assumes what the induction step has to show")
            continue
        record.assumed.setdefault(name, set()).add(shift)
        left, right = ledger.claim.at(_shifted(name, shift))
        ledger.add_fact(ledger.algebra.terms(left), ledger.algebra.terms(right), ledger.claim.modulus)


def _shifted(name: str, shift: int) -> Expr:
    return add(var(name), num(shift)) if shift else var(name)


def _instance_named(ledger: Ledger, chain: Chain) -> tuple[str, int] | None:
    """Assume the claim for n = k."""
    if chain.relations == ("=",) and chain.terms[0] == var(ledger.claim.variables[0]):
        return _shift_of(ledger, chain.terms[1])
    return _shift_of(ledger, chain.terms[0]) if not chain.relations else None


def _shift_of(ledger: Ledger, argument: Expr) -> tuple[str, int] | None:
    names = _variables(argument)
    for name in names:
        for shift in range(4):
            if ledger.node(argument) == ledger.node(_shifted(name, shift)):
                return name, shift
    return None


def _instance_written(ledger: Ledger, chain: Chain) -> tuple[str, int] | None:
    """Assume S(k) = k^2 and the like."""
    for name in sorted({name for term in chain.terms for name in _variables(term)}):
        for shift in range(4):
            values = {ledger.claim.variables[0]: _shifted(name, shift)}
            pair = [ledger.node(ledger.claim.left, values), ledger.node(ledger.claim.right, values)]
            written = [ledger.node(term) for term in chain.terms]
            if chain.relations == ("=",) and chain.modulus == ledger.claim.modulus and sorted(written) == sorted(pair):
                return name, shift
    return None
