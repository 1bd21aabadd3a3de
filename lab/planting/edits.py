"""Edits of a derivation: where its expressions stand, replacing and dropping them, and small slips in an expression.

An edit says on which line (sentence) it put a mistake, 0 for the end. Whether it is one, and how grave, is for the
checker to say: what turns out harmless is drawn again by ``lab.planter``.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

from lab.expressions import Expr, add, neg
from lab.moves import Move, interpret
from lab.sentences import Chain, Derivation, Part, Sentence

Sentences = tuple[Sentence, ...]


class Spot(NamedTuple):
    """The place of an expression: sentence, part of the sentence (a chain), term of the chain."""

    sentence: int
    part: int
    term: int


def move_of(sentence: Sentence) -> Move | None:
    """The move of a sentence in a proof."""
    reading = interpret(sentence)
    return None if reading is None else reading.move


def body_parts(sentence: Sentence) -> list[int]:
    """The parts that are chains of the sentence's body: not the ``n = 2`` of "for n = 2"."""
    reading = interpret(sentence)
    chains = () if reading is None else reading.body
    return [index for index, part in enumerate(sentence.parts) if any(part is chain for chain in chains)]


def paths(sentences: Sentences) -> list[list[Spot]]:
    """The expressions that equations connect, in order: one list for each chain with those that go on from it."""
    found: list[list[Spot]] = []
    for index, sentence in enumerate(sentences):
        for part in body_parts(sentence):
            chain = chain_at(sentences, index, part)
            spots = [Spot(index, part, term) for term in range(len(chain.terms))]
            if chain.lead and found:
                found[-1] += spots
            elif chain.relations:
                found.append(spots)
    return found


def chain_at(sentences: Sentences, sentence: int, part: int) -> Chain:
    """The chain at a place."""
    chain = sentences[sentence].parts[part]
    assert isinstance(chain, Chain)
    return chain


def term_at(sentences: Sentences, spot: Spot) -> Expr:
    """The expression at a spot."""
    return chain_at(sentences, spot.sentence, spot.part).terms[spot.term]


def with_part(sentence: Sentence, index: int, part: Part) -> Sentence:
    """The sentence with one part replaced."""
    return Sentence((*sentence.parts[:index], part, *sentence.parts[index + 1 :]))


def with_sentence(sentences: Sentences, index: int, *new: Sentence) -> Sentences:
    """The derivation with one sentence replaced by others, or by none."""
    return (*sentences[:index], *new, *sentences[index + 1 :])


def with_term(sentences: Sentences, spot: Spot, expr: Expr) -> Sentences:
    """The derivation with the expression at a spot replaced."""
    chain = chain_at(sentences, spot.sentence, spot.part)
    terms = (*chain.terms[: spot.term], expr, *chain.terms[spot.term + 1 :])
    changed = with_part(sentences[spot.sentence], spot.part, replace(chain, terms=terms, spans=()))
    return with_sentence(sentences, spot.sentence, changed)


def without_term(sentences: Sentences, spot: Spot) -> Sentences | None:
    """The derivation without an expression, its neighbors joined; None where they are not joined by =."""
    chain = chain_at(sentences, spot.sentence, spot.part)
    terms, relations = list(chain.terms), list(chain.relations)
    if len(terms) == 1:
        return with_sentence(sentences, spot.sentence) if chain.lead == "=" else None
    joint = spot.term if chain.lead else spot.term - 1
    signs = [chain.lead, *relations] if chain.lead else relations
    if joint < 0 or signs[joint] != "=":
        return None
    del terms[spot.term], signs[joint]
    lead = signs.pop(0) if chain.lead else ""
    shorter = replace(chain, terms=tuple(terms), relations=tuple(signs), lead=lead, spans=())
    return with_sentence(sentences, spot.sentence, with_part(sentences[spot.sentence], spot.part, shorter))


def slip(rng: Random, expr: Expr) -> Expr | None:
    """The expression with one small mistake: a sign, a number by one or two, a term left out."""
    found = list(_slips(expr))
    return rng.choice(found) if found else None


def _slips(expr: Expr) -> Iterator[Expr]:
    op, args = expr
    if op == "num":
        yield from (Expr("num", (args[0] + change,)) for change in (1, -1, 2, -2) if args[0] + change > 0)
    elif op == "neg":
        yield args[0]
        yield from (neg(inner) for inner in _slips(args[0]))
    elif op == "add":
        yield from _slips_of_sum(args)
    elif op == "div":
        yield from (Expr("div", (inner, args[1])) for inner in _slips(args[0]))
    elif op == "pow":
        yield from (Expr("pow", (inner, args[1])) for inner in _slips(args[0]))
        if args[1].op == "num" and args[1].args[0] > 2:
            yield Expr("pow", (args[0], Expr("num", (args[1].args[0] - 1,))))
    elif op == "mul":
        for index, part in enumerate(args):
            changed = (other for other in _slips(part) if other != Expr("num", (1,)))
            yield from (Expr("mul", (*args[:index], other, *args[index + 1 :])) for other in changed)


def _slips_of_sum(terms: tuple[Expr, ...]) -> Iterator[Expr]:
    for index, term in enumerate(terms):
        before, after = terms[:index], terms[index + 1 :]
        yield from (Expr("add", (*before, other, *after)) for other in _slips(term))
        if index:
            yield Expr("add", (*before, neg(term), *after))
            yield add(*before, *after)


class Edit(NamedTuple):
    """A changed text and the line of the change, from 1; 0 where something is missing at the end."""

    text: str
    line: int


def written(sentences: Sentences, line: int) -> Edit:
    """An edit of a derivation's sentences."""
    return Edit(Derivation(sentences).text, line)
