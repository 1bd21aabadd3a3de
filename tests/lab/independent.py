"""The truth of what a proof says, worked out by sympy: shares the reading with the checker, none of its algebra."""

from collections.abc import Callable, Iterator
from typing import Any

import sympy

from lab.claims import Claim, NumberSequence, Solutions
from lab.expressions import Expr
from lab.language import read
from lab.moves import Move, interpret
from lab.sentences import Chain
from lab.theorem import Theorem

Values = dict[str, Expr]
OPERATIONS: dict[str, Callable[..., Any]] = {
    "neg": lambda part: -part,
    "pow": lambda base, exponent: base**exponent,
    "div": lambda left, right: left / right,
    "add": sympy.Add,
    "mul": sympy.Mul,
}


def value(expr: Expr, sequence: NumberSequence | None = None, values: Values | None = None) -> sympy.Expr:
    """The expression for sympy, with values put in and sequences replaced by their closed form."""
    op, args = expr
    values = values or {}
    if op == "num":
        return sympy.Integer(args[0])
    if op == "var":
        return value(values[args[0]]) if args[0] in values else sympy.Symbol(args[0])
    if op == "call":
        assert sequence is not None
        return value(sequence.closed).subs(sympy.Symbol("n"), value(args[1], sequence, values))
    parts = [value(part, sequence, values) for part in args]
    return OPERATIONS[op](*parts)


def holds(difference: sympy.Expr, relation: str, modulus: int) -> bool:
    """True where ``difference relation 0`` holds for all values of its symbols."""
    difference = sympy.expand(sympy.expand_power_exp(sympy.expand(difference)))
    if modulus:
        symbols = sorted(difference.free_symbols, key=str)
        numbers = range(3 * modulus) if symbols else (0,)
        found = [difference.subs(dict.fromkeys(symbols, number)) % modulus == 0 for number in numbers]
        return all(found) if relation == "=" else not any(found)
    if relation in {"=", "!="}:
        return (sympy.simplify(difference) == 0) == (relation == "=")
    low = _least(difference)
    signs = {">=": low >= 0, ">": low > 0}
    if relation in signs:
        return bool(signs[relation])
    high = -_least(-difference)
    return bool(high <= 0 if relation == "<=" else high < 0)


def _least(quadratic: sympy.Expr) -> sympy.Expr:
    """The least value of a quadratic polynomial, minus infinity if there is none."""
    symbols = sorted(quadratic.free_symbols, key=str)
    if not symbols:
        return quadratic
    hessian = sympy.hessian(quadratic, symbols)
    if not hessian.is_positive_semidefinite:
        return -sympy.oo
    critical = sympy.solve([sympy.diff(quadratic, symbol) for symbol in symbols], symbols, dict=True)
    return quadratic.subs(critical[0]) if critical else -sympy.oo


def relations(theorem: Theorem, text: str) -> Iterator[tuple[sympy.Expr, str, int]]:
    """Every relation that a text states, as a difference; those of equations to solve are left out."""
    sequence = theorem.claim.sequence if isinstance(theorem.claim, Claim) else None
    last: tuple[Expr, Values, int] | None = None
    for sentence in read(text):
        reading = interpret(sentence)
        if reading is None or reading.move not in {Move.RELATE, Move.EVALUATE, Move.ASSUME}:
            continue
        values = {chain.terms[0].args[0]: chain.terms[1] for chain in reading.heads if chain.relations}
        for chain in reading.body:
            if isinstance(theorem.claim, Solutions) and not values and set(chain.relations) == {"="}:
                continue
            terms, links, modulus = list(chain.terms), list(chain.relations), chain.modulus
            if chain.lead and last:
                terms, links = [last[0], *terms], [chain.lead, *links]
                values, modulus = last[1], modulus or last[2]
            for left, relation, right in zip(terms, links, terms[1:], strict=False):
                yield value(left, sequence, values) - value(right, sequence, values), relation, modulus
            last = (terms[-1], values, modulus)


def all_true(theorem: Theorem, text: str) -> bool:
    """True where every relation of a text holds."""
    return all(holds(*relation) for relation in relations(theorem, text))


def solutions(chains: tuple[Chain, ...]) -> set[Any]:
    """The real solutions of a list of alternatives."""
    x = sympy.Symbol("x")
    found: set[Any] = set()
    for chain in chains:
        polynomial = sympy.Poly(value(chain.terms[0]) - value(chain.terms[-1]), x)
        found |= set(sympy.real_roots(polynomial)) if not polynomial.is_zero else {sympy.oo}
    return found
