"""Planting a division by something that can be 0."""

from fractions import Fraction
from random import Random

from lab.algebra import Algebra
from lab.claims import Solutions
from lab.expressions import Expr, Number, mul, num, render, signed_terms, sub
from lab.moves import Move
from lab.planting.edits import Edit, Sentences, body_parts, chain_at, move_of, paths, term_at, with_sentence, written
from lab.sentences import Chain, Derivation, Part, Sentence, equation, say
from lab.theorem import Theorem


def zero_division(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """Both sides divided by something that can be 0: a solution is lost, or the quotient has no meaning."""
    if isinstance(theorem.claim, Solutions):
        return _lost_solution(rng, sentences)
    found = [path for path in paths(sentences) if len(path) > 1 and move_of(sentences[path[0].sentence]) is Move.RELATE]
    if not found:
        return None
    path = rng.choice(found)
    first, last = render(term_at(sentences, path[0])), render(term_at(sentences, path[-1]))
    names = sorted(set("xyznk") & set(first))
    if not names:
        return None
    divisor = f"{rng.choice(names)} - {rng.randint(1, 4)}"
    line = path[-1].sentence + 1
    lines = Derivation(sentences).text.split("\n")
    lines.insert(line, f"Divide by {divisor}: ({first})/({divisor}) = ({last})/({divisor}).")
    return Edit("\n".join(lines), line + 1)


def _lost_solution(rng: Random, sentences: Sentences) -> Edit | None:
    """A product that is 0 divided by one of its factors; what follows does without it."""
    places = [(index, part) for index, sentence in enumerate(sentences) for part in body_parts(sentence)]
    products = [place for place in places if chain_at(sentences, *place).terms[0].op == "mul"]
    if not products:
        return None
    index, part = rng.choice(products)
    linear = [factor for factor in chain_at(sentences, index, part).terms[0].args if _zero(factor) is not None]
    if not linear:
        return None
    factor = rng.choice(linear)
    zero = _zero(factor)
    assert zero is not None
    rest = _without(chain_at(sentences, index, part), zero)
    if rest is None:
        return None
    divided = say("divide by", equation(factor), ":", rest)
    for later in range(len(sentences) - 1, index, -1):
        sentences = with_sentence(sentences, later, *_left(sentences[later], zero))
    return written((*sentences[: index + 1], divided, *sentences[index + 1 :]), index + 2)


def _left(sentence: Sentence, zero: Number) -> list[Sentence]:
    """The rest of a later sentence: its equations without the lost solution."""
    if move_of(sentence) not in {Move.RELATE, Move.ALTERNATIVES}:
        return [sentence]
    kept = [chain for part in sentence.chains if (chain := _without(part, zero)) is not None]
    parts: list[Part] = []
    for chain in kept:
        parts += ["or", chain] if parts else [chain]
    return [say("so", *parts)] if parts else []


def _without(chain: Chain, zero: Number) -> Chain | None:
    """An equation without the factors that vanish at a number; None where nothing else is left."""
    if chain.relations != ("=",):
        return chain
    left = chain.terms[0]
    if left.op == "mul":
        kept = [factor for factor in left.args if not _vanishes(factor, zero)]
        return equation(mul(*kept), chain.terms[1]) if kept else None
    return None if _vanishes(sub(left, chain.terms[1]), zero) else chain


def _vanishes(expr: Expr, at: Number) -> bool:
    algebra = Algebra()
    return not algebra.value(algebra.terms(expr, {"x": num(at)}))


def _zero(factor: Expr) -> Number | None:
    """The zero of a linear factor in x."""
    algebra = Algebra()
    values = algebra.value(algebra.terms(factor))
    slot = algebra.slot(("v", "x"))
    if set(values) - {0, 1 << slot} or 1 << slot not in values or len(signed_terms(factor)) > 2:
        return None
    return -Fraction(values.get(0, 0)) / values[1 << slot]
