"""Drills in judging: derivations with about half of their lines changed, each line judged as in an analysis.

In whole proofs nearly every line is right, and an analysis ends at the first grave defect, so that one who judges them
does well to copy what stands there instead of working it out. Here that fails half of the time.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import NamedTuple

from lab.analyses import judged_lines
from lab.checker import check
from lab.claims import Solutions
from lab.complaints import END, complaint_of
from lab.defects import Kind
from lab.expressions import num
from lab.planting.edits import body_parts, move_of, slip, with_part
from lab.sentences import Chain, Derivation, Sentence
from lab.theorem import Theorem
from lab.walkthrough import VERDICTS, items
from lab.writer import closing, is_written_sum

_JUDGED = {Kind.INVALID_STEP, Kind.WRONG_CONCLUSION, Kind.MISSING_CASE}
_CONTRARY = {"<": ">", "<=": ">", ">": "<", ">=": "<"}


class Drill(NamedTuple):
    """Lines of a proof, and each of them judged as in an analysis; ``given``: judgements that stand before those."""

    lines: str
    judged: str
    given: str = ""


def drill(theorem: Theorem, seed: int) -> Drill:
    """A theorem's derivation with about half of its lines changed."""
    rng = Random(f"drill {theorem.id} {seed}")
    return _judged(rng, theorem, *_lines(rng, theorem))


def line_drills(theorem: Theorem, seed: int) -> Iterator[Drill]:
    """Each line of a derivation by itself, after the relation that it follows from; changed half of the time."""
    rng = Random(f"line drills {theorem.id} {seed}")
    before = None
    for sentence in theorem.steps.sentences:
        total, last = is_written_sum(sentence), move_of(sentence) in VERDICTS
        if last:
            line = closing(rng, theorem.truth == (rng.random() < 0.5))
        else:
            line = (_slipped(rng, sentence) if rng.random() < 0.5 else None) or sentence
        needed = last or (isinstance(theorem.claim, Solutions) and not total)
        yield _judged(rng, theorem, line, known=before if needed else None)
        before = before if total else sentence


def _judged(rng: Random, theorem: Theorem, *sentences: Sentence, known: Sentence | None = None) -> Drill:
    """The judgements of sentences, one a line, whatever the others are; that of a first one that is ``known`` given."""
    lines = Derivation((known, *sentences) if known else sentences).text
    defects = [defect for defect in check(theorem, lines).defects if defect.kind in _JUDGED]
    complaints = [complaint_of(lines, defect) for defect in defects]
    shown = [complaint for complaint in complaints if complaint.line != END]
    texts = judged_lines(rng, items(theorem, lines), shown)
    first = sum(bool(known) and text.startswith("Line 1: ") for text in texts)
    return Drill(lines, "\n".join(texts[first:]), "".join(f"{text}\n" for text in texts[:first]))


def _lines(rng: Random, theorem: Theorem) -> Iterator[Sentence]:
    """Where the last relation is changed there is no verdict: it would not be about what is shown."""
    changed = False
    for sentence in theorem.steps.sentences:
        if move_of(sentence) in VERDICTS:
            if not changed:
                yield closing(rng, theorem.truth == (rng.random() < 0.5))
            return
        wrong = _slipped(rng, sentence) if rng.random() < 0.5 else None
        changed = changed if is_written_sum(sentence) else wrong is not None
        yield wrong or sentence


def _slipped(rng: Random, sentence: Sentence) -> Sentence | None:
    """With another sign in place of < or >, or a slip in an expression; None where there is nothing to change."""
    places = body_parts(sentence)
    if not places:
        return None
    part = rng.choice(places)
    chain = sentence.parts[part]
    assert isinstance(chain, Chain)
    signs = [place for place, sign in enumerate(chain.relations) if sign in _CONTRARY]
    if signs and rng.random() < 0.5:
        place = rng.choice(signs)
        relations = (*chain.relations[:place], _CONTRARY[chain.relations[place]], *chain.relations[place + 1 :])
        return with_part(sentence, part, replace(chain, relations=relations))
    place = rng.randrange(len(chain.terms))
    term = slip(rng, chain.terms[place]) or num(rng.choice((-1, 1)))  # there is no slip in 0
    return with_part(sentence, part, replace(chain, terms=(*chain.terms[:place], term, *chain.terms[place + 1 :])))
