"""Divisibility and congruences, by cases of residues; from level 4 on also powers, by induction.

Level 1: modulo 2 or 3. 2: modulo 3 or 4. 3: modulo 5 or 6. 4: modulo 6 or 7, and d | a^n + c. 5: modulo 8 or 9, and
d | a^n + bn + c. 6: modulo 10 or 11, and larger powers. A claim is "d divides", "leaves r mod d" or "is never
divisible by d".
"""

from random import Random

from lab.algebra import Algebra
from lab.claims import INTEGERS, ZERO, Claim, Domain
from lab.expressions import Expr, add, mul, num, polynomial, power, render, scaled, signed_terms, sub, substitute, var
from lab.sentences import Chain, Sentence, equation, say
from lab.theorem import Draft
from lab.writer import closing, joined, simplification

MODULI = {1: (2, 3), 2: (3, 4), 3: (5, 6), 4: (6, 7), 5: (8, 9), 6: (10, 11)}
# Polynomials that are 0 modulo the number whatever n is; the highest degree first.
VANISHING = {
    2: (1, 1, 0),
    3: (1, 0, -1, 0),
    4: (1, 2, -1, -2, 0),
    5: (1, 0, 0, 0, -1, 0),
    6: (1, 0, -1, 0),
    7: (0,),
    8: (1, 2, -1, -2, 0),
    9: (3, 0, -3, 0),
    10: (5, 5, 0),
    11: (0,),
}
N = var("n")


def draw(rng: Random, level: int) -> Draft:
    """A claim of this level; about one in three is false, by one changed coefficient or remainder."""
    if level >= 4 and rng.random() < 0.4:
        return _power_claim(rng, level)
    modulus = rng.choice(MODULI[level])
    kind = rng.random()
    if kind < 0.35 or modulus in {7, 11}:
        claim = _never(rng, modulus)
    else:
        remainder = rng.randrange(1, modulus) if kind < 0.6 else 0
        claim = Claim(_value(rng, modulus, remainder), "=", num(remainder), ("n",), INTEGERS, modulus)
    wrong = [n for n in range(modulus) if not _holds(claim, n)]
    truth = not wrong
    algebra = Algebra()
    if truth:
        return Draft(_statement(claim), claim, True, lambda: _by_cases(rng, algebra, claim))
    return Draft(_statement(claim), claim, False, lambda: _counterexample(rng, algebra, claim, rng.choice(wrong)))


def _value(rng: Random, modulus: int, remainder: int) -> Expr:
    """A polynomial that is ``remainder`` modulo the number for every n, or almost (in one of three)."""
    base = VANISHING[modulus]
    size = max(len(base), rng.choice((3, 4)))
    base = (0,) * (size - len(base)) + base
    factor = rng.choice((1, -1, 2, 3))
    values = [factor * value + modulus * rng.choice((0, 0, -1, 1)) for value in base]
    values[-1] += remainder + modulus * rng.choice((-1, 0, 0, 1))
    if rng.random() < 0.35:
        values[rng.randrange(1, size)] += rng.choice((-1, 1))
    if not any(values[:-1]):
        values[-2] = modulus
    return polynomial(values, "n")


def _never(rng: Random, modulus: int) -> Claim:
    """A polynomial without a root modulo the number in two of three draws, as far as some tries find one."""
    wanted = rng.random() < 0.65
    claim = None
    for _ in range(60):
        values = [rng.choice((0, 0, 1, 1, 2, -1)), rng.choice((1, 1, 2, 3)), *(rng.randint(-6, 6) for _ in range(2))]
        claim = Claim(polynomial(values, "n"), "!=", ZERO, ("n",), INTEGERS, modulus)
        if all(_holds(claim, n) for n in range(modulus)) == wanted:
            break
    assert claim is not None
    return claim


def _at(expr: Expr, n: int) -> int:
    algebra = Algebra()
    return int(algebra.value(algebra.terms(expr, {"n": num(n)})).get(0, 0))


def _holds(claim: Claim, n: int) -> bool:
    return ((_at(claim.left, n) - _at(claim.right, n)) % claim.modulus == 0) == (claim.relation == "=")


def _statement(claim: Claim) -> str:
    left, d = render(claim.left), claim.modulus
    scope = "all integers n" if claim.domain.first is None else "all integers n >= 0"
    if claim.relation == "!=":
        return f"Prove or refute: {left} is never divisible by {d}, for {scope}."
    if claim.right == ZERO:
        return f"Prove or refute: {d} divides {left} for {scope}."
    return f"Prove or refute: {left} leaves remainder {render(claim.right)} modulo {d} for {scope}."


