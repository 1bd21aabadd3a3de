"""Table of proofs: one row per proof with its verdicts, reviews and labels in separate columns."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean, pstdev
from typing import Any

import pyarrow as pa

from core.grades import HUMAN, combined
from core.records import Analysis, Label, Problem, Proof, Record, Review, Selection

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()

PROOF_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("problem_id", _TEXT), ("problem_name", _TEXT), ("source", _TEXT), ("statement", _TEXT),
    ("proof_id", _TEXT), ("parents", pa.list_(_TEXT)), ("round", _COUNT), ("index", _COUNT),
    ("policy", _TEXT), ("model", _TEXT), ("template", _TEXT), ("seed", _COUNT),
    ("proof", _TEXT), ("self_evaluation", _TEXT), ("reasoning", _TEXT), ("finish_reason", _TEXT),
    ("faults", pa.list_(_TEXT)), ("created", _TEXT),
    ("self_score", _NUMBER),
    ("analyses", _COUNT), ("verdicts", _COUNT), ("mean_verdict", _NUMBER), ("verdict_std", _NUMBER),
    ("perfect_verdicts", _COUNT), ("reviews", _COUNT), ("mean_review", _NUMBER),
    ("selected", pa.bool_()), ("accepted", pa.bool_()),
    ("automatic_mean", _NUMBER), ("auto_label", _NUMBER),
    ("human_score", _NUMBER), ("human_points", _NUMBER), ("human_max_points", _NUMBER),
    ("human_graders", _COUNT), ("human_spread", _NUMBER),
]  # fmt: skip


def proof_rows(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Rows with ``PROOF_COLUMNS`` for the proofs of one problem.

    ``mean_verdict`` is the plain mean over the ``verdicts`` that could be read, whatever reviews say of them; the
    aggregate by which the run decided is in its selection. ``automatic_mean`` is an imported grader's, ``auto_label``
    that of `lemmata label`, ``human_*`` the mean over the latest label of each person, with the number of people and
    the difference of their highest and lowest score; null where there is none.
    """
    problem = next((record for record in records if isinstance(record, Problem)), None)
    selection = next((record for record in records if isinstance(record, Selection)), None)
    analyses, reviews, labels = _by_proof(records)
    for proof in (record for record in records if isinstance(record, Proof)):
        yield {
            **_origin(problem, proof),
            **_verdicts(analyses[proof.id], reviews[proof.id]),
            **_labels(labels[proof.id]),
            "selected": selection is not None and selection.proof_id == proof.id,
            "accepted": selection is not None and selection.proof_id == proof.id and selection.accepted,
        }


def _by_proof(
    records: Sequence[Record],
) -> tuple[dict[str, list[Analysis]], dict[str, list[Review]], dict[str, list[Label]]]:
    analyses: dict[str, list[Analysis]] = defaultdict(list)
    reviews: dict[str, list[Review]] = defaultdict(list)
    labels: dict[str, list[Label]] = defaultdict(list)
    proof_of: dict[str, str] = {}
    for record in records:
        if isinstance(record, Analysis):
            analyses[record.proof_id].append(record)
            proof_of[record.id] = record.proof_id
        elif isinstance(record, Review):
            reviews[proof_of.get(record.analysis_id, "")].append(record)
        elif isinstance(record, Label) and record.analysis_id is None:
            labels[record.proof_id].append(record)
    return analyses, reviews, labels


def _origin(problem: Problem | None, proof: Proof) -> dict[str, Any]:
    same = ("parents", "round", "index", "policy", "model", "template", "seed", "reasoning", "finish_reason",
            "faults", "created", "self_score", "self_evaluation", "problem_id")  # fmt: skip
    return {
        **{name: getattr(proof, name) for name in same},
        "proof_id": proof.id,
        "proof": proof.body,
        "problem_name": problem.name if problem else None,
        "source": problem.source if problem else None,
        "statement": problem.statement if problem else None,
    }


def _verdicts(analyses: Sequence[Analysis], reviews: Sequence[Review]) -> dict[str, Any]:
    scores = [analysis.score for analysis in analyses if analysis.score is not None]
    ratings = [review.score for review in reviews if review.score is not None]
    return {
        "analyses": len(analyses),
        "verdicts": len(scores),
        "mean_verdict": fmean(scores) if scores else None,
        "verdict_std": pstdev(scores) if scores else None,
        "perfect_verdicts": sum(score == 1.0 for score in scores),
        "reviews": len(reviews),
        "mean_review": fmean(ratings) if ratings else None,
    }


def _labels(labels: Sequence[Label]) -> dict[str, Any]:
    latest = {label.grader: label for label in labels}
    automatic, auto = (latest.get(grader) for grader in ("automatic", "auto"))
    human = combined([label for label in labels if label.grader == HUMAN])
    return {
        "automatic_mean": automatic.score if automatic else None,
        "auto_label": auto.score if auto else None,
        "human_score": human.score if human else None,
        "human_points": human.points if human else None,
        "human_max_points": human.max_points if human else None,
        "human_graders": len(human.scores) if human else 0,
        "human_spread": human.spread if human else None,
    }
