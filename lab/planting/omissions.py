"""Planting omissions: steps joined to one that is too large, cases left out, a base case for the wrong n."""

from random import Random

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import Expr, num, substitute
from lab.moves import Move, interpret
from lab.planting.edits import (
    Edit,
    Sentences,
    body_parts,
    chain_at,
    move_of,
    paths,
    term_at,
    with_part,
    with_sentence,
    without_term,
    written,
)
from lab.sentences import Chain, equation, say
from lab.theorem import Theorem
from lab.writer import simplification


def skipped_work(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A true step too large: what stood between is left out, or a point with larger numbers is worked out at once."""
    if isinstance(theorem.claim, Solutions):
        return _skipped_line(rng, sentences)
    if theorem.claim.relation in {">", ">="} and (edit := _unshown_order(rng, sentences)) is not None:
        return edit
    found = [path for path in paths(sentences) if len(path) > 2]
    evaluations = [index for index, sentence in enumerate(sentences) if move_of(sentence) is Move.EVALUATE]
    if evaluations and (not found or rng.random() < 0.3):
        return moved_point(rng, theorem, sentences)
    if not found:
        return None
    path = rng.choice(found)
    first = rng.randrange(1, len(path) - 1)
    last = min(len(path) - 2, first + rng.choice((0, 0, 0, 1, 1, 2, 9)))
    following = path[last + 1]
    lost = [index for index in {spot.sentence for spot in path[first : last + 1]} if index < following.sentence]
    before = len(sentences)
    for spot in reversed(path[first : last + 1]):
        shorter = without_term(sentences, spot)
        if shorter is None:
            return None
        sentences = shorter
    assert before - len(sentences) <= len(lost)
    return written(sentences, following.sentence + 1 - (before - len(sentences)))


def _unshown_order(rng: Random, sentences: Sentences) -> Edit | None:
    """An inequality said of a polynomial at once: the squares that show it are left out, in the chain and behind it."""
    for path in paths(sentences):
        squares, places = term_at(sentences, path[-1]), [spot.sentence for spot in path]
        later = range(places[-1] + 1, len(sentences))
        shown = ((at, part) for at in later for part in body_parts(sentences[at]))
        found = next((spot for spot in shown if _is_order(chain_at(sentences, *spot), squares)), None)
        if found is None or len(path) < 3 or len({*places}) > 1:
            continue
        kept = rng.randrange(1, len(path) - 1)
        chain = chain_at(sentences, path[0].sentence, path[0].part)
        if chain.lead or set(chain.relations) != {"="}:
            continue
        order = chain_at(sentences, *found)
        said = Chain((chain.terms[kept], *order.terms[1:]), order.relations)
        sentences = with_sentence(sentences, found[0], with_part(sentences[found[0]], found[1], said))
        shorter = Chain(chain.terms[: kept + 1], chain.relations[:kept], modulus=chain.modulus)
        sentences = with_sentence(sentences, places[0], with_part(sentences[places[0]], path[0].part, shorter))
        return written(sentences, found[0] + 1)
    return None


def _is_order(chain: Chain, large: Expr) -> bool:
    """Returns whether a chain says that an expression is at least, or above, something."""
    return not chain.lead and chain.terms[0] == large and {*chain.relations} <= {">", ">="} and bool(chain.relations)


def _skipped_line(rng: Random, sentences: Sentences) -> Edit | None:
    """A line of transformations without the one before it."""
    steps = [index for index, sentence in enumerate(sentences) if move_of(sentence) in {Move.RELATE, Move.ALTERNATIVES}]
    if len(steps) < 2:
        return None
    index = rng.choice(steps[:-1])
    return written(with_sentence(sentences, index), index + 1)


def moved_point(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """Another number in a sentence "for n = 1: ..."; each side is worked out there, in one step."""
    found = [index for index, sentence in enumerate(sentences) if move_of(sentence) is Move.EVALUATE]
    claim = theorem.claim
    if not found or not isinstance(claim, Claim):
        return None
    index = rng.choice(found)
    sentence = sentences[index]
    reading = interpret(sentence)
    if reading is None or len(reading.heads) != 1 or reading.heads[0].modulus or len(claim.variables) != 1:
        return None
    head = reading.heads[0]
    lowest = -9 if claim.domain.first is None else claim.domain.first
    far = rng.random() < 0.5
    number = num(rng.randint(lowest, 40) if far else rng.randint(lowest, max(lowest, 0) + 3))
    for part in body_parts(sentence):
        value = _value(claim, chain_at(sentences, index, part), head.terms[1], number)
        if value is None:
            return None
        sentence = with_part(sentence, part, value)
    place = next(place for place, part in enumerate(sentence.parts) if part is head)
    return written(
        with_sentence(sentences, index, with_part(sentence, place, equation(head.terms[0], number))), index + 1
    )


def _value(claim: Claim, chain: Chain, old: Expr, number: Expr) -> Chain | None:
    """A side of the claim and its value at another number; None for chains about anything else."""
    name = claim.variables[0]
    for side in (claim.left, claim.right):
        sequence = claim.sequence
        if chain.terms[0] == side or chain.terms[0] == substitute(side, {name: old}):
            if side.op == "call" and sequence is not None:
                written_side, value = substitute(side, {name: number}), substitute(sequence.closed, {"n": number})
            else:
                written_side, value = side, substitute(side, {name: number})
            result = simplification(Algebra(), value)[-1]
            if chain.modulus and result.op in {"num", "neg"}:
                whole = result.args[0] if result.op == "num" else -result.args[0].args[0]
                result = num(whole % chain.modulus)
            return equation(written_side, result, modulus=chain.modulus)
    return None


def dropped_case(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A residue, a base case or a solution is left out."""
    cases = [index for index, sentence in enumerate(sentences) if move_of(sentence) is Move.EVALUATE]
    choices = [index for index, sentence in enumerate(sentences) if move_of(sentence) is Move.ALTERNATIVES]
    if choices and (not cases or rng.random() < 0.7):
        index = rng.choice(choices)
        parts = body_parts(sentences[index])
        kept = chain_at(sentences, index, rng.choice(parts))
        return written(with_sentence(sentences, index, say("then", kept)), index + 1)
    return written(with_sentence(sentences, rng.choice(cases)), 0) if cases else None


def wrong_base(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """An induction that starts at the wrong n."""
    claim = theorem.claim
    assumes = any(move_of(sentence) is Move.ASSUME for sentence in sentences)
    moved = moved_point(rng, theorem, sentences) if assumes and isinstance(claim, Claim) else None
    return None if moved is None else Edit(moved.text, 0)
