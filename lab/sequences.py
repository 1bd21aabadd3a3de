"""What a theorem's sequence allows: putting in its definition, and its closed form as the truth."""

from collections.abc import Sequence as Sequenced

from lab.algebra import Algebra, Terms
from lab.claims import Sequence
from lab.expressions import Expr, add, num, substitute
from lab.steps import Rewriting

MAX_SUMMANDS = 8


def close(expr: Expr, sequence: Sequence | None) -> Expr:
    """The expression with every value of the sequence replaced by its true closed form."""
    if sequence is None or expr.op in {"num", "var"}:
        return expr
    if expr.op == "call":
        return substitute(sequence.closed, {"n": expr.args[1]}) if expr.args[0] == sequence.name else expr
    return Expr(expr.op, tuple(close(part, sequence) for part in expr.args))


def definitions(algebra: Algebra, sequence: Sequence | None, terms: Terms) -> list[list[Rewriting]]:
    """The definition at every value of the sequence in ``terms``: by the rule, and for a sum as the whole list."""
    if sequence is None:
        return []
    calls = [atom for _, factors in terms for atom, _ in factors if atom[0] == "c" and atom[1] == sequence.name]
    rules: list[list[Rewriting]] = [[], []]
    for atom in dict.fromkeys(calls):
        for found, meaning in zip(rules, _meanings(algebra, sequence, algebra.calls[atom]), strict=False):
            found.append((((1, ((atom, 1),)),), algebra.terms(meaning)))
    return [found for found in rules if found]


def _meanings(algebra: Algebra, sequence: Sequence, argument: Expr) -> Sequenced[Expr]:
    """What a value means by definition."""
    value = algebra.value(algebra.terms(argument))
    shift = value.pop(0, 0)
    if not isinstance(shift, int) or shift - sequence.first > 1000:
        return []
    if value:
        return [_by_rule(sequence, _shifted(algebra, value, shift - sequence.order))] if shift >= sequence.order else []
    offset = shift - sequence.first
    if offset < 0:
        return []
    found = [sequence.initial[offset]] if offset < sequence.order else [_by_rule(sequence, num(shift - sequence.order))]
    if sequence.summand is not None and offset < MAX_SUMMANDS:
        found.append(add(*(substitute(sequence.summand, {"n": num(sequence.first + i)}) for i in range(offset + 1))))
    return found


def _shifted(algebra: Algebra, value: dict, shift: int) -> Expr:
    """The argument less ``shift``: k + 2 with shift 0 for order 2 is k."""
    rest = algebra.expression(value)
    return rest if shift == 0 else add(rest, num(shift))


def _by_rule(sequence: Sequence, at: Expr) -> Expr:
    return substitute(sequence.rule, {"n": at})
