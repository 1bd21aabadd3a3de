"""The final answer of a problem by a named rule, with the reason in words. Pure functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from refine.assess import Assessed
from verifier.aggregate import AggregateConfig, is_accepted

Key = tuple[float, ...]
Rule = Literal["mean", "lower_bound", "self_score", "last"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen proof (None when no answer holds a proof), whether it is accepted, and why."""

    chosen: Assessed | None
    accepted: bool
    reason: str


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


def _by_mean(entry: Assessed) -> Key:
    return (_number(entry.tally.mean), _number(entry.self_score), entry.tally.verdicts)


def _by_lower_bound(entry: Assessed) -> Key:
    """Lower end of the 95 % Wilson interval of the mean, so that 1.0 of 2 verdicts does not beat 0.98 of 64."""
    mean, n = entry.tally.mean, entry.tally.verdicts
    if mean is None or not n:
        return (-1.0, _number(entry.self_score))
    z = 1.96
    center = mean + z * z / (2 * n)
    margin = z * sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return ((center - margin) / (1 + z * z / n), _number(entry.self_score))


def _by_self_score(entry: Assessed) -> Key:
    return (_number(entry.self_score), _number(entry.tally.mean), entry.tally.verdicts)


def _by_round(entry: Assessed) -> Key:
    return (entry.round, *_by_mean(entry))


RULES: dict[Rule, Callable[[Assessed], Key]] = {
    "mean": _by_mean,
    "lower_bound": _by_lower_bound,
    "self_score": _by_self_score,
    "last": _by_round,
}


def select(pool: Sequence[Assessed], rule: Rule, config: AggregateConfig) -> Choice:
    """Choose by the rule; the earliest proof wins a tie."""
    candidates = [entry for entry in pool if entry.text_digest is not None]
    if not candidates:
        return Choice(None, False, f"none of {len(pool)} answers holds a proof: {_common_fault(pool)}")
    chosen = max(candidates, key=RULES[rule])
    accepted = is_accepted(chosen.tally, config)
    return Choice(chosen, accepted, f"{_why(chosen, candidates, rule)}; {_verdict(chosen, accepted, config)}")


def _why(chosen: Assessed, candidates: Sequence[Assessed], rule: Rule) -> str:
    ties = sum(RULES[rule](entry) == RULES[rule](chosen) for entry in candidates) - 1
    tied = f", first of {ties + 1} equals" if ties else ""
    return f"best of {len(candidates)} proofs by {rule}{tied}: {describe(chosen)}"


def _verdict(chosen: Assessed, accepted: bool, config: AggregateConfig) -> str:
    if accepted:
        return f"accepted: all {chosen.tally.verdicts} valid verdicts are 1"
    if chosen.tally.verdicts < config.min_verdicts:
        return f"not accepted: {chosen.tally.verdicts} valid verdicts, {config.min_verdicts} are needed"
    below = chosen.tally.verdicts - chosen.tally.perfect
    return f"not accepted: {below} of {chosen.tally.verdicts} valid verdicts are below 1"


def describe(entry: Assessed) -> str:
    """The figures of one proof in words."""
    result = entry.tally
    mean = (
        "no verdict"
        if result.mean is None
        else f"mean {result.mean:.3g} of {result.verdicts} verdicts, std {result.std:.2g}"
    )
    own = "no self-score" if entry.self_score is None else f"self-score {entry.self_score:g}"
    left_out = [
        f"{count} {name}" for count, name in ((result.unparseable, "unparseable"), (result.refuted, "refuted")) if count
    ]
    return ", ".join([mean, *left_out, own, f"round {entry.round}"])


def _common_fault(pool: Sequence[Assessed]) -> str:
    faults = [fault for entry in pool for fault in entry.faults]
    if not faults:
        return "no answers came"
    most = max(sorted(set(faults)), key=faults.count)
    return f"{most} ({faults.count(most)} of {len(pool)})"
