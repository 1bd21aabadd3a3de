"""Errors of acceptance: shares of incorrect proofs accepted and correct proofs rejected, by rule and by panel size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

from core.config import read_config
from core.statistics import Estimate, IntervalConfig, Observation, mean, share
from evaluation.graded_proofs import GradedProof
from evaluation.graders import kind_of, order
from refine.acceptance import AcceptanceConfig, Rule, decide
from verifier.aggregate import Judged

# The better grader that says which proofs are correct: the first of these kinds that there is.
GOLD = ("exact", "human", "answer", "panel", "judge")
RULES: tuple[Rule, ...] = ("unanimous", "quorum", "mean", "pessimistic-progressive", "weighted")
MAX_SIZES = 12  # panel sizes of the curve
# For runs that state no rule: one distinct verdict is enough, so that only the rule decides.
DEFAULTS = {"rule": "unanimous", "min_verdicts": 1, "min_readable": 0.75, "min_perfect": 0.75, "min_mean": 0.9,
            "use_reviews": "filter", "confirm_at": 1.0}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Errors of one way to accept: ``false_accepts`` of the incorrect proofs, ``false_rejects`` of the correct ones."""

    name: str
    size: int
    incorrect: int
    correct: int
    false_accepts: Estimate
    false_rejects: Estimate


def gold_grader(entries: Sequence[GradedProof]) -> str | None:
    """The most trusted grader of proofs that a verifier judged, too; None without any."""
    names = {name for entry in entries if entry.judged for name in entry.grades if kind_of(name) in GOLD}
    return min(names, key=lambda name: (GOLD.index(kind_of(name)), order(name)), default=None)


def rates_by_rule(entries: Sequence[GradedProof], gold: str, config: IntervalConfig) -> list[ErrorRates]:
    """Error rates of every rule on all analyses of each proof."""
    known = list(_known(entries, gold))
    found = []
    for rule in RULES:
        settings = read_config(AcceptanceConfig, DEFAULTS | {"rule": rule}, "acceptance")
        accepted = [(entry, float(decide(entry.judged, settings).accepted)) for entry in known]
        found.append(_rates(rule, max((len(entry.judged) for entry in known), default=0), accepted, gold, config))
    return found


def unanimous_curve(entries: Sequence[GradedProof], gold: str, config: IntervalConfig) -> list[ErrorRates]:
    """Error rates of unanimous panels of 1, 2, ... of the verdicts of each proof.

    The chance that all of n verdicts drawn from a proof's k perfect among m readable ones are perfect is
    C(k, n) / C(m, n). Only proofs with the most verdicts that at least half of the proofs have are used, the same for
    every size.
    """
    known = [(entry, verdicts(entry.judged)) for entry in _known(entries, gold)]
    sizes = sorted((len(scores) for _, scores in known if scores), reverse=True)
    if not sizes:
        return []
    most = sizes[len(sizes) // 2]
    enough = [(entry, scores) for entry, scores in known if len(scores) >= most]
    found = []
    for size in _sizes(most):
        chances = [
            (entry, comb(sum(score == 1.0 for score in scores), size) / comb(len(scores), size))
            for entry, scores in enough
        ]
        found.append(_rates("unanimous", size, chances, gold, config))
    return found


def verdicts(judged: Sequence[Judged]) -> list[float]:
    """Scores of the readable analyses of one proof."""
    return [each.score for each in judged if each.score is not None]


def _known(entries: Sequence[GradedProof], gold: str) -> Iterator[GradedProof]:
    for entry in entries:
        grade = entry.grades.get(gold)
        if entry.judged and grade is not None and grade.score is not None:
            yield entry


def _sizes(most: int) -> list[int]:
    """All sizes up to ``most``, or powers of two where these are too many."""
    if most <= MAX_SIZES:
        return list(range(1, most + 1))
    return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]


def _rates(
    name: str, size: int, accepted: Sequence[tuple[GradedProof, float]], gold: str, config: IntervalConfig
) -> ErrorRates:
    wrong = [Observation(entry.problem_id, chance) for entry, chance in accepted if not _correct(entry, gold)]
    right = [Observation(entry.problem_id, 1 - chance) for entry, chance in accepted if _correct(entry, gold)]
    return ErrorRates(name, size, len(wrong), len(right), _share(wrong, config), _share(right, config))


def _share(observed: Sequence[Observation], config: IntervalConfig) -> Estimate:
    binary = all(one.value in (0.0, 1.0) for one in observed)
    return share(observed, config=config) if binary else mean(observed, config=config)


def _correct(entry: GradedProof, gold: str) -> bool:
    score = entry.grades[gold].score
    return score is not None and score >= 1.0
