"""Arithmetic of written expressions on numbers: a parser and evaluator that share no code with the checker.

Values are exact rationals. ``Calls`` gives the values of S and u, worked out from their definition in the statement.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

Calls = Callable[[str, int], Fraction]
Values = Mapping[str, Fraction]
TOKEN = re.compile(r"\d+\.\d+|\d+|[A-Za-z]+|<=|>=|!=|[-+*/^()=<>,:.;\n]|\S")
RELATIONS = frozenset(["=", "!=", "<=", ">=", "<", ">"])
MAX_EXPONENT = 64


class Unreadable(Exception):
    """A text that this evaluator cannot work out."""


class Parser:
    """Recursive descent over tokens, evaluating as it reads. ``names``: single letters that are variables."""

    def __init__(self, tokens: list[str], values: Values, calls: Calls) -> None:
        self.tokens, self.values, self.calls, self.at = tokens, values, calls, 0

    def peek(self) -> str:
        """The next token, empty at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        """The next token, consumed."""
        token = self.peek()
        self.at += 1
        return token

    def sum(self) -> Fraction:
        """Terms joined by + and -."""
        total = -self.product() if self.peek() == "-" and self.take() else self.product()
        while self.peek() in {"+", "-"}:
            sign = 1 if self.take() == "+" else -1
            total += sign * self.product()
        return total

    def product(self) -> Fraction:
        """Factors side by side, joined by * or divided."""
        value = self.factor()
        while True:
            token = self.peek()
            if token == "*":
                self.take()
                value *= self.factor()
            elif token == "/":
                self.take()
                divisor = self.factor()
                if not divisor:
                    raise Unreadable("division by zero")
                value /= divisor
            elif token == "(" or self._is_name(token):
                value *= self.factor()
            else:
                return value

    def factor(self) -> Fraction:
        """An atom, perhaps with an exponent."""
        base = self.atom()
        if self.peek() != "^":
            return base
        self.take()
        exponent = self.atom()
        if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT or (not base and exponent < 0):
            raise Unreadable(f"exponent {exponent}")
        return base ** int(exponent)

    def atom(self) -> Fraction:
        """A number, a variable, a call, or a sum in parentheses."""
        token = self.take()
        if token == "(":
            value = self.sum()
            if self.take() != ")":
                raise Unreadable("unbalanced")
            return value
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return Fraction(token)
        if token in {"S", "u"} and self.peek() == "(":
            argument = self.atom()
            if argument.denominator != 1:
                raise Unreadable("a sequence at a fraction")
            return self.calls(token, int(argument))
        if token in self.values:
            return self.values[token]
        raise Unreadable(f"unknown {token!r}")

    def _is_name(self, token: str) -> bool:
        return token in self.values or token in {"S", "u"}


def evaluate(text: str | list[str], values: Values, calls: Calls) -> Fraction:
    """The value of an expression. Raises Unreadable where it has none."""
    parser = Parser(tokenize(text) if isinstance(text, str) else text, values, calls)
    value = parser.sum()
    if parser.at != len(parser.tokens):
        raise Unreadable(f"left over: {parser.peek()!r}")
    return value


def no_calls(name: str, index: int) -> Fraction:
    """Calls where there is no sequence."""
    raise Unreadable(f"no sequence {name}")


def tokenize(text: str) -> list[str]:
    """Tokens; runs of the letters x, y and z are split, as variables stand side by side."""
    found: list[str] = []
    for token in TOKEN.findall(text):
        found += list(token) if len(token) > 1 and set(token) <= set("xyz") else [token]
    return found


def compare(left: Fraction, relation: str, right: Fraction, modulus: int = 0) -> bool:
    """Returns whether a relation holds between two numbers, = and != modulo ``modulus`` if it is not 0."""
    if modulus and relation in {"=", "!="}:
        return ((left - right) % modulus == 0) == (relation == "=")
    return {
        "=": left == right,
        "!=": left != right,
        "<=": left <= right,
        ">=": left >= right,
        "<": left < right,
        ">": left > right,
    }[relation]
