"""Planting one defect in a derivation: each function makes one kind of mistake somewhere, or finds no place for it.

An edit says on which line (sentence) it put the mistake, 0 for the end. Whether it is one, and how grave, is for the
checker to say: an edit that turns out harmless is drawn again by ``lab.planter``.
"""

from random import Random
from typing import NamedTuple

from lab.algebra import Algebra
from lab.claims import Claim, Domain
from lab.edits import (
    Sentences,
    Spot,
    body_parts,
    chain_at,
    move_of,
    paths,
    slip,
    term_at,
    with_part,
    with_sentence,
    with_term,
    without_term,
)
from lab.expressions import Expr, add, num, render, substitute, var
from lab.moves import Move, interpret
from lab.sentences import Chain, Derivation, Sentence, equation, say
from lab.theorem import Theorem
from lab.writer import closing, simplification

VERDICTS = {Move.CLAIM_TRUE, Move.CLAIM_FALSE, Move.AGREE, Move.DIFFER, Move.NO_SOLUTION}
CITATIONS = ("it is well known that", "by a known identity ,", "by a theorem in the book ,", "as is well known ,")
FOREIGN = (
    "and so on in the same manner",
    "the rest is obvious",
    "the other steps are similar and left to the reader",
    "by symmetry the same works in general",
    "it is easy to check that everything cancels",
)


class Edit(NamedTuple):
    """A changed text and the line of the change, from 1; 0 where something is missing at the end."""

    text: str
    line: int


def written(sentences: Sentences, line: int) -> Edit:
    """An edit of a derivation's sentences."""
    return Edit(Derivation(sentences).text, line)


def careless_slip(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A sign or number wrong in one expression; mostly all that follows is worked out from the wrong one."""
    found = [path for path in paths(sentences) if len(path) > 1]
    if not found:
        return None
    path = rng.choice(found)
    at = rng.randrange(1, len(path))
    wrong = slip(rng, term_at(sentences, path[at]))
    if wrong is None:
        return None
    changed = with_term(sentences, path[at], wrong)
    if rng.random() < 0.75:
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


def cancelling_slip(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
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


def skipped_work(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A true step too large: what stood between is left out, or a point with larger numbers is worked out at once."""
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
    return written(with_sentence(sentences, index, with_part(sentence, place, equation(head.terms[0], number))), index + 1)


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
        return written(with_sentence(sentences, index, say("then", kept)), 0)
    return written(with_sentence(sentences, rng.choice(cases)), 0) if cases else None


def wrong_base(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """An induction that starts at the wrong n."""
    claim = theorem.claim
    assumes = any(move_of(sentence) is Move.ASSUME for sentence in sentences)
    moved = moved_point(rng, theorem, sentences) if assumes and isinstance(claim, Claim) else None
    return None if moved is None else Edit(moved.text, 0)


def citation(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """A step is cited, or a fact that the proof could do without is."""
    relating = [
        index
        for index, sentence in enumerate(sentences)
        if move_of(sentence) is Move.RELATE and not sentence.chains[0].lead
    ]
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


def _values(sentence: Sentence) -> dict[str, Expr]:
    reading = interpret(sentence)
    heads = () if reading is None else reading.heads
    return {chain.terms[0].args[0]: chain.terms[1] for chain in heads if chain.relations and chain.terms[0].op == "var"}


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


def zero_division(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """Both sides divided by something that can be 0."""
    spots = [
        path
        for path in paths(sentences)
        if len(path) > 1 and move_of(sentences[path[0].sentence]) is Move.RELATE
    ]
    if not spots:
        return None
    path = rng.choice(spots)
    first, last = render(term_at(sentences, path[0])), render(term_at(sentences, path[-1]))
    names = sorted(set("xyznk") & set(first))
    if not names:
        return None
    divisor = f"{rng.choice(names)} - {rng.randint(1, 4)}"
    line = path[-1].sentence + 1
    lines = Derivation(sentences).text.split("\n")
    lines.insert(line, f"Divide by {divisor}: ({first})/({divisor}) = ({last})/({divisor}).")
    return Edit("\n".join(lines), line + 1)


def cut_off(rng: Random, theorem: Theorem, sentences: Sentences) -> Edit | None:
    """The text breaks off in the middle of a line."""
    text = Derivation(sentences).text
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    if len(lines[at]) < 12:
        return None
    lines[at] = lines[at][: rng.randrange(8, len(lines[at]) - 2)].rstrip()
    return Edit("\n".join(lines[: at + 1]), at + 1)
