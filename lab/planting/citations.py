"""Planting citations: a step, or a fact that was not needed, cited instead of shown."""

from random import Random

from lab.algebra import Algebra
from lab.claims import Solutions
from lab.expressions import Expr, substitute
from lab.moves import Move, interpret
from lab.planting.edits import (
    Edit,
    Sentences,
    chain_at,
    move_of,
    paths,
    term_at,
    with_sentence,
    written,
)
from lab.sentences import Sentence, equation, say
from lab.theorem import Theorem
from lab.writer import simplification

CITATIONS = ("it is well known that", "by a known identity ,", "by a theorem in the book ,", "as is well known ,")


def citation(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A step is cited, or a fact that the proof could do without is."""
    relating = [
        index
        for index, sentence in enumerate(sentences)
        if move_of(sentence) is Move.RELATE and not sentence.chains[0].lead
    ]
    if isinstance(theorem.claim, Solutions):
        return _cited_product(rng, sentences)
    if relating and rng.random() < 0.7:
        index = rng.choice(relating)
        return written(with_sentence(sentences, index, say(rng.choice(CITATIONS), *sentences[index].chains)), index + 1)
    found = [path for path in paths(sentences) if len(path) > 1]
    if not found:
        return None
    path = rng.choice(found)
    index = path[0].sentence
    values = _values(sentences[index])
    first, last = substitute(term_at(sentences, path[0]), values), term_at(sentences, path[-1])
    chain = equation(first, last, modulus=chain_at(sentences, index, path[0].part).modulus)
    return written((*sentences[:index], say(rng.choice(CITATIONS), chain), *sentences[index:]), index + 1)


def _cited_product(rng: Random, sentences: Sentences) -> Edit | None:
    """The expansion of a product that stands in the proof, cited."""
    found = [path[0] for path in paths(sentences) if term_at(sentences, path[0]).op in {"mul", "pow"}]
    if not found:
        return None
    spot = rng.choice(found)
    product = term_at(sentences, spot)
    chain = equation(product, simplification(Algebra(), product)[-1])
    cited = say(rng.choice(CITATIONS), chain)
    return written((*sentences[: spot.sentence], cited, *sentences[spot.sentence :]), spot.sentence + 1)


def _values(sentence: Sentence) -> dict[str, Expr]:
    reading = interpret(sentence)
    heads = () if reading is None else reading.heads
    return {chain.terms[0].args[0]: chain.terms[1] for chain in heads if chain.relations and chain.terms[0].op == "var"}
