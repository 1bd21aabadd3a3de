"""Synthetic search run: lab theorems with planted proofs, analyses and reviews, and the scores in these texts.

A problem has 4 rounds of 5 proofs, each with 12 analyses and a review of each. Proofs of later rounds refine the best
earlier one by its lowest analysis. The lab writes the texts, no model is called: the explorer's tests and benchmarks
show such runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

from core.ids import digest
from core.problems import problem_id
from core.records import Analysis, Problem, Proof, Record, Review, Selection, Usage
from core.rubric import Verdict, parse_verdict
from core.store import Run, now
from lab.analyses import analysis_quality
from lab.answers import write_answer
from lab.faulty import labeled_analysis
from lab.generator import families, generate
from lab.planter import labeled_proof
from lab.reviews import write_review
from lab.theorem import Theorem

ROUNDS, PROOFS, ANALYSES = 4, 5, 12
DRAWS = 8  # different proofs of a theorem
LEVELS = (1, 2, 3)
ACCEPTANCE = {
    "rule": "unanimous", "min_verdicts": 1, "min_readable": 0.0, "min_perfect": 1.0, "min_mean": 1.0,
    "use_reviews": "ignore", "confirm_at": 1.0,
}  # fmt: skip


def write_run(folder: Path, problems: int) -> int:
    """Writes a run and returns its number of records."""
    total = 0
    config = {"policy": {"model": "lab"}, "prompts": "lab", "seed": 0, "judge": {"acceptance": ACCEPTANCE}}
    with Run.start(folder, "refine", config) as run:
        for number, theorem in islice(theorems(), problems):
            problem, records = problem_of(theorem, number), list(searched(theorem, number))
            with closing(run.log(problem)) as log:
                log.append(records)
            total += 1 + len(records)
    return total


def theorems() -> Iterator[tuple[int, Theorem]]:
    """Yields numbered theorems with distinct statements, families and levels in turn."""
    seen = set()
    for number in count():
        theorem = generate(families()[number % len(families())], LEVELS[number % len(LEVELS)], number, "train")
        if theorem.statement not in seen:
            seen.add(theorem.statement)
            yield number, theorem


def problem_of(theorem: Theorem, number: int) -> Problem:
    """The theorem as a problem."""
    name = f"{theorem.family}-{number:03d}"
    return Problem(
        id=problem_id(theorem.statement), statement=theorem.statement, name=name, source=f"level {theorem.level}"
    )


def searched(theorem: Theorem, number: int) -> Iterator[Record]:
    """Yields the records of a search: rounds of proofs, their analyses and reviews, and the selection."""
    rng = Random(f"explorer run {number}")
    name = problem_id(theorem.statement)
    best: tuple[float, Proof, Analysis] | None = None
    for round_number in range(ROUNDS):
        found: list[tuple[float, Proof, Analysis]] = []
        for index in range(PROOFS):
            parents = (best[1].id, best[2].id) if best else ()
            proof, analyses, reviews = judged(theorem, rng, name, round_number, index, parents)
            yield from (proof, *analyses, *reviews)
            found.append(
                (mean(analyses), proof, min(analyses, key=lambda one: one.score if one.score is not None else 2.0))
            )
        best = max([*([best] if best else []), *found], key=lambda entry: entry[0])
    assert best is not None
    yield Selection(
        id=digest("selection", name), problem_id=name, proof_id=best[1].id, rule="mean", accepted=best[0] == 1.0,
        mean_score=best[0], verdicts=ANALYSES, self_score=best[1].self_score, rounds=ROUNDS,
        reason=f"best of {ROUNDS * PROOFS} proofs by mean", created=now(),
    )  # fmt: skip


def mean(analyses: Sequence[Analysis]) -> float:
    """Mean verdict; 0 without any."""
    scores = [analysis.score for analysis in analyses if analysis.score is not None]
    return sum(scores) / len(scores) if scores else 0.0


def judged(
    theorem: Theorem, rng: Random, name: str, round_number: int, index: int, parents: tuple[str, ...]
) -> tuple[Proof, list[Analysis], list[Review]]:
    """A proof with its analyses and their reviews."""
    draw = rng.randrange(DRAWS)
    body = labeled_proof(theorem, draw, (3 - min(round_number, 2), 1, 1 + round_number)).text
    answer = write_answer(theorem, body, seed=draw)
    score = parse_verdict(answer, quoted=body)
    proof = Proof(
        **common(name, "proof", rng, round_number, index, parents, answer),
        self_score=score.score if isinstance(score, Verdict) else None,
    )
    analyses, reviews = [], []
    for number in range(ANALYSES):
        text = labeled_analysis(theorem, body, number % 4).text
        verdict = parse_verdict(text, quoted=body)
        verdict_score = verdict.score if isinstance(verdict, Verdict) else None
        analysis = Analysis(
            **common(name, "analysis", rng, round_number, number, (proof.id,), text),
            proof_id=proof.id,
            score=verdict_score,
            fault=None if isinstance(verdict, Verdict) else verdict.reason,
        )
        analyses.append(analysis)
        reviews.append(
            Review(
                **common(
                    name, "review", rng, round_number, 0, (analysis.id,), write_review(theorem, body, text, number)
                ),
                analysis_id=analysis.id,
                score=analysis_quality(theorem, body, text),
            )
        )
    return proof, analyses, reviews


def common(
    name: str, kind: str, rng: Random, round_number: int, index: int, parents: tuple[str, ...], text: str
) -> dict[str, Any]:
    """Fields of every generated record."""
    identity = digest(kind, name, parents, round_number, index, rng.random())
    return {
        "id": identity, "problem_id": name, "parents": parents, "round": round_number, "index": index, "policy": "lab",
        "model": "lab", "template": f"{kind}@lab", "prompt": "", "seed": 0, "text": text, "finish_reason": "stop",
        "usage": Usage(400, 0, len(text) // 3), "request": identity, "seconds": 0.1, "created": now(),
    }  # fmt: skip
