"""Drills in judging: the few lines of a proof that take calculating or comparing, wrong about as often as right.

They are sums, products to be multiplied out, the last relation and the verdict.

In whole proofs nearly every line is right, so that one who judges them does well to copy what stands there instead of
working it out. Here that fails half of the time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

from lab.analyses import judged_lines
from lab.checker import check
from lab.complaints import END, complaint_of
from lab.defects import Kind
from lab.expressions import holds_sum, holds_variable, is_numeral, num, signed_terms
from lab.moves import interpret
from lab.planting.edits import Sentences, slip, with_part
from lab.sentences import Chain, Derivation, Part, Sentence, say
from lab.theorem import Theorem
from lab.walkthrough import items
from lab.writer import closing, is_written_sum

_JUDGED = {Kind.INVALID_STEP, Kind.WRONG_CONCLUSION, Kind.MISSING_CASE}
_COMPARED = {"<", "<=", ">", ">="}


class Drill(NamedTuple):
    """Lines of a proof, and each of them judged as in an analysis."""

    lines: str
    judged: str


def drill(theorem: Theorem, seed: int) -> Drill:
    """The lines of a theorem's derivation that take calculating or comparing, about half of them changed."""
    rng = Random(f"drill {theorem.id} {seed}")
    lines = Derivation(tuple(_lines(rng, theorem))).text
    defects = [defect for defect in check(theorem, lines).defects if defect.kind in _JUDGED]
    complaints = [complaint_of(lines, defect) for defect in defects]
    shown = [complaint for complaint in complaints if complaint.line != END]  # what a drill leaves out is not missing
    return Drill(lines, "\n".join(judged_lines(rng, items(theorem, lines), shown)))


def _lines(rng: Random, theorem: Theorem) -> Iterator[Sentence]:
    """A changed relation is the last line: a verdict would not be about what is shown."""
    sentences = theorem.steps.sentences
    equation = None
    for sentence in sentences:
        slipped = rng.random() < 0.5
        if is_written_sum(sentence):
            yield _slipped(rng, sentence) if slipped else sentence
        elif place := _product(sentence):
            if equation:  # that the product is to be equal to
                yield equation
            yield _with_slip(rng, sentence, *place) if slipped else sentence
            equation = None
        else:
            equation = sentence
    shown = _shown(sentences)
    if _bounds(shown.chains[-1]) and rng.random() < 0.5:
        yield _slipped(rng, shown)
    else:
        yield shown
        yield closing(rng, theorem.truth == (rng.random() < 0.5))


def _bounds(chain: Chain) -> bool:
    """Whether this is an inequality with a number on its right."""
    return not _COMPARED.isdisjoint(chain.relations[-1:]) and is_numeral(chain.terms[-1])


def _shown(sentences: Sentences) -> Sentence:
    """The last relations before the verdict, at the point that they are about."""
    for sentence in reversed(sentences):
        reading = interpret(sentence)
        body = [chain for chain in reading.body if chain.relations] if reading else []
        if reading and body and not reading.heads and all(len(chain.relations) == 1 for chain in body):
            return sentence
        if reading and body:
            ends = [replace(chain, terms=chain.terms[-2:], relations=chain.relations[-1:], lead="") for chain in body]
            numbers = not any(map(holds_variable, (chain.terms[0] for chain in ends)))
            opening = ["for", *_joined(reading.heads), ":"] if reading.heads and not numbers else ["hence"]
            return say(*opening, *_joined(ends))
    raise ValueError("a derivation without a relation")


def _joined(chains: Sequence[Chain]) -> list[Part]:
    return [part for chain in chains for part in ("and", chain)][1:]


def _product(sentence: Sentence) -> tuple[int, int] | None:
    """The part and its term, of equations, with something to be multiplied out; the last such."""
    found = [
        (part, place)
        for part, chain in _chains(sentence)
        for place, term in enumerate(chain.terms)
        if "=" in chain.relations and any(map(holds_sum, signed_terms(term)))
    ]
    return found[-1] if found else None


def _slipped(rng: Random, sentence: Sentence) -> Sentence:
    """With another number at the end."""
    place, chain = _chains(sentence)[-1]
    return _with_slip(rng, sentence, place, len(chain.terms) - 1)


def _with_slip(rng: Random, sentence: Sentence, part: int, place: int) -> Sentence:
    chain = sentence.parts[part]
    assert isinstance(chain, Chain)
    changed = slip(rng, chain.terms[place]) or num(rng.choice((-1, 1)))  # there is no slip in 0
    terms = (*chain.terms[:place], changed, *chain.terms[place + 1 :])
    return with_part(sentence, part, replace(chain, terms=terms))


def _chains(sentence: Sentence) -> list[tuple[int, Chain]]:
    return [(place, part) for place, part in enumerate(sentence.parts) if isinstance(part, Chain)]
