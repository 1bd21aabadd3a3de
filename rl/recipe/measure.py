"""A model measured against the truth: one record for every answer, from which `rl.recipe.figures` makes figures.

Nothing here is learnt from. Theorems are of a split that no training sees.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from core.rubric import Verdict
from core.sections import self_score, split_proof
from core.templates import Templates
from lab import check
from lab.analyses import analysis_quality
from lab.theorem import Theorem
from rl.judge import Judge
from rl.task import Answer
from rl.tasks.tables import COORDINATES, Case

Record = dict[str, Any]


def coordinates(theorem: Theorem | None) -> Record:
    """What names a theorem of the lab in a record."""
    return {} if theorem is None else {name: getattr(theorem, name) for name in COORDINATES}


def measure_prover(prover: Judge, templates: Templates, wanted: Sequence[Theorem], samples: int) -> Iterator[Record]:
    """``samples`` proofs of each theorem: the checker's score, its own score, whether it has the format."""
    groups = _ask(prover, [templates.proof(theorem.statement) for theorem in wanted], samples)
    for theorem, group in zip(wanted, groups, strict=True):
        for answer in group:
            yield {**coordinates(theorem), **_proof_record(theorem, answer)}


def measure_verifier(verifier: Judge, templates: Templates, cases: Sequence[Case], count: int) -> Iterator[Record]:
    """``count`` analyses of each labeled proof: label, score, and the analysis' exact quality."""
    groups = _ask(verifier, [templates.verification(case.statement, case.proof) for case in cases], count)
    for place, (case, group) in enumerate(zip(cases, groups, strict=True)):
        for answer in group:
            quality = None if case.theorem is None else analysis_quality(case.theorem, case.proof, answer.text)
            yield {
                **coordinates(case.theorem),
                "case": place,
                "label": case.label,
                "score": answer.score(case.proof),
                "quality": quality,
                "tokens": answer.tokens,
            }


def measure_meta_verifier(meta: Judge, templates: Templates, cases: Sequence[Case]) -> Iterator[Record]:
    """One review of each analysis: its exact quality, and the rating."""
    prompts = [templates.meta_verification(case.statement, case.proof, case.analysis) for case in cases]
    for case, (answer, *_) in zip(cases, _ask(meta, prompts, 1), strict=True):
        rating = answer.score(f"{case.proof}\n{case.analysis}")
        yield {**coordinates(case.theorem), "quality": case.quality, "rating": rating, "tokens": answer.tokens}


def measure_refinement(
    model: Judge, templates: Templates, wanted: Sequence[Theorem], chains: int, rounds: int
) -> Iterator[Record]:
    """Self-refinement as `refine.sequential` does it: ``chains`` of each theorem until content, ``rounds`` at most.

    One record a chain; of each of its rounds the checker's score, its own, and the tokens written.
    """
    going = [(theorem, chain) for theorem in wanted for chain in range(chains)]
    prompts = {one: templates.proof(one[0].statement) for one in going}
    history: dict[tuple[Theorem, int], list[Answer]] = {one: [] for one in going}
    for number in range(rounds):
        for one, answer in zip(going, _independent(model, [prompts[one] for one in going], number), strict=True):
            history[one].append(answer)
        going = [one for one in going if not _content(history[one][-1])]
        for one in going:
            prompts[one] = _next_prompt(templates, one[0], history[one][-1])
    for (theorem, chain), answers in history.items():
        yield {
            **coordinates(theorem),
            "chain": chain,
            "rounds": [_proof_record(theorem, answer) for answer in answers],
        }


def _ask(judge: Judge, prompts: Sequence[str], count: int) -> list[list[Answer]]:
    """As Judge.ask; where a prompt leaves no room, the answers that there could be none of count as cut off."""
    return [group or [Answer("", truncated=True)] * count for group in judge.ask(prompts, count)]


def _next_prompt(templates: Templates, theorem: Theorem, latest: Answer) -> str:
    sections = split_proof(latest.text)
    if latest.truncated or not sections.body:
        return templates.proof(theorem.statement)
    critiques = [sections.self_evaluation] if sections.self_evaluation else []
    return templates.refinement(theorem.statement, [(sections.body, critiques)])


def _content(answer: Answer) -> bool:
    sections = split_proof(answer.text)
    verdict = self_score(sections)
    perfect = isinstance(verdict, Verdict) and verdict.score == 1.0
    return perfect and sections.body is not None and not answer.truncated


def _independent(model: Judge, prompts: Sequence[str], draw: int) -> list[Answer]:
    """One answer to each prompt, independent ones where prompts are equal."""
    times = Counter(prompts)
    left: dict[str, list[Answer]] = {}
    for count in sorted(set(times.values())):
        distinct = [prompt for prompt, number in times.items() if number == count]
        left |= dict(zip(distinct, model.ask(distinct, count, draw), strict=True))
    return [left[prompt].pop(0) if left[prompt] else Answer("", truncated=True) for prompt in prompts]


def _proof_record(theorem: Theorem, answer: Answer) -> Record:
    sections = split_proof(answer.text)
    verdict = self_score(sections)
    body = None if answer.truncated else sections.body
    return {
        "truth": 0.0 if body is None else check(theorem, body).score,
        "self_score": verdict.score if isinstance(verdict, Verdict) and not answer.truncated else None,
        "format": not sections.faults and not answer.truncated,
        "tokens": answer.tokens,
    }
