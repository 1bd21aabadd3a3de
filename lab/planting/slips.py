"""Planting slips: signs and numbers that are wrong, carried on or undone; a solution too many; a miscopied problem."""

from random import Random

from lab.algebra import Algebra
from lab.claims import Solutions
from lab.expressions import Expr, add, holds_variable, num, var
from lab.moves import Move
from lab.planting.edits import (
    Edit,
    Sentences,
    Spot,
    chain_at,
    move_of,
    paths,
    slip,
    term_at,
    with_sentence,
    with_term,
    without_term,
    written,
)
from lab.sentences import Sentence, equation
from lab.theorem import Theorem
from lab.writer import simplification


def careless_slip(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A sign or number wrong in one expression; mostly all that follows is worked out from the wrong one."""
    found = [path for path in paths(sentences) if len(path) > 1]
    if not found:
        return None
    path = rng.choice(found)
    solving = isinstance(theorem.claim, Solutions)
    at = rng.randrange(0 if solving else 1, len(path))
    wrong = slip(rng, term_at(sentences, path[at]))
    if wrong is None:
        return None
    changed = with_term(sentences, path[at], wrong)
    if not solving and rng.random() < 0.75:
        changed = _carried(changed, path, at, wrong)
    return written(changed, path[at].sentence + 1)


def _carried(sentences: Sentences, path: list[Spot], at: int, wrong: Expr) -> Sentences:
    """The rest of the path worked out anew from the wrong expression; stops that are not needed go."""
    rest = path[at + 1 :]
    modulus = chain_at(sentences, path[at].sentence, path[at].part).modulus
    tail = list(simplification(Algebra(), wrong)[1:])
    value = tail[-1] if tail else wrong
    if modulus and value.op in {"num", "neg"} and rest:
        number = value.args[0] if value.op == "num" else -value.args[0].args[0]
        tail.append(num(number % modulus))
    if len(tail) > len(rest):
        tail = tail[len(tail) - len(rest) :]
    for spot, expr in zip(rest, tail, strict=False):
        sentences = with_term(sentences, spot, expr)
    for spot in reversed(rest[len(tail) :]):
        sentences = without_term(sentences, spot) or sentences
    return sentences


def canceling_slip(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A slip that is undone one or two steps later, so that the result is right."""
    found = [path for path in paths(sentences) if len(path) > 2]
    if not found:
        return None
    path = rng.choice(found)
    at = rng.randrange(1, len(path) - 1)
    now, following = term_at(sentences, path[at]), term_at(sentences, path[at + 1])
    kept = [term for term in now.args if now.op == following.op == "add" and term in following.args]
    if kept and at + 2 < len(path):
        term = rng.choice(kept)
        wrong = slip(rng, term)
        if wrong is None:
            return None
        for spot, expr in ((path[at], now), (path[at + 1], following)):
            terms = list(expr.args)
            terms[terms.index(term)] = wrong
            sentences = with_term(sentences, spot, add(*terms))
        return written(sentences, path[at].sentence + 1)
    wrong = slip(rng, now)
    return None if wrong is None else written(with_term(sentences, path[at], wrong), path[at].sentence + 1)


def extra_solution(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """An alternative too many."""
    claim = theorem.claim
    choices = [index for index, sentence in enumerate(sentences) if move_of(sentence) is Move.ALTERNATIVES]
    if not choices or not isinstance(claim, Solutions):
        return None
    number = rng.choice([number for number in range(-9, 10) if number not in claim.actual])
    index = rng.choice(choices)
    longer = Sentence((*sentences[index].parts, "or", equation(var("x"), num(number))))
    return written(with_sentence(sentences, index, longer), index + 1)


def miscopied(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A slip in copying the problem; all that follows is worked out rightly from it."""
    found = [
        path
        for path in paths(sentences)
        if len(path) > 1
        and move_of(sentences[path[0].sentence]) is Move.RELATE
        and holds_variable(term_at(sentences, path[0]))
    ]
    if not found or isinstance(theorem.claim, Solutions):
        return None
    path = rng.choice(found)
    wrong = slip(rng, term_at(sentences, path[0]))
    return None if wrong is None else written(_carried(with_term(sentences, path[0], wrong), path, 0, wrong), 0)
