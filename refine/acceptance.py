"""Acceptance of a proof by a named rule over its distinct verdicts, and the same decision for a recorded proof.

| rule | a proof is accepted when |
|---|---|
| unanimous | every verdict that counts is 1 |
| quorum | enough analyses have a readable verdict, and enough of the verdicts that count are 1 |
| mean | the mean of the verdicts that count is high enough |
| pessimistic-progressive | every verdict is 1; judges are asked one after another, until one reports an issue |
| weighted | the mean is high enough where each verdict weighs the mean of its reviews |

Each needs `min_verdicts` verdicts that count: identical analyses count once, and those without a verdict do not.
Pessimistic verification: Huang et al., arXiv 2511.21522. Pure functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.config import STRICT, Positive, Share, read_config, settings
from core.document import counted as number_of
from core.records import Analysis, Record, Review
from verifier.aggregate import AggregateConfig, Counted, Excluded, Judged, judged, sift

Rule = Literal["unanimous", "quorum", "mean", "pessimistic-progressive", "weighted"]
PROGRESSIVE = "pessimistic-progressive"
NOT_JUDGED = "not judged: outside what this model was trained on"
OUTSIDE = "outside the domain"  # in place of a rule of selection: nothing was asked
_ROUNDING = 1e-9  # 0.7 * 10 is above 7


@settings(frozen=True, kw_only=True, config=STRICT)
class AcceptanceConfig(AggregateConfig):
    """``rule``: which one accepts a proof. ``min_verdicts``: verdicts that count, needed by every rule.

    Of the rule quorum: ``min_readable``, the least share of the analyses that have a readable verdict, and
    ``min_perfect``, the least share of the counted verdicts that are 1. Of mean and weighted: ``min_mean``.
    """

    rule: Rule
    min_verdicts: Positive
    min_readable: Share
    min_perfect: Share
    min_mean: Share


@dataclass(frozen=True, slots=True)
class Decision:
    """Acceptance of one proof: the rule, the verdicts that counted, those that did not and why, and the result.

    ``judged`` is False where there is no analysis: then no rule was applied.
    """

    config: AcceptanceConfig
    counted: tuple[Counted, ...]
    excluded: tuple[Excluded, ...]
    accepted: bool
    reason: str

    @property
    def judged(self) -> bool:
        """True where the proof has analyses, readable or not."""
        return bool(self.counted or self.excluded)

    @property
    def mean(self) -> float | None:
        """Mean of the counted verdicts, by their weights; None without any."""
        total = sum(one.weight for one in self.counted)
        return sum(one.weight * one.score for one in self.counted) / total if self.counted else None


def not_judged(config: AcceptanceConfig, reason: str) -> Decision:
    """The decision about a proof that no judge was asked about."""
    return Decision(config, (), (), False, f"{NOT_JUDGED}: {reason}")


def decide(analyses: Sequence[Judged], config: AcceptanceConfig) -> Decision:
    """The decision about a proof with these ``analyses``, in the order in which they were asked for."""
    weighing = replace(config, use_reviews="weight") if config.rule == "weighted" else config
    counted, excluded = sift(analyses, weighing)
    decision = Decision(config, tuple(counted), tuple(excluded), False, "no verifier judged it")
    if not decision.judged:
        return decision
    shortfall = _shortfall(decision)
    return replace(
        decision,
        accepted=shortfall is None,
        reason=f"accepted by {config.rule}: {_grounds(decision)}"
        if shortfall is None
        else f"not accepted by {config.rule}: {shortfall}",
    )


def recorded_decision(config: Mapping[str, Any], proof_id: str, records: Iterable[Record]) -> Decision | None:
    """The decision about a recorded proof by the rule of its run; None where the run has no rule (an import).

    Args:
        config: the settings of the run, ``run.manifest["config"]``.
        proof_id: the proof.
        records: the records of its problem; those about other proofs are left out.

    Raises:
        LemmataError: the settings of the rule cannot be read.
    """
    rule = recorded_rule(config)
    return None if rule is None else decide(recorded_verdicts(proof_id, records), rule)


def recorded_rule(config: Mapping[str, Any]) -> AcceptanceConfig | None:
    """The rule in the settings of a run; None where its command judges nothing.

    Raises:
        LemmataError: its settings cannot be read.
    """
    judge = config.get("judge")
    if not isinstance(judge, Mapping):
        return None
    return read_config(AcceptanceConfig, judge.get("acceptance"), "judge.acceptance")


def recorded_verdicts(proof_id: str, records: Iterable[Record]) -> list[Judged]:
    """The analyses of a recorded proof, in the order of their indices, with the scores of their reviews."""
    analyses: list[Analysis] = []
    reviews: dict[str, list[Review]] = {}
    for record in records:
        if isinstance(record, Analysis) and record.proof_id == proof_id:
            analyses.append(record)
        elif isinstance(record, Review):
            reviews.setdefault(record.analysis_id, []).append(record)
    analyses.sort(key=lambda analysis: analysis.index)
    return [
        judged(analysis, [review.score for review in sorted(reviews.get(analysis.id, ()), key=lambda one: one.index)])
        for analysis in analyses
    ]


def _shortfall(decision: Decision) -> str | None:
    """The condition of the rule that is not met, in words; None where all are."""
    config, verdicts = decision.config, len(decision.counted)
    if verdicts < config.min_verdicts:
        needed = f"{config.min_verdicts} {_are(config.min_verdicts)} needed"
        return f"{number_of(verdicts, 'distinct verdict')} {'counts' if verdicts == 1 else 'count'}, {needed}"
    if config.rule in ("mean", "weighted"):
        mean = decision.mean or 0.0
        return f"mean {mean:.3g} is below {config.min_mean:g}" if mean < config.min_mean - _ROUNDING else None
    below = sum(one.score < 1.0 for one in decision.counted)
    if config.rule == "quorum":
        asked = verdicts + len(decision.excluded)
        readable = asked - sum(one.exclusion == "unparseable" for one in decision.excluded)
        if readable < config.min_readable * asked - _ROUNDING:
            return (
                f"{readable} of {number_of(asked, 'verdict')} can be read, a share of {config.min_readable:g} is needed"
            )
        if verdicts - below >= config.min_perfect * verdicts - _ROUNDING:
            return None
    return f"{below} of {number_of(verdicts, 'verdict')} {_are(below)} below 1" if below else None


def _grounds(decision: Decision) -> str:
    """The verdicts that an acceptance rests on."""
    verdicts = len(decision.counted)
    perfect = sum(one.score == 1.0 for one in decision.counted)
    if decision.config.rule in ("mean", "weighted"):
        return f"mean {decision.mean:.3g} of {number_of(verdicts, 'distinct verdict')}"
    if perfect < verdicts:
        return f"{perfect} of {number_of(verdicts, 'distinct verdict')} are 1"
    return "the only distinct verdict is 1" if verdicts == 1 else f"all {verdicts} distinct verdicts are 1"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
