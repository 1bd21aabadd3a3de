"""Sequences of theorems: putting in the definition, and the closed form as the truth."""

from collections.abc import Iterator, Mapping

from lab.algebra import Algebra, Terms
from lab.certificate import Definition
from lab.claims import NumberSequence
from lab.expressions import Expr, Number, add, call, num, substitute
from lab.steps import Rule

MAX_SUMMANDS = 8
MAX_INDEX = 1000


def close(expr: Expr, sequence: NumberSequence | None) -> Expr:
    """The expression with every value of the sequence replaced by its true closed form."""
    if sequence is None or expr.op in {"num", "var"}:
        return expr
    if expr.op == "call":
        return substitute(sequence.closed, {"n": expr.args[1]}) if expr.args[0] == sequence.name else expr
    return Expr(expr.op, tuple(close(part, sequence) for part in expr.args))


def definitions(
    algebra: Algebra, sequence: NumberSequence | None, terms: Terms, lowest: Mapping[str, int]
) -> list[list[Rule]]:
    """The definition at every value of the sequence in ``terms``: by the rule, and for a sum as the whole list.

    ``lowest``: for a variable k the shift s of the lowest k + s that a hypothesis speaks of, if that is not 0.
    """
    if sequence is None:
        return []
    calls = [atom for _, factors in terms for atom, _ in factors if atom[0] == "c" and atom[1] == sequence.name]
    rules: list[list[Rule]] = [[], []]
    for atom in dict.fromkeys(calls):
        argument = algebra.calls[atom]
        for whole, meaning in _meanings(algebra, sequence, argument, lowest):
            rules[whole].append(Rule(((1, ((atom, 1),)),), algebra.terms(meaning), Definition(argument, whole)))
    if sequence.summand is None and any(_is_number(algebra, algebra.calls[atom]) for atom in calls):
        first = [num(sequence.first + place) for place in range(sequence.order)]
        rules.append(
            rules[0] + [_initial(algebra, sequence, *pair) for pair in zip(first, sequence.initial, strict=True)]
        )
    return [found for found in rules if found]


def _is_number(algebra: Algebra, argument: Expr) -> bool:
    return algebra.value(algebra.terms(argument)).keys() <= {0}


def _initial(algebra: Algebra, sequence: NumberSequence, argument: Expr, value: Expr) -> Rule:
    """A first value as a rule, to be put in after the rule of a later one."""
    left = algebra.terms(call(sequence.name, argument))
    return Rule(left, algebra.terms(value), Definition(argument, whole=False))


def _meanings(
    algebra: Algebra, sequence: NumberSequence, argument: Expr, lowest: Mapping[str, int]
) -> Iterator[tuple[bool, Expr]]:
    """The meanings of a value by definition, each with whether it is the whole sum."""
    value = algebra.value(algebra.terms(argument))
    shift = value.pop(0, 0)
    if not isinstance(shift, int) or abs(shift) > MAX_INDEX:
        return
    if value:
        name = _variable(algebra, value)
        if name and shift - sequence.order >= lowest.get(name, 0):
            yield False, _by_rule(sequence, _shifted(algebra, value, shift - sequence.order))
        return
    offset = shift - sequence.first
    if offset >= 0:
        by_rule = offset >= sequence.order
        yield False, _by_rule(sequence, num(shift - sequence.order)) if by_rule else sequence.initial[offset]
        if sequence.summand is not None and offset < MAX_SUMMANDS:
            yield True, add(*(substitute(sequence.summand, {"n": num(sequence.first + i)}) for i in range(offset + 1)))


def _variable(algebra: Algebra, value: Mapping[int, Number]) -> str:
    """The name of the variable that a normal form without its number is, such as k; empty where it is none."""
    atoms = list(algebra.exponents(next(iter(value)))) if list(value.values()) == [1] else []
    return atoms[0][1] if len(atoms) == 1 and atoms[0][0] == "v" else ""


def lowest_index(algebra: Algebra, sequence: NumberSequence, argument: Expr) -> tuple[str, int, str] | None:
    """The variable k and the shift s of the lowest index k + s that the rule uses at ``argument``; None at a number."""
    value = algebra.value(algebra.terms(argument))
    shift = value.pop(0, 0)
    return (_variable(algebra, value), int(shift) - sequence.order, "from") if value else None


def _shifted(algebra: Algebra, value: dict, shift: int) -> Expr:
    """The argument less ``shift``: k + 2 with shift 0 for order 2 is k."""
    rest = algebra.expression(value)
    return rest if shift == 0 else add(rest, num(shift))


def _by_rule(sequence: NumberSequence, at: Expr) -> Expr:
    return substitute(sequence.rule, {"n": at})
