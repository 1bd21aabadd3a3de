"""Writing proofs by induction and refutations for a closed form of a sequence."""

from random import Random

from lab.algebra import Algebra
from lab.claims import Claim, Domain, NumberSequence
from lab.expressions import Expr, add, call, num, sub, substitute, var
from lab.sentences import Chain, Part, Sentence, equation, say
from lab.sequences import close
from lab.writer import Path, closing, lines, simplification

N, K = var("n"), var("k")
LABELS = ("collect:", "simplify:", "then", "so this is")


def closed_form(sequence: NumberSequence, formula: Expr) -> Claim:
    """The claim that the sequence is given by the formula."""
    return Claim(call(sequence.name, N), "=", formula, ("n",), Domain(integer=True, first=sequence.first), 0, sequence)


def value(algebra: Algebra, expr: Expr, n: int) -> int:
    """An expression in n at a number, exactly."""
    found = algebra.value(algebra.terms(expr, {"n": num(n)})).get(0, 0)
    assert found.denominator == 1
    return int(found)


def failing(algebra: Algebra, claim: Claim) -> list[int]:
    """The first indices, among some, where the formula is wrong."""
    assert claim.sequence is not None
    first = claim.sequence.first
    difference = sub(claim.right, claim.sequence.closed)
    return [n for n in range(first, first + 5) if algebra.value(algebra.terms(difference, {"n": num(n)}))]


def induction(rng: Random, algebra: Algebra, claim: Claim) -> list[Sentence]:
    """Base cases, hypothesis, step, and the verdict."""
    sequence = claim.sequence
    assert sequence is not None
    now = [K] if sequence.order == 1 else [K, add(K, num(1))]
    assumed: list[Part] = []
    for at in now:
        assumed += ["and", equation(*claim.at(at))] if assumed else [equation(*claim.at(at))]
    bases = [_base(rng, algebra, claim, sequence.first + index) for index in range(sequence.order)]
    ending = [say("by induction the claim holds for all", equation(N))] if rng.random() < 0.4 else []
    return [
        *bases,
        say(rng.choice(("assume", "suppose")), *assumed),
        *_step(rng, algebra, claim),
        *ending,
        closing(rng, True),
    ]


def _base(rng: Random, algebra: Algebra, claim: Claim, n: int) -> Sentence:
    """The claim at n, both sides as numbers."""
    sequence = claim.sequence
    assert sequence is not None
    left = equation(call(sequence.name, num(n)), num(value(algebra, sequence.closed, n)))
    right = equation(*simplification(algebra, claim.right, {"n": num(n)}))
    return say(rng.choice(("base case", "for", "at")), equation(N, num(n)), ":", left, "and", right)


def _step(rng: Random, algebra: Algebra, claim: Claim) -> list[Sentence]:
    """From the definition through the hypothesis to the formula at the next index, and that formula worked out."""
    sequence = claim.sequence
    assert sequence is not None
    left, right = claim.at(add(K, num(sequence.order)))
    by_rule = substitute(sequence.rule, {"n": K})
    hypotheses = NumberSequence(sequence.name, 0, (), sequence.rule, claim.right)
    put_in = close(by_rule, hypotheses)
    limit = rng.choice((5, 6, 6))
    path: Path = (left, by_rule, *simplification(algebra, put_in, limit=limit))
    other = simplification(algebra, right, limit=limit)
    found = lines(rng, path, rng.choice(("then", "step:", "induction step:")), LABELS)
    if len(other) == 1:
        return found
    return found + lines(rng, other, rng.choice(("also", "here", "the formula gives")), LABELS)


def counterexample(rng: Random, algebra: Algebra, claim: Claim, n: int) -> list[Sentence]:
    """The sequence and the formula at an index where they differ."""
    sequence = claim.sequence
    assert sequence is not None
    right = equation(*simplification(algebra, claim.right, {"n": num(n)}))
    opening = rng.choice(("for", "take", "at"))
    ending = [say(rng.choice(("the sides differ", "these are different")))] if rng.random() < 0.4 else []
    values = [say(chain) for chain in _values(algebra, sequence, n)]
    if len(values) == 1:
        first = values[0].chains[0]
        return [say(opening, equation(N, num(n)), ":", first, "but", right), *ending, closing(rng, False)]
    return [*values, say(opening, equation(N, num(n)), ":", right), *ending, closing(rng, False)]


def _values(algebra: Algebra, sequence: NumberSequence, n: int) -> list[Chain]:
    """The values up to index n, each from those before; a sum at once."""
    at = call(sequence.name, num(n))
    number = num(value(algebra, sequence.closed, n))
    if sequence.summand is not None:
        listed = add(*(substitute(sequence.summand, {"n": num(i)}) for i in range(sequence.first, n + 1)))
        return [equation(at, *simplification(algebra, listed)[1:])]
    if n < sequence.first + sequence.order:
        return [equation(at, number)]
    found = []
    for index in range(sequence.first + sequence.order, n + 1):
        by_rule = substitute(sequence.rule, {"n": num(index - sequence.order)})
        written = _with_numbers(algebra, by_rule)
        path = simplification(algebra, _evaluated(algebra, sequence, written))
        found.append(equation(call(sequence.name, num(index)), written, *path))
    return found


def _with_numbers(algebra: Algebra, expr: Expr) -> Expr:
    """The rule with its indices worked out: u(0 + 1) is u(1)."""
    if expr.op == "call":
        return call(expr.args[0], algebra.expression(algebra.value(algebra.terms(expr.args[1]))))
    if expr.op in {"num", "var"}:
        return expr
    return Expr(expr.op, tuple(_with_numbers(algebra, part) for part in expr.args))


def _evaluated(algebra: Algebra, sequence: NumberSequence, expr: Expr) -> Expr:
    """The rule with the numbers of earlier values put in."""
    if expr.op == "call":
        return num(value(algebra, sequence.closed, expr.args[1].args[0]))
    if expr.op in {"num", "var"}:
        return expr
    return Expr(expr.op, tuple(_evaluated(algebra, sequence, part) for part in expr.args))
