"""Expressions as they are written: trees of sums, products, powers and calls, and their text.

The tree keeps the writing (``2*3`` is not 6), since the size of a step is measured on what is written. One tuple type
for all nodes: equality and hashing are structural and fast.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple


class Expr(NamedTuple):
    """A node: ``op`` is num, var, neg, add, mul, div, pow or call; ``args`` are its parts."""

    op: str
    args: tuple[Any, ...]


Number = int | Fraction


def num(value: Number) -> Expr:
    """The writing of a rational number."""
    if value < 0:
        return Expr("neg", (num(-value),))
    if isinstance(value, Fraction) and value.denominator != 1:
        return Expr("div", (num(value.numerator), num(value.denominator)))
    return Expr("num", (int(value),))


def var(name: str) -> Expr:
    """A variable."""
    return Expr("var", (name,))


def neg(expr: Expr) -> Expr:
    """The opposite; of an opposite, the expression itself."""
    return expr.args[0] if expr.op == "neg" else Expr("neg", (expr,))


def add(*terms: Expr) -> Expr:
    """A sum; sums among the terms are flattened, and a sum of nothing is 0."""
    flat = [part for term in terms for part in signed_terms(term)]
    return flat[0] if len(flat) == 1 else Expr("add", tuple(flat)) if flat else num(0)


def sub(left: Expr, right: Expr) -> Expr:
    """A difference, the signs of ``right`` turned one by one."""
    return add(left, *(neg(term) for term in signed_terms(right)))


def mul(*factors: Expr) -> Expr:
    """A product; products among the factors are flattened."""
    flat = [part for factor in factors for part in (factor.args if factor.op == "mul" else (factor,))]
    return flat[0] if len(flat) == 1 else Expr("mul", tuple(flat))


def div(expr: Expr, divisor: int) -> Expr:
    """A quotient by a positive integer."""
    return expr if divisor == 1 else Expr("div", (expr, num(divisor)))


def power(base: Expr, exponent: "Expr | int") -> Expr:
    """A power."""
    if isinstance(exponent, int):
        exponent = num(exponent)
    return base if exponent == num(1) else Expr("pow", (base, exponent))


def call(name: str, argument: Expr) -> Expr:
    """The value of a sequence, such as u(n + 1)."""
    return Expr("call", (name, argument))


def is_numeral(expr: Expr) -> bool:
    """Returns whether this is the writing of a rational number: 2, -2, 1/2."""
    if expr.op == "neg":
        expr = expr.args[0]
    if expr.op == "div":
        return expr.args[0].op == "num"
    return expr.op == "num"


def holds_variable(expr: Expr) -> bool:
    """Returns whether a variable occurs."""
    return expr.op == "var" or any(holds_variable(part) for part in expr.args if isinstance(part, Expr))


def variables(expr: Expr) -> set[str]:
    """The names of the variables that occur."""
    if expr.op == "var":
        return {expr.args[0]}
    return {name for part in expr.args if isinstance(part, Expr) for name in variables(part)}


def shifted(name: str, shift: int) -> Expr:
    """k + 1, k or k - 1."""
    return add(var(name), num(shift)) if shift else var(name)


def holds_call(expr: Expr) -> bool:
    """Returns whether the value of a sequence occurs."""
    return expr.op == "call" or any(holds_call(part) for part in expr.args if isinstance(part, Expr))


def holds_sum(expr: Expr) -> bool:
    """Returns whether a sum occurs, other than within the value of a sequence such as u(n + 1)."""
    if expr.op == "call":
        return False
    return expr.op == "add" or any(holds_sum(part) for part in expr.args if isinstance(part, Expr))


def signed_terms(expr: Expr) -> tuple[Expr, ...]:
    """The terms of a sum; of anything else, itself."""
    return expr.args if expr.op == "add" else (expr,)


def scaled(coefficient: Number, *factors: Expr) -> Expr:
    """``coefficient`` times ``factors``, written as people do: no factor 1, the sign in front, one fraction."""
    size = abs(coefficient)
    parts = [factor for factor in factors if factor != num(1)]
    if size.numerator != 1 or not parts:
        parts.insert(0, num(size.numerator))
    term = div(mul(*parts), size.denominator)
    return neg(term) if coefficient < 0 else term


def polynomial(coefficients: Iterable[Number], variable: str = "x") -> Expr:
    """The polynomial with these coefficients, the highest degree first."""
    values = list(coefficients)
    degrees = range(len(values) - 1, -1, -1)
    terms = [
        scaled(value, power(var(variable), degree) if degree else num(1))
        for value, degree in zip(values, degrees, strict=True)
        if value
    ]
    return add(*terms)


def substitute(expr: Expr, values: dict[str, Expr]) -> Expr:
    """The expression with variables replaced."""
    if expr.op == "var":
        return values.get(expr.args[0], expr)
    if expr.op == "num":
        return expr
    if expr.op == "call":
        return call(expr.args[0], substitute(expr.args[1], values))
    parts = [substitute(part, values) for part in expr.args]
    if expr.op == "add":
        return add(*parts)
    return Expr(expr.op, tuple(parts))


def render(expr: Expr) -> str:
    """The text of an expression; reading it back gives the same tree."""
    return _RENDER[expr.op](*expr.args)


def _render_sum(first: Expr, *rest: Expr) -> str:
    return render(first) + "".join(_signed(term) for term in rest)


def _render_quotient(dividend: Expr, divisor: Expr) -> str:
    return f"{_inside(dividend, {'add', 'neg'})}/{_inside(divisor, {'add', 'neg', 'mul', 'div'})}"


def _render_power(base: Expr, exponent: Expr) -> str:
    above = render(exponent) if exponent.op in {"num", "var"} else f"({render(exponent)})"
    return f"{_inside(base, {'add', 'neg', 'mul', 'div', 'pow'})}^{above}"


def _signed(term: Expr) -> str:
    return f" - {_inside(term.args[0], {'add', 'neg'})}" if term.op == "neg" else f" + {render(term)}"


def _inside(expr: Expr, wrapped: set[str]) -> str:
    """The text of a part, in parentheses where its operation binds less than the place it stands at."""
    return f"({render(expr)})" if expr.op in wrapped else render(expr)


def _render_product(*factors: Expr) -> str:
    """Factors side by side; a star where they would run together or be read otherwise."""
    text = ""
    for factor in factors:
        piece = _inside(factor, {"add", "neg", "div"})
        apart = text and (piece[0].isdigit() or (piece[0].isalpha() and (text[-1].isalpha() or _numeral_power(text))))
        text += ("*" if apart and not _plain_variables(text, piece) else "") + piece
    return text


def _numeral_power(text: str) -> bool:
    """Returns whether the text ends in an exponent, after which a letter is hard to read."""
    return text[-1].isdigit() and "^" in text.rpartition("*")[2] and text.rpartition("^")[2].isdigit()


def _plain_variables(text: str, piece: str) -> bool:
    """Returns whether two variables may stand side by side: x, y and z only, so that no word arises."""
    return piece[0] in "xyz" and (text[-1] in "xyz" or text[-1].isdigit())


_RENDER: dict[str, Callable[..., str]] = {
    "num": str,
    "var": str,
    "call": lambda name, argument: f"{name}({render(argument)})",
    "neg": lambda inner: "-" + _inside(inner, {"add", "neg"}),
    "add": _render_sum,
    "div": _render_quotient,
    "pow": _render_power,
    "mul": _render_product,
}
