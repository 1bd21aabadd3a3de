"""Remarks: what a phrase says in passing, of a variable, a side or a divisor, judged though nothing follows from it."""

import re
from collections.abc import Callable
from math import gcd

from lab.certificate import Scope
from lab.expressions import Expr, Number, holds_variable, shifted, sub, variables
from lab.ledger import Ledger
from lab.moves import Remark
from lab.ordering import plainly_at_least, quadratic

SHIFTS = (0, 1, -1, 2, 3, -2)  # of a hypothesis, the common ones first
_DIVIDED = re.compile(r"\bdivid\w+.* by \$")


def fault(ledger: Ledger, remark: Remark, *, solving: bool) -> str:
    """The message for a remark that is not so; empty where nothing speaks against it."""
    for pattern, judge in _JUDGES:
        if pattern.search(remark.words):
            return judge(ledger, remark, solving)
    return ""


def _variable(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """Let n be an integer; since x was arbitrary; by induction on n: of one variable, over the claim's whole domain."""
    domain = ledger.claim.domain
    (expr,) = (chain.terms[0] for chain in remark.chains)
    if expr.op != "var":
        return "only a variable is introduced so"
    if re.search(r"\b(?:integer|natural)\b", remark.words) and not domain.integer:
        return f'"{remark.words.replace("$", "x")}" leaves values out: the claim is about all real numbers'
    if "natural" in remark.words and (domain.first is None or domain.first < 1):
        return "natural numbers are not the claim's whole domain"
    return ""


def _modulus(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    number = _number(ledger, remark.chains[-1].terms[0])
    return "" if number is not None and number >= 2 else "a modulus is a number from 2 on"


def _coprime(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    numbers = [_number(ledger, chain.terms[0]) for chain in remark.chains]
    whole = [int(number) for number in numbers if number is not None and number.denominator == 1]
    return "" if len(whole) == 2 and gcd(*whole) == 1 else "these numbers are not coprime"


def _parity(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    of_variables = all(chain.terms[0].op == "var" for chain in remark.chains)
    return "" if ledger.claim.domain.integer and of_variables else "only an integer is even or odd"


def _canceled(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The terms 6x cancel: they stand in what was reached, with both signs."""
    terms = ledger.algebra.terms(remark.chains[0].terms[0])
    found = ledger.key(ledger.last.expr) if ledger.last else ()
    both = len(terms) == 1 and {(1, terms[0][1]), (-1, terms[0][1])} <= set(found)
    return "" if both else "no such terms cancel here"


def _cancel(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The middle terms cancel: some side of the relation in front has a term with both signs."""
    chain = remark.preceding
    sides = [{*ledger.key(term)} for term in chain.terms] if chain else []
    found = any((-sign, parts) in side for side in sides for sign, parts in side)
    return "" if found else "no terms cancel here"


def _formula_at(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The last side is the formula for k + 1: the claim's right side there."""
    chain, index = remark.preceding, remark.chains[-1].terms[0]
    if chain is None or ledger.claim.domain.first is None:
        return "nothing is reached yet that this could be said of"
    last, right = ledger.algebra.terms(chain.terms[-1]), ledger.algebra.terms(ledger.claim.at(index)[1])
    return "" if ledger.algebra.same_value(last, right, ledger.claim.modulus) else "this is not the formula there"


def _divisor(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """A divisor is a number other than 0, or plainly positive."""
    terms = ledger.algebra.terms(remark.chains[-1].terms[0])
    number = _number(ledger, remark.chains[-1].terms[0])
    never = bool(number) if number is not None else plainly_at_least(ledger.algebra, terms, (), strict=True)
    return "" if never else "what is divided by may be 0"


def _reached(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """This is the right-hand side, the claimed formula: the last expression has the value of that side."""
    last, claim = ledger.last, ledger.claim
    sides = {"left": (claim.left,), "right": (claim.right,)}.get(_side_of(remark.words), (claim.left, claim.right))
    if last is None:
        return "nothing is reached yet that this could be said of"
    scopes = [last.scope, *(Scope(((claim.variables[0], argument),)) for argument in _indices(ledger, last.expr))]
    reached = ledger.key(last.expr, last.scope)
    alike = any(
        ledger.algebra.same_value(reached, ledger.key(side, scope), last.modulus) for side in sides for scope in scopes
    )
    return "" if alike else "what was reached is not that side of the claim"


def _side_of(words: str) -> str:
    return next((side for side in ("left", "right") if side in words), "")


def _indices(ledger: Ledger, expr: Expr) -> list[Expr]:
    """The indices k, k + 1 and the like that an expression in an induction may be about."""
    if ledger.claim.domain.first is None:
        return []
    return [shifted(name, shift) for name in sorted(variables(expr)) for shift in SHIFTS]


def _true(_ledger: Ledger, _remark: Remark, _solving: bool) -> str:
    """A remark that is true of every proof."""
    return ""


def _zero(_ledger: Ledger, remark: Remark, solving: bool) -> str:
    """A product is zero: of the equation that is solved; "exactly when" then names an equation in x."""
    following = remark.following
    open_ended = re.search(r"\b(?:when|if)$|\bequation\b", remark.words)
    bound = not open_ended or (following is not None and any(map(holds_variable, following.terms)))
    return "" if solving and bound else "this is said of an equation that is solved, and names one"


def _of_consecutive(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """One of them is divisible by 3 and one is even: of so many consecutive numbers at least that are spoken of."""
    numbers = [_number(ledger, chain.terms[0]) for chain in remark.chains] + [2] * ("even" in remark.words)
    alike = all(number is not None and 1 < number <= ledger.consecutive for number in numbers)
    return "" if alike else "no such consecutive numbers are spoken of"


def _does(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    number = _number(ledger, remark.chains[-1].terms[0])
    return "" if number == ledger.claim.modulus else "this is not the number that the claim is about"


def _squares(_ledger: Ledger, remark: Remark, _solving: bool) -> str:
    shown = remark.preceding is not None and {">", ">="} & {*remark.preceding.relations, remark.preceding.lead}
    return "" if shown else "this is said of an inequality: write >= 0"


def _hypothesis(ledger: Ledger, remark: Remark, solving: bool) -> str:
    named = remark.following is not None and ledger.claim.domain.first is not None and not solving
    return "" if ledger.supposed or named else "nothing is assumed here"


def _leading(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The leading coefficient is 1 > 0: of the claim's quadratic polynomial."""
    found = quadratic(ledger.algebra, ledger.algebra.terms(sub(ledger.claim.left, ledger.claim.right)))
    stated = _number(ledger, remark.following.terms[0]) if remark.following and not remark.following.lead else None
    return "" if found and stated == found[0] else "this is not the leading coefficient of a quadratic claim"


def _noun(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The sum is A = B: A is a side of the claim or of an earlier line, or their difference."""
    following, claim = remark.following, ledger.claim
    if following is None or following.lead or not following.relations:
        return ""
    algebra = ledger.algebra
    first = algebra.terms(following.terms[0])
    if ledger.last and algebra.same_value(first, ledger.key(ledger.last.expr, ledger.last.scope), following.modulus):
        return ""
    if not variables(following.terms[0]):
        return "which number this is was not said: write what it is equal to"
    named = [algebra.terms(expr) for expr in (claim.left, claim.right, sub(claim.left, claim.right))]
    named += [algebra.terms(side) for index in _indices(ledger, following.terms[0]) for side in claim.at(index)]
    named += ledger.edges
    alike = any(algebra.same_value(first, terms, following.modulus) for terms in named)
    return "" if alike else "this is named nowhere before: write what it is equal to"


def _number(ledger: Ledger, expr: Expr) -> Number | None:
    """The number that an expression is; None with a variable."""
    value = ledger.algebra.value(ledger.algebra.terms(expr))
    return value.get(0, 0) if value.keys() <= {0} else None


_JUDGES: tuple[tuple[re.Pattern[str], Callable[[Ledger, Remark, bool], str]], ...] = (
    (re.compile(r"^let \$ be|^since \$ (?:is|was) arb|induction on \$"), _variable),
    (re.compile(r"modulo \$"), _modulus),
    (re.compile(r"one of them is"), _of_consecutive),
    (re.compile(r"^being a sum"), _squares),
    (re.compile(r"\$ does$"), _does),
    (re.compile(r"coprime|relatively prime"), _coprime),
    (re.compile(r"even or odd"), _parity),
    (re.compile(r"terms? \$ cancel"), _canceled),
    (re.compile(r"terms cancel"), _cancel),
    (re.compile(r"^which is the .* \$$"), _formula_at),
    (_DIVIDED, _divisor),
    (
        re.compile(r"is (?:exactly |just |also )?the (?:right|left|other)(?: hand)? side$|claimed|desired|what we"),
        _reached,
    ),
    (re.compile(r"^a product "), _true),
    (re.compile(r"\bzero\b|\bis 0\b|vanishes|roots|equation (?:is equi|can|becomes|reads)"), _zero),
    (re.compile(r"\bby .*(?:hypothesis|assumption|assumed|supposed)$"), _hypothesis),
    (re.compile(r"leading coefficient (?:is|equals)$"), _leading),
    (re.compile(r"^(?!.*\b(?:by|discriminant)\b).*\b(?:is|are|equals?|equal to)$"), _noun),
)
