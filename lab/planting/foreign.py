"""Planting foreign proofs: right ones of another theorem, of the nearest of several, or of a claim with another side.

A proof about another equation is faulted where its first relation does not follow from the claimed one, other proofs
at their end.
"""

from collections import Counter
from dataclasses import replace
from random import Random

from lab.claims import Solutions
from lab.expressions import Expr, num
from lab.generator import generate
from lab.moves import Move
from lab.planting.edits import Edit, Sentences, body_parts, chain_at, move_of, with_part, with_sentence, written
from lab.theorem import Theorem
from lab.writer import is_written_sum

NEIGHBORS = 8  # theorems of which the nearest is taken
SIGNS = ("<", "<=", ">", ">=")


def another_theorem(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The derivation of another theorem of the same truth; not of an equation."""
    return None if isinstance(theorem.claim, Solutions) else _another(rng, theorem)


def neighbor(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The derivation of the most similar one of several theorems of the same truth; not of an equation."""
    return None if isinstance(theorem.claim, Solutions) else _nearest(rng, theorem)


def another_equation(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """Another equation solved."""
    return _another(rng, theorem) if isinstance(theorem.claim, Solutions) else None


def neighboring_equation(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The most similar one of several equations solved."""
    return _nearest(rng, theorem) if isinstance(theorem.claim, Solutions) else None


def _another(rng: Random, theorem: Theorem) -> Edit | None:
    found = _others(rng, theorem, 6)
    return _edit(found[0]) if found else None


def _nearest(rng: Random, theorem: Theorem) -> Edit | None:
    found = _others(rng, theorem, NEIGHBORS)
    if not found:
        return None
    own = Counter(theorem.statement.split())
    return _edit(max(found, key=lambda other: (own & Counter(other.statement.split())).total()))


def other_side(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The last inequality with another right side, which may hold as well, but is not what is claimed."""
    if isinstance(theorem.claim, Solutions):
        return None
    for index in range(len(sentences) - 1, -1, -1):
        for part in reversed(body_parts(sentences[index]) if move_of(sentences[index]) is not Move.COMMENT else []):
            chain = chain_at(sentences, index, part)
            if chain.relations and chain.relations[-1] in SIGNS:
                shift = rng.choice((1, 2, 3, 4)) * (1 if chain.relations[-1] in {"<", "<="} else -1)
                moved = _moved(chain.terms[-1], shift)
                if moved is None:
                    return None
                changed = replace(chain, terms=(*chain.terms[:-1], moved), spans=())
                return written(with_sentence(sentences, index, with_part(sentences[index], part, changed)), 0)
    return None


def _moved(side: Expr, shift: int) -> Expr | None:
    """A whole number with something added; None for any other side."""
    if side.op == "num":
        return num(side.args[0] + shift)
    return num(shift - side.args[0].args[0]) if side.op == "neg" and side.args[0].op == "num" else None


def _edit(other: Theorem) -> Edit:
    lines = enumerate(other.steps.sentences, 1)
    first = next((line for line, sentence in lines if not is_written_sum(sentence)), 0)
    return Edit(other.derivation, first if isinstance(other.claim, Solutions) else 0)


def _others(rng: Random, theorem: Theorem, count: int) -> list[Theorem]:
    """Some other theorems of the same truth, family and level."""
    drawn = (generate(theorem.family, theorem.level, rng.randrange(10**6), theorem.split) for _ in range(count))
    return [other for other in drawn if other.truth == theorem.truth and other.statement != theorem.statement]