def _residue_chain(algebra: Algebra, claim: Claim, n: int) -> Chain:
    """The left side at n, down to its least residue."""
    values = {"n": num(n)}
    path = simplification(algebra, claim.left, values)
    residue = num(_at(claim.left, n) % claim.modulus)
    if path[-1] != residue:
        path = joined(algebra, (*path, residue), values, modulus=claim.modulus)
    return equation(*path, modulus=claim.modulus)


def _by_cases(rng: Random, algebra: Algebra, claim: Claim) -> list[Sentence]:
    """One sentence for each residue, in some order."""
    residues = list(range(claim.modulus))
    if rng.random() < 0.3:
        rng.shuffle(residues)
    opening, comma = rng.choice((("case", ":"), ("if", "then"), ("for", ":"), ("when", ",")))
    found = []
    for residue in residues:
        n = _representative(claim, residue, rng.random() < 0.25)
        head = equation(N, num(n), modulus=claim.modulus)
        found.append(say(opening, head, comma, _residue_chain(algebra, claim, n)))
    return [*found, closing(rng, True)]


def _representative(claim: Claim, residue: int, negative: bool) -> int:
    """The residue, or where that is wanted (or the numbers get large) the negative one of the upper half."""
    upper = residue > claim.modulus / 2 and (negative or (claim.modulus == 8 and claim.domain.first is None))
    return residue - claim.modulus if upper else residue


def _counterexample(rng: Random, algebra: Algebra, claim: Claim, n: int) -> list[Sentence]:
    """One n for which the claim fails."""
    n = _representative(claim, n, claim.domain.first is None and rng.random() < 0.25)
    head = equation(N, num(n))
    return [say(rng.choice(("for", "take", "at")), head, ":", _residue_chain(algebra, claim, n)), closing(rng, False)]


def _power_claim(rng: Random, level: int) -> Draft:
    """d divides a^n + bn + c for all n >= 0."""
    base = rng.randint(3, 5 + level)
    square = level >= 5 and rng.random() < 0.7
    divisors = [d for d in range(2, 30) if ((base - 1) ** 2 if square else base - 1) % d == 0]
    d = rng.choice(divisors)
    slope = 1 - base + d * rng.choice((0, 1, 2)) if square else d * rng.choice((0, 0, 1))
    shift = d * rng.choice((0, 1, 2, 3)) - 1
    if rng.random() < 0.35:
        shift += rng.choice((-1, 1, 2))
    left = add(power(num(base), N), *([scaled(slope, N)] if slope else []), *([num(shift)] if shift else []))
    claim = Claim(left, "=", ZERO, ("n",), Domain(integer=True, first=0), d)
    wrong = [n for n in range(5) if not _holds(claim, n)]
    algebra = Algebra()
    if wrong:
        return Draft(_statement(claim), claim, False, lambda: _counterexample(rng, algebra, claim, wrong[0]))
    return Draft(_statement(claim), claim, True, lambda: _by_induction(rng, algebra, claim, base))


def _by_induction(rng: Random, algebra: Algebra, claim: Claim, base: int) -> list[Sentence]:
    """The claim at k + 1 is ``base`` times the claim at k plus a linear rest."""
    k = var("k")
    d = claim.modulus
    now, following = substitute(claim.left, {"n": k}), substitute(claim.left, {"n": add(k, num(1))})
    multiple = mul(num(base), now)
    rest = algebra.expression(algebra.value(algebra.terms(sub(following, multiple))))
    path = [following, _opened(algebra, following), add(multiple, rest) if rest != ZERO else multiple]
    path += [rest, ZERO] if rest != ZERO else [ZERO]
    path = [expr for index, expr in enumerate(path) if index == 0 or expr != path[index - 1]]
    chain = equation(*path, modulus=d)
    start = say(rng.choice(("base case", "for")), equation(N, num(0)), ":", _residue_chain(algebra, claim, 0))
    return [
        start,
        say("assume", equation(now, ZERO, modulus=d)),
        say(rng.choice(("then", "step:", "induction step:")), chain),
        *([say("by induction the claim holds for all", equation(N))] if rng.random() < 0.5 else []),
        closing(rng, True),
    ]


def _opened(algebra: Algebra, expr: Expr) -> Expr:
    """The claim at k + 1 with its linear term multiplied out."""
    return add(*(term if term.op == "pow" else simplification(algebra, term)[-1] for term in signed_terms(expr)))
