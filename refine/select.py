"""Selection of the final answer by a named rule, with the reason in words. Pure functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.document import counted
from core.statistics import wilson
from refine.assess import Assessed

Key = tuple[float, ...]
Rule = Literal["mean", "lower_bound", "self_score", "last", "pairwise"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen proof (None when no answer holds a proof), whether it is accepted, and why."""

    chosen: Assessed | None
    accepted: bool
    reason: str


def _number(value: float | None) -> float:
    return -1.0 if value is None else value


def by_mean(entry: Assessed) -> Key:
    """An accepted proof first, since a search ends with it."""
    return (entry.decision.accepted, _number(entry.tally.mean), _number(entry.self_score), entry.tally.verdicts)


def _by_lower_bound(entry: Assessed) -> Key:
    """An accepted proof first; then the lower end of the 95 % Wilson interval of the mean.

    By it a mean of 1 over 2 verdicts does not beat 0.98 over 64.
    """
    mean, n = entry.tally.mean, entry.tally.verdicts
    bound = wilson(mean * n, n)[0] if mean is not None and n else -1.0
    return (entry.decision.accepted, bound, _number(entry.self_score))


def _by_self_score(entry: Assessed) -> Key:
    return (_number(entry.self_score), _number(entry.tally.mean), entry.tally.verdicts)


def _by_round(entry: Assessed) -> Key:
    return (entry.round, *by_mean(entry))


RULES: dict[Rule, Callable[[Assessed], Key]] = {
    "mean": by_mean,
    "lower_bound": _by_lower_bound,
    "self_score": _by_self_score,
    "last": _by_round,
    "pairwise": by_mean,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Results of one proof against other ones: pairs won, lost, and undecided."""

    won: int = 0
    lost: int = 0
    undecided: int = 0

    @property
    def margin(self) -> int:
        """Pairs won minus pairs lost."""
        return self.won - self.lost


def select(pool: Sequence[Assessed], rule: Rule, standings: Mapping[str, Standing] | None = None) -> Choice:
    """The best proof of ``pool`` by ``rule``; the earliest wins a tie.

    ``standings`` of the rule pairwise, by proof: the compared proofs with the largest margin, of these the best by
    mean.
    """
    candidates = [entry for entry in pool if entry.text_digest is not None]
    if not candidates:
        return Choice(None, False, f"no proof in {counted(len(pool), 'answer')}: {_common_fault(pool)}")
    known = standings or {}

    def key(entry: Assessed) -> Key:
        standing = known.get(entry.proof_id)
        compared = (1.0, standing.margin) if standing else (0.0, 0.0)
        return (*(compared if known else ()), *RULES[rule](entry))

    chosen = max(candidates, key=key)
    ties = sum(key(entry) == key(chosen) for entry in candidates) - 1
    tied = f", earliest of {ties + 1} tied" if ties else ""
    by = f"{rule}{tied}{_results(known.get(chosen.proof_id), len(known))}"
    why = f"best of {counted(len(candidates), 'proof')} by {by}: {describe(chosen)}"
    return Choice(chosen, chosen.decision.accepted, f"{why}; {chosen.decision.reason}")


def _results(standing: Standing | None, compared: int) -> str:
    """The standing of the chosen proof in words; empty where nothing was compared."""
    if standing is None or compared < 2:
        return ""
    return (
        f" (of {compared} compared in both orders: {standing.won} won, {standing.lost} lost, "
        f"{standing.undecided} undecided)"
    )


def describe(entry: Assessed) -> str:
    """The verdicts, self-score and round of one proof in words."""
    result = entry.tally
    parts = []
    if result.mean is not None:
        parts.append(f"mean {result.mean:.3g} of {counted(result.verdicts, 'distinct verdict')}, std {result.std:.2g}")
    elif entry.decision.judged:
        parts.append("no verdict")
    own = "no self-score" if entry.self_score is None else f"self-score {entry.self_score:g}"
    left_out = [
        f"{count} {name}"
        for count, name in (
            (result.unparseable, "unparseable"),
            (result.identical, "identical"),
            (result.refuted, "refuted"),
        )
        if count
    ]
    return ", ".join([*parts, *left_out, own, f"round {entry.round}"])


def _common_fault(pool: Sequence[Assessed]) -> str:
    faults = [fault for entry in pool for fault in entry.faults]
    if not faults:
        return "no answer arrived"
    most = max(sorted(set(faults)), key=faults.count)
    return f"{most} ({faults.count(most)} of {len(pool)})"
