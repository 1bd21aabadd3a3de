"""Calculator: exact arithmetic and algebra on lines as proofs of the lab write them; it judges nothing.

For every line of a text it gives one line: for each relation the left side minus the right side, multiplied out and
collected (0 where both are the same), and for an expression alone its normal form.

    For x = 1: (x + 1)(2x - 4) = 2x^2 + 3x - 1 = 5 - 1 = 4   ->   -8, 0, 0
    4x + 4 - 4 = -2x + 4                                      ->   6x - 4
    The claim is true.                                        ->   -

A value that a line names (for x = 1) is put in. A line that continues a chain (``= 4``) begins with the end of the line
before. A line without mathematics is ``-``, and one that the lab does not read ``not read``.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from lab.algebra import Algebra
from lab.expressions import Expr, render, sub
from lab.language import read
from lab.limits import MAX_TEXT, Refused
from lab.moves import interpret
from lab.sentences import Chain, Sentence

NOTHING, NOT_READ = "-", "not read"


def calculate(text: str) -> str:
    """The results of all lines. Its work is bounded whatever the text."""
    if len(text) > MAX_TEXT:
        return f"{NOT_READ}: the text has more than {MAX_TEXT} characters"
    calculator = _Calculator()
    return "\n".join(calculator.line(line) for line in text.strip("\n").split("\n"))


class _Calculator:
    """Calculates the lines of one text in their order, within one limit of work."""

    def __init__(self) -> None:
        self.algebra = Algebra()
        self.last: Expr | None = None  # the end of the chain before

    def line(self, line: str) -> str:
        try:
            found = [value for sentence in read(line) for value in self._sentence(sentence)]
        except Refused:
            return NOT_READ
        return ", ".join(found) or NOTHING

    def _sentence(self, sentence: Sentence) -> Iterator[str]:
        reading = interpret(sentence)
        heads, point = (reading.heads, reading.values) if reading else ((), {})
        for chain in sentence.chains:
            if chain not in heads:
                yield from self._chain(chain, point)

    def _chain(self, chain: Chain, point: Mapping[str, Expr]) -> Iterator[str]:
        terms = chain.terms
        if chain.lead and self.last is not None:
            terms = (self.last, *terms)
        self.last = terms[-1]
        if len(terms) == 1:
            yield self._normal(terms[0], point)
        for left, right in pairwise(terms):
            yield self._normal(sub(left, right), point)

    def _normal(self, expression: Expr, point: Mapping[str, Expr]) -> str:
        return render(self.algebra.expression(self.algebra.value(self.algebra.terms(expression, point))))
