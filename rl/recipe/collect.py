"""Rows of the recipe's tables, gathered from models: proofs, analyses, reviews.

The seed of every answer follows from its prompt, so that a repeated step gives the same table.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from core.questions import about_analysis, about_proof
from core.templates import Templates
from lab import check
from lab.analyses import analysis_quality
from lab.items import Stream
from lab.theorem import Theorem
from prover.attempt import read_attempt
from refine.transitions import needs_review
from rl.judge import Judge
from rl.tasks.tables import Case


@dataclass(frozen=True, slots=True)
class Examined:
    """An analysis of a case with its score and those of its reviews; None for an unparseable one."""

    text: str
    score: float | None
    reviews: tuple[float | None, ...] = ()


def theorems(stream: Stream, count: int) -> list[Theorem]:
    """The first ``count`` theorems of a stream."""
    return [stream.item(number).theorem for number in range(count)]


def prove(prover: Judge, templates: Templates, wanted: Sequence[Theorem], samples: int) -> list[Case]:
    """``samples`` proofs of each theorem, as `prove_problems`."""
    return prove_problems(prover, templates, [Case(one.statement, "", theorem=one) for one in wanted], samples)


def prove_problems(prover: Judge, templates: Templates, problems: Sequence[Case], samples: int) -> list[Case]:
    """``samples`` proofs of each problem, without labels; duplicates and answers without a proof are left out.

    Each statement is proved once, although several theorems of a small level may have the same one.
    """
    first: dict[str, Case] = {}
    for problem in problems:
        first.setdefault(problem.statement, problem)
    wanted = list(first.values())
    answers = prover.ask([templates.proof(problem.statement) for problem in wanted], samples)
    return [
        replace(problem, proof=body)
        for problem, group in zip(wanted, answers, strict=True)
        for body in dict.fromkeys(read_attempt(answer.text, truncated=answer.truncated).body for answer in group)
        if body
    ]


def label_exactly(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases with the checker's score of each proof as its label; None where the problem is not the lab's."""
    for case in cases:
        yield replace(case, label=None if case.theorem is None else check(case.theorem, case.proof).score)


def balanced(cases: Sequence[Case], value: Callable[[Case], float | None], seed: str) -> list[Case]:
    """Cases of which at most half have one label: the majority label is downsampled to the number of all others.

    The order is kept. Nearly all proofs of an early prover are wrong, and a verifier that is trained on them alone
    learns to always score 0.
    """
    counts = Counter(value(case) for case in cases)
    common = max(counts, key=lambda label: counts[label], default=None)
    others = len(cases) - counts[common]
    if not others or counts[common] <= others:
        return list(cases)
    places = [place for place, case in enumerate(cases) if value(case) == common]
    kept = set(Random(seed).sample(places, others))
    return [case for place, case in enumerate(cases) if value(case) != common or place in kept]


def analyze(verifier: Judge, templates: Templates, cases: Sequence[Case], count: int) -> list[list[Examined]]:
    """``count`` analyses of each proof; truncated ones have no score."""
    questions = [about_proof(templates, case.statement, case.proof) for case in cases]
    answers = verifier.ask([question.prompt for question in questions], count)
    return [
        [Examined(answer.text, answer.score(question.quoted)) for answer in group]
        for question, group in zip(questions, answers, strict=True)
    ]


def review(
    meta: Judge, templates: Templates, cases: Sequence[Case], analyses: Sequence[Sequence[Examined]], count: int
) -> list[list[Examined]]:
    """The analyses, with ``count`` reviews of each that reports an issue."""
    questions = {
        (place, one.text): about_analysis(templates, case.statement, case.proof, one.text)
        for place, (case, group) in enumerate(zip(cases, analyses, strict=True))
        for one in group
        if needs_review(one.score)
    }
    answers = meta.ask([question.prompt for question in questions.values()], count)
    scores = {
        key: tuple(answer.score(question.quoted) for answer in group)
        for (key, question), group in zip(questions.items(), answers, strict=True)
    }
    return [
        [replace(one, reviews=scores[place, one.text]) if needs_review(one.score) else one for one in group]
        for place, group in enumerate(analyses)
    ]


def with_analyses(cases: Sequence[Case], analyses: Sequence[Sequence[Examined]]) -> Iterator[Case]:
    """One case for each distinct analysis that has a score, with its exact quality where the problem is the lab's."""
    for case, group in zip(cases, analyses, strict=True):
        for text in dict.fromkeys(one.text for one in group if one.score is not None):
            exact = None if case.theorem is None else analysis_quality(case.theorem, case.proof, text)
            yield replace(case, analysis=text, quality=exact)
