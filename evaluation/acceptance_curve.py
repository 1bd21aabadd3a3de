"""Errors of acceptance: shares of incorrect proofs accepted and correct proofs rejected, by rule and by panel size."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from core.config import read_config
from core.statistics import Estimate, IntervalConfig, Observation, mean, share
from evaluation.graded_proofs import GradedProof
from evaluation.graders import VERIFIER, kind_of, order
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
    """Errors of one way to accept: ``false_accepts`` of the incorrect proofs, ``false_rejects`` of the correct ones.

    ``verifier``: the model whose verdicts they are.
    """

    verifier: str
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
    """Error rates of every rule on all analyses of each proof, each verifier's model apart."""
    return [one for known in _by_verifier(entries, gold) for one in _rates_by_rule(known, gold, config)]


def _rates_by_rule(known: Sequence[GradedProof], gold: str, config: IntervalConfig) -> list[ErrorRates]:
    found = []
    for rule in RULES:
        settings = read_config(AcceptanceConfig, DEFAULTS | {"rule": rule}, "acceptance")
        accepted = [(entry, float(decide(entry.judged, settings).accepted)) for entry in known]
        found.append(_rates(rule, max((len(entry.judged) for entry in known), default=0), accepted, gold, config))
    return found


def unanimous_curve(entries: Sequence[GradedProof], gold: str, config: IntervalConfig) -> list[ErrorRates]:
    """Error rates of unanimous panels of 1, 2, ... of the verdicts of each proof, each verifier's model apart.

    The chance that all of n verdicts drawn from a proof's k perfect among m readable ones are perfect is
    C(k, n) / C(m, n). Only proofs with the most verdicts that at least half of the proofs have are used, the same for
    every size.
    """
    return [one for known in _by_verifier(entries, gold) for one in _curve(known, gold, config)]


def _curve(entries: Sequence[GradedProof], gold: str, config: IntervalConfig) -> list[ErrorRates]:
    known = [(entry, verdicts(entry.judged)) for entry in entries]
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


def _by_verifier(entries: Sequence[GradedProof], gold: str) -> list[list[GradedProof]]:
    """The proofs that a verifier judged and the better grader scored, by the verifier's model."""
    found: dict[str, list[GradedProof]] = defaultdict(list)
    for entry in entries:
        grade = entry.grades.get(gold)
        if entry.judged and grade is not None and grade.score is not None:
            found[_verifier(entry)].append(entry)
    return [found[name] for name in sorted(found)]


def _verifier(entry: GradedProof) -> str:
    grade = entry.grades.get(VERIFIER)
    return (grade.author if grade else "") or "not stated"


def _sizes(most: int) -> list[int]:
    """All sizes up to ``most``, or powers of two where these are too many."""
    if most <= MAX_SIZES:
        return list(range(1, most + 1))
    return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]


def _rates(
    name: str, size: int, accepted: Sequence[tuple[GradedProof, float]], gold: str, config: IntervalConfig
) -> ErrorRates:
    wrong = [Observation(entry.cluster, chance) for entry, chance in accepted if not _correct(entry, gold)]
    right = [Observation(entry.cluster, 1 - chance) for entry, chance in accepted if _correct(entry, gold)]
    verifier = _verifier(accepted[0][0]) if accepted else ""
    return ErrorRates(verifier, name, size, len(wrong), len(right), _share(wrong, config), _share(right, config))


def _share(observed: Sequence[Observation], config: IntervalConfig) -> Estimate:
    binary = all(one.value in (0.0, 1.0) for one in observed)
    return share(observed, config=config) if binary else mean(observed, config=config)


def _correct(entry: GradedProof, gold: str) -> bool:
    score = entry.grades[gold].score
    return score is not None and score >= 1.0
