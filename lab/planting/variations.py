"""Harmless changes of a derivation, in words and lines: a planted defect must not be known by an unusual look."""

from random import Random

from lab.moves import Move
from lab.planting.edits import Sentences, move_of, with_sentence
from lab.sentences import Chain, Part, Sentence, say

_OPENINGS = {
    Move.RELATE: ("we have", "then", "so", "hence", "here", "now", "thus", "simplify:", "next", "we get", "this gives"),
    Move.ASSUME: ("assume", "suppose", "assume that", "now suppose", "suppose that"),
}
_GOING_ON = ("then", "simplify:", "collect:", "collect like terms:", "so this is", "which gives", "and this is", "")


def vary(rng: Random, sentences: Sentences) -> Sentences:
    """The derivation with other words in some places, comments dropped, or a line joined to the one before."""
    if rng.random() < 0.4:
        return sentences
    for index in range(len(sentences) - 1, -1, -1):
        if move_of(sentences[index]) is Move.COMMENT and rng.random() < 0.3:
            sentences = with_sentence(sentences, index)
        elif rng.random() < 0.3:
            sentences = with_sentence(sentences, index, _reworded(rng, sentences[index]))
    return _joined(rng, sentences) if rng.random() < 0.3 else sentences


def _reworded(rng: Random, sentence: Sentence) -> Sentence:
    """The sentence with another opening, where it opens with words."""
    move = move_of(sentence)
    first = next((index for index, part in enumerate(sentence.parts) if isinstance(part, Chain)), 0)
    if not first or move is None or move not in _OPENINGS:
        return sentence
    chain = sentence.parts[first]
    assert isinstance(chain, Chain)
    return say(rng.choice(_GOING_ON if chain.lead else _OPENINGS[move]), *sentence.parts[first:])


def _joined(rng: Random, sentences: Sentences) -> Sentences:
    """Two lines of one chain in one line."""
    found = [
        index
        for index in range(1, len(sentences))
        if sentences[index].chains and sentences[index].chains[0].lead and len(sentences[index].chains) == 1
    ]
    if not found:
        return sentences
    index = rng.choice(found)
    before, chain = sentences[index - 1], sentences[index].chains[0]
    last = before.parts[-1]
    if not isinstance(last, Chain):
        return sentences
    joined: Part = Chain(
        (*last.terms, *chain.terms), (*last.relations, chain.lead, *chain.relations), last.lead, last.modulus
    )
    return (*sentences[: index - 1], Sentence((*before.parts[:-1], joined)), *sentences[index + 1 :])
