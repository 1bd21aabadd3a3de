"""Planting defects of the whole: the verdict, its absence, a circle, words without steps, a text cut off."""

from random import Random

from lab.claims import Claim
from lab.expressions import add, num, var
from lab.moves import Move
from lab.planting.edits import (
    Edit,
    Sentences,
    move_of,
    written,
)
from lab.sentences import Chain, Derivation, equation, say
from lab.theorem import Theorem
from lab.writer import closing

VERDICTS = {Move.CLAIM_TRUE, Move.CLAIM_FALSE, Move.AGREE, Move.DIFFER, Move.NO_SOLUTION}
FOREIGN = (
    "and so on in the same manner",
    "the rest is obvious",
    "the other steps are similar and left to the reader",
    "by symmetry the same works in general",
    "it is easy to check that everything cancels",
)


def wrong_verdict(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """All is shown, and then the contrary concluded."""
    last = len(sentences) - 1
    return written((*sentences[:last], closing(rng, not theorem.truth)), last + 1)


def no_verdict(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The verdict is reached, but not said."""
    kept = tuple(sentence for sentence in sentences if move_of(sentence) not in VERDICTS)
    return written(kept, 0) if kept else None


def unfinished(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The last steps before the verdict are left out."""
    steps = [index for index, sentence in enumerate(sentences) if move_of(sentence) not in VERDICTS]
    if len(steps) < 2:
        return None
    cut = rng.choice(steps[1:])
    return written((*sentences[:cut], closing(rng, theorem.truth)), 0)


def circular(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The claim in one step, or an induction that assumes what it has to show."""
    claim = theorem.claim
    assuming = [index for index, sentence in enumerate(sentences) if move_of(sentence) is Move.ASSUME]
    if assuming and isinstance(claim, Claim) and claim.domain.first is not None and rng.random() < 0.8:
        index = assuming[0]
        order = claim.sequence.order if claim.sequence else 1
        left, right = claim.at(add(var("k"), num(order)))
        assumed = say(rng.choice(("assume", "suppose")), equation(left, right, modulus=claim.modulus))
        return written((*sentences[:index], assumed, *sentences[index + 1 :]), index + 1)
    if not isinstance(claim, Claim) or not theorem.truth:
        return None
    chain = Chain((claim.left, claim.right), (claim.relation,), "", claim.modulus)
    words = ("clearly", "direct calculation gives", "expand everything :", "we see")
    return written((say(rng.choice(words), chain), closing(rng, True)), 1)


def nothing(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """No step at all."""
    words = ("by direct calculation", "this follows by induction", "we work out both sides")
    start = [say(rng.choice(words))] if rng.random() < 0.7 else []
    return written((*start, closing(rng, theorem.truth)), 0)


def foreign_words(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A sentence of words that stand for steps nobody can check."""
    index = rng.randrange(len(sentences))
    return written((*sentences[:index], say(rng.choice(FOREIGN)), *sentences[index:]), index + 1)


def cut_off(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The text breaks off in the middle of a line."""
    text = Derivation(sentences).text
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    if len(lines[at]) < 12:
        return None
    lines[at] = lines[at][: rng.randrange(8, len(lines[at]) - 2)].rstrip()
    return Edit("\n".join(lines[: at + 1]), at + 1)
