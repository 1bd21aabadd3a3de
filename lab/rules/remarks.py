"""Remarks: what a phrase says in passing, of a variable, a side or a divisor, judged though nothing follows from it."""

import re
from collections.abc import Callable
from math import gcd, lcm

from lab.algebra import NO_VALUES
from lab.certificate import Scope
from lab.expressions import Expr, Number, holds_variable, num, shifted, sub, variables
from lab.ledger import Ledger
from lab.moves import Remark
from lab.ordering import holds_everywhere, plainly_at_least, quadratic
from lab.rules.points import fails_at

SHIFTS = (0, 1, -1, 2, 3, -2)  # of a hypothesis, the common ones first
COUNTS = ("two", "three", "four", "five", "six", "seven")
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
    if "induction" in remark.words and (
        domain.first is None or expr.args[0] not in {*ledger.claim.variables, "k", "m"}
    ):
        return "there is no induction of this claim on that variable"
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


def _by_means(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """By AM-GM for A and B: both are plainly at least 0."""
    terms = [ledger.algebra.terms(chain.terms[0]) for chain in remark.chains]
    plain = all(plainly_at_least(ledger.algebra, side, (), strict=False) for side in terms)
    return "" if plain else "the inequality of the means is for numbers that are not negative, such as squares"


def _reversible(ledger: Ledger, _remark: Remark, solving: bool) -> str:
    """All steps are reversible: of inequalities whose terms are moved, and of equations that are solved."""
    return "" if solving or ledger.claim.relation in {">", ">="} else "nothing here goes in two directions"


def _coefficient(ledger: Ledger, remark: Remark, solving: bool) -> str:
    """The coefficient of x^2 is 3 > 0."""
    terms = ledger.algebra.terms(remark.chains[0].terms[0])
    square = len(terms) == 1 and [times for _, times in terms[0][1]] == [2] and terms[0][0] == 1
    return _leading(ledger, remark, solving) if square else "this is not the leading coefficient of a quadratic claim"


def _never_zero(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The remainder is never 0: of a claim that says so."""
    claim = ledger.claim
    points = [Scope(((claim.variables[0], num(residue)),)) for residue in range(claim.modulus)]
    claimed = claim.relation == "!=" and not ledger.key(claim.right) and not any(fails_at(ledger, at) for at in points)
    return "" if claimed and _number(ledger, remark.chains[-1].terms[0]) == 0 else "this is not what the claim says"


def _refuting(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """To disprove the claim it is enough to find one value of x: a claim about all values of that variable."""
    named = all(
        chain.terms[0].op == "var" and chain.terms[0].args[0] in ledger.claim.variables for chain in remark.chains
    )
    return "" if named else "the claim is not about this variable"


def _residues_counted(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    count = next((count for count, word in enumerate(COUNTS, 2) if f" {word} " in remark.words), 0)
    same = ledger.claim.domain.integer and _number(ledger, remark.chains[-1].terms[0]) == count
    return "" if same else "there are as many residues as the modulus says"


def _never(ledger: Ledger, remark: Remark, solving: bool) -> str:
    """It is never 0: of an equation whose sides differ everywhere, one always above the other."""
    sides = ledger.claim.left, ledger.claim.right
    apart = solving and any(
        holds_everywhere(ledger.algebra, sub(*pair), NO_VALUES, strict=True) for pair in (sides, sides[::-1])
    )
    zero = _number(ledger, remark.chains[-1].terms[0]) == 0
    return "" if apart and zero else "this is not seen to be so"


def _square_follows(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The left side is a perfect square: A = (x - 7)^2."""
    last = remark.following.terms[-1] if remark.following else None
    even = last is not None and last.op == "pow" and last.args[1].op == "num" and last.args[1].args[0] % 2 == 0
    return "" if even else "what follows is no square"


def _several(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """Both terms are divisible by 3: of a sum that was reached."""
    terms = ledger.key(ledger.last.expr, ledger.last.scope) if ledger.last else ()
    terms = ledger.key(remark.preceding.terms[-1]) if remark.preceding else terms
    return "" if len(terms) > 1 else "what was reached is no sum"


def _part_of_modulus(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """We show divisibility by 2: that divides the modulus of the claim."""
    number, modulus = _number(ledger, remark.chains[-1].terms[0]), ledger.claim.modulus
    divides = modulus and number is not None and number > 1 and modulus % number == 0
    return "" if divides else "this is not a divisor of the number that the claim is about"


def _makes_up(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """It is enough to see divisibility by 2 and 3: these make up the modulus of the claim."""
    one, other = (_number(ledger, chain.terms[0]) for chain in remark.chains)
    whole = [int(number) for number in (one, other) if number is not None and number.denominator == 1 and number > 0]
    return (
        ""
        if len(whole) == 2 and lcm(*whole) == ledger.claim.modulus
        else "these do not make up the number that divides"
    )


def _all_residues(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """Every integer is congruent to 0, 1 or 2: all residues of a modulus."""
    numbers = [_number(ledger, chain.terms[0]) for chain in remark.chains]
    modulus = numbers.pop() if "modulo" in remark.words else ledger.claim.modulus
    found = {number % modulus for number in numbers if number is not None and modulus}
    complete = ledger.claim.domain.integer and len(found) == len(numbers) == modulus
    return "" if complete else "these are not all the residues"


def _summands(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """Each of the three summands is nonnegative: those of the last expression, of which there are so many."""
    terms = ledger.key(ledger.last.expr, ledger.last.scope) if ledger.last else ()
    count = next((count for count, word in enumerate(COUNTS, 2) if f" {word} " in remark.words), len(terms))
    plain = all(plainly_at_least(ledger.algebra, (term,), (), strict=False) for term in terms)
    return "" if terms and plain and count == len(terms) else "this is not seen of what was reached"


def _cases_counted(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """We distinguish three cases by n modulo 3."""
    name, modulus = (chain.terms[0] for chain in remark.chains)
    count = next((count for count, word in enumerate(COUNTS, 2) if f" {word} " in remark.words), 0)
    same = (
        name.op == "var"
        and name.args[0] in ledger.claim.variables
        and ledger.claim.domain.integer
        and _number(ledger, modulus) == count
    )
    return "" if same else "there are as many residues as the modulus says"


def _neighbors(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """Since n and n + 1 are consecutive: whole numbers one apart."""
    one, other = (chain.terms[0] for chain in remark.chains)
    apart = ledger.algebra.value(ledger.algebra.terms(sub(one, other)))
    ledger.consecutive = max(ledger.consecutive, 2)
    near = {mono: value for mono, value in apart.items() if value} in ({0: 1}, {0: -1})
    return "" if near and ledger.claim.domain.integer else "these are not consecutive integers"


def _bases_counted(ledger: Ledger, _remark: Remark, _solving: bool) -> str:
    sequence = ledger.claim.sequence
    return "" if sequence is not None and sequence.order == 2 else "this claim has no two base cases"


def _initial(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """The initial value is u(0) = 2."""
    sequence, following = ledger.claim.sequence, remark.following
    first = following.terms[0] if following and not following.lead else None
    if sequence is None or first is None or first.op != "call":
        return "the initial value is that of a sequence"
    same = _number(ledger, first.args[1]) == sequence.first
    return "" if same else "this is not the initial value"


def _same_value(ledger: Ledger, remark: Remark, _solving: bool) -> str:
    """... = 4, the same value: what the chain in front ends in is what was reached before it."""
    chain, last = remark.preceding, ledger.last
    if chain is None or last is None:
        return "nothing is reached yet that this could be the same as"
    one, other = ledger.algebra.terms(chain.terms[-1]), ledger.key(last.expr, last.scope)
    return "" if ledger.algebra.same_value(one, other, last.modulus) else "this is not the same value as before"


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
    (re.compile(r"^by am gm for"), _by_means),
    (re.compile(r"^all steps are"), _reversible),
    (re.compile(r"^the coefficient of"), _coefficient),
    (re.compile(r"^in terms of"), _variable),
    (re.compile(r"^to (?:disprove|refute)"), _refuting),
    (re.compile(r"^there are \w+ \w+ modulo"), _residues_counted),
    (re.compile(r"^(?:it|this|which) is never \$$"), _never),
    (re.compile(r"^(?:both|all) terms$"), _several),
    (re.compile(r"is a perfect square$"), _square_follows),
    (re.compile(r"^the remainder is never"), _never_zero),
    (re.compile(r"^it is enough to see divisibility"), _makes_up),
    (re.compile(r"divisibility by \$$"), _part_of_modulus),
    (re.compile(r"integer is congruent to"), _all_residues),
    (re.compile(r"^each of the"), _summands),
    (re.compile(r"^distinguish .* modulo \$$"), _cases_counted),
    (re.compile(r"are consecutive$"), _neighbors),
    (re.compile(r"base cases$"), _bases_counted),
    (re.compile(r"^the initial value is$"), _initial),
    (re.compile(r"^the same "), _same_value),
    (re.compile(r"modulo \$"), _modulus),
    (re.compile(r"one of them is"), _of_consecutive),
    (re.compile(r"^(?:being|as) a (?:sum|perfect square|square)"), _squares),
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
    (re.compile(r"^a (?:product|square) "), _true),
    (re.compile(r"\bzero\b|\bis 0\b|vanishes|roots|equation (?:is equi|can|becomes|reads)"), _zero),
    (re.compile(r"\bby .*(?:hypothesis|assumption|assumed|supposed)$"), _hypothesis),
    (re.compile(r"leading coefficient (?:is|equals)$"), _leading),
    (re.compile(r"^(?!.*\b(?:by|discriminant)\b).*\b(?:is|are|equals?|equal to)$"), _noun),
)
