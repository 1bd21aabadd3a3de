"""When a universal claim is proved, and when it is refuted, by what the ledger holds."""

from lab.claims import Claim
from lab.expressions import Expr, Number, add, num, sub, var
from lab.ledger import Ledger, Node
from lab.rules.reader import Point, Record

WHOLE = "-"


def missing(ledger: Ledger, record: Record, truth: bool) -> str:
    """What the proof lacks to show the claim, or its contrary: nothing, a case in words, or ``WHOLE``."""
    if truth:
        return _proved(ledger, record)
    return "" if any(_fails_at(ledger, point) for point in record.points) else WHOLE


def _proved(ledger: Ledger, record: Record) -> str:
    claim = ledger.claim
    if claim.relation in {">=", ">"}:
        return "" if _ordered(ledger, claim) else WHOLE
    if claim.relation == "=" and ledger.shown_equal(claim.left, claim.right, modulus=claim.modulus):
        return ""
    if claim.domain.first is not None:
        return _by_induction(ledger, record)
    return _by_residues(ledger, record) if claim.modulus else WHOLE


def _ordered(ledger: Ledger, claim: Claim) -> bool:
    """Whether equations and inequalities lead from the left side down to the right, or from the difference to 0."""
    pairs = ((claim.left, claim.right), (sub(claim.left, claim.right), num(0)))
    strict = claim.relation == ">"
    return any(
        _path(ledger, ledger.anchor(ledger.node(large)), ledger.anchor(ledger.node(small)), strict)
        for large, small in pairs
    )


def _path(ledger: Ledger, start: Node, goal: Node, strict: bool) -> bool:
    """A walk down ``ledger.above`` between classes of equals; with a strict step, if one is asked for."""
    seen, waiting = set(), [(start, False)]
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        at, fell = state
        if at == ledger.find(goal) and (fell or not strict):
            return True
        waiting += [(ledger.find(low), fell or more) for high, low, more in ledger.above if ledger.find(high) == at]
    return False


def _by_induction(ledger: Ledger, record: Record) -> str:
    claim = ledger.claim
    order = claim.sequence.order if claim.sequence else 1
    first = claim.domain.first or 0
    steps = [name for name, shifts in record.assumed.items() if shifts == set(range(order)) and _step(ledger, name)]
    bases = [index for index in range(first, first + order) if not _equal_at(ledger, index)]
    if not steps:
        return WHOLE if bases or not record.assumed else "the step of the induction"
    return f"the base case n = {bases[0]}" if bases else ""


def _step(ledger: Ledger, name: str) -> bool:
    """Whether the claim at k + order is shown."""
    order = ledger.claim.sequence.order if ledger.claim.sequence else 1
    left, right = ledger.claim.at(add(var(name), num(order)))
    return ledger.shown_equal(left, right, modulus=ledger.claim.modulus)


def _equal_at(ledger: Ledger, index: int) -> bool:
    claim = ledger.claim
    values = {claim.variables[0]: num(index)}
    if ledger.shown_equal(claim.left, claim.right, values, claim.modulus):
        return True
    left, right = _numbers(ledger, Point(values), 0)
    return left is not None and right is not None and _relation(claim, left, right)


def _by_residues(ledger: Ledger, record: Record) -> str:
    """Every residue of the modulus needs its case."""
    claim = ledger.claim
    shown = {_residue(point) for point in record.points if point.modulus == claim.modulus and _case(ledger, point)}
    missing = [residue for residue in range(claim.modulus) if residue not in shown]
    if len(missing) == claim.modulus:
        return WHOLE
    return f"the case {claim.variables[0]} = {missing[0]} mod {claim.modulus}" if missing else ""


def _residue(point: Point) -> int:
    value = next(iter(point.values.values()))
    number = -value.args[0].args[0] if value.op == "neg" else value.args[0]
    return number % point.modulus


def _case(ledger: Ledger, point: Point) -> bool:
    """Whether the claim is shown for one residue."""
    claim = ledger.claim
    left, right = _numbers(ledger, point, claim.modulus)
    if claim.relation == "=" and ledger.shown_equal(claim.left, claim.right, point.values, claim.modulus):
        return True
    return left is not None and right is not None and _relation(claim, left, right)


def _numbers(ledger: Ledger, point: Point, modulus: int) -> tuple[Number | None, Number | None]:
    """What both sides are shown to be at a point."""
    claim = ledger.claim
    return ledger.number(claim.left, point.values, modulus), ledger.number(claim.right, point.values, modulus)


def _relation(claim: Claim, left: Number, right: Number) -> bool:
    """Whether the claimed relation holds between two numbers."""
    if claim.relation in {">=", ">"}:
        return left > right if claim.relation == ">" else left >= right
    difference = (left - right) % claim.modulus if claim.modulus else left - right
    return (difference == 0) == (claim.relation == "=")


def _fails_at(ledger: Ledger, point: Point) -> bool:
    claim = ledger.claim
    if set(point.values) != set(claim.variables) or (point.modulus and point.modulus != claim.modulus):
        return False
    if claim.domain.integer and not all(_in_domain(ledger, value) for value in point.values.values()):
        return False
    for modulus in {0, claim.modulus} if not point.modulus else {claim.modulus}:
        left, right = _numbers(ledger, point, modulus)
        if left is not None and right is not None and not _relation(claim, left, right):
            return True
    return False


def _in_domain(ledger: Ledger, value: Expr) -> bool:
    number = ledger.algebra.value(ledger.algebra.terms(value)).get(0, 0)
    first = ledger.claim.domain.first
    return number.denominator == 1 and (first is None or number >= first)
