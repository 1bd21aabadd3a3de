"""Measurement of a model against the truth: one record for every answer, which `rl.report` turns into estimates.

Nothing is trained on these records, and no training sees their theorems.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from core.questions import about_analysis, about_proof
from core.sections import split_proof
from core.templates import Templates
from lab import check
from lab.analyses import analysis_quality
from lab.theorem import Theorem
from prover.attempt import read_attempt
from rl.judge import Judge
from rl.recipe.chains import NO_ROOM, refine_chains
from rl.task import Answer
from rl.tasks.tables import COORDINATES, Case

Record = dict[str, Any]


def coordinates(theorem: Theorem | None) -> Record:
    """Fields that identify a theorem of the lab in a record, and its left side, by which intervals are clustered."""
    return {} if theorem is None else {name: getattr(theorem, name) for name in (*COORDINATES, "left_side")}


def measure_prover(prover: Judge, templates: Templates, wanted: Sequence[Theorem], samples: int) -> Iterator[Record]:
    """Records of ``samples`` proofs of each theorem: exact score, self-score, and format."""
    groups = _ask(prover, [templates.proof(theorem.statement) for theorem in wanted], samples)
    for theorem, group in zip(wanted, groups, strict=True):
        for answer in group:
            yield {**coordinates(theorem), **proof_record(theorem, answer)}


def measure_verifier(verifier: Judge, templates: Templates, cases: Sequence[Case], count: int) -> Iterator[Record]:
    """Records of ``count`` analyses of each labeled proof: label, score, and exact quality of the analysis."""
    questions = [about_proof(templates, case.statement, case.proof) for case in cases]
    groups = _ask(verifier, [question.prompt for question in questions], count)
    for place, (case, question, group) in enumerate(zip(cases, questions, groups, strict=True)):
        for answer in group:
            quality = None if case.theorem is None else analysis_quality(case.theorem, case.proof, answer.text)
            yield {
                **coordinates(case.theorem),
                "case": place,
                "label": case.label,
                "score": answer.score(question.quoted),
                "quality": quality,
                "tokens": answer.tokens,
            }


def measure_meta_verifier(meta: Judge, templates: Templates, cases: Sequence[Case]) -> Iterator[Record]:
    """Records of one review of each analysis: exact quality, and rating."""
    questions = [about_analysis(templates, case.statement, case.proof, case.analysis) for case in cases]
    groups = _ask(meta, [question.prompt for question in questions], 1)
    for case, question, (answer, *_) in zip(cases, questions, groups, strict=True):
        rating = answer.score(question.quoted)
        yield {**coordinates(case.theorem), "quality": case.quality, "rating": rating, "tokens": answer.tokens}


def measure_refinement(
    model: Judge, templates: Templates, wanted: Sequence[Theorem], chains: int, rounds: int
) -> Iterator[Record]:
    """Records of self-refinement as in `refine.sequential`: ``chains`` of each theorem, of at most ``rounds`` each.

    One record for each chain; of each round the exact score, the self-score, the format and the tokens written.
    """
    wanted = [theorem for theorem in wanted for _ in range(chains)]
    found = refine_chains(model, templates, [theorem.statement for theorem in wanted], rounds)
    for place, (theorem, answers) in enumerate(zip(wanted, found, strict=True)):
        yield {
            **coordinates(theorem),
            "chain": place % chains,
            "rounds": [proof_record(theorem, answer) for answer in answers],
        }


def _ask(judge: Judge, prompts: Sequence[str], count: int) -> list[list[Answer]]:
    """The answers to each prompt; `NO_ROOM` in place of those to a prompt that leaves no room."""
    return [group or [NO_ROOM] * count for group in judge.ask(prompts, count)]


def proof_record(theorem: Theorem, answer: Answer) -> Record:
    """The exact score of a proof, its self-score, its format and its tokens."""
    attempt = read_attempt(answer.text, truncated=answer.truncated)
    return {
        "truth": 0.0 if attempt.body is None else check(theorem, attempt.body).score,
        "self_score": attempt.self_score,
        "format": not split_proof(answer.text).faults and not answer.truncated,
        "tokens": answer.tokens,
    }
