"""Changes of verdicts: the same proofs judged twice, such as without tools and with them, against the truth.

A verdict here is the decision to accept a proof, by the rule of each run. It is right where it accepts a correct proof
or rejects another one.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from core.document import Block, Heading, Table, counted
from core.statistics import Estimate, IntervalConfig, Observation, difference, share
from evaluation.acceptance_curve import gold_grader
from evaluation.gather import ReportData
from evaluation.graded_proofs import GradedProof
from evaluation.sections import MAX_LISTED, interval, percent

DEFAULT = IntervalConfig()


@dataclass(frozen=True, slots=True)
class JudgedTwice:
    """A proof with both decisions. ``correct``: by the truth; None: unknown. ``cluster``: of its problem."""

    proof_id: str
    problem: str
    cluster: Hashable
    first: bool
    second: bool
    correct: bool | None

    @property
    def kind(self) -> str:
        """The change in words; empty where the decision is the same."""
        if self.first == self.second:
            return ""
        change = "accepted, then rejected" if self.first else "rejected, then accepted"
        if self.correct is None:
            return f"{change}; the truth is unknown"
        return f"{change}: {'right' if self.second == self.correct else 'wrong'}"


@dataclass(frozen=True)
class VerdictChanges:
    """The comparison of two judgments of the same proofs."""

    pairs: Sequence[JudgedTwice]
    first: Estimate  # share of right decisions, where the truth is known
    second: Estimate
    gain: Estimate  # second minus first, paired by cluster

    @property
    def changed(self) -> list[JudgedTwice]:
        """Proofs whose verdict changed."""
        return [pair for pair in self.pairs if pair.kind]


def compare(pairs: Sequence[JudgedTwice], config: IntervalConfig = DEFAULT) -> VerdictChanges:
    """Compares the decisions; intervals resample whole clusters."""
    known = [pair for pair in pairs if pair.correct is not None]
    first = [Observation(pair.cluster, float(pair.first == pair.correct)) for pair in known]
    second = [Observation(pair.cluster, float(pair.second == pair.correct)) for pair in known]
    return VerdictChanges(
        pairs, share(first, config=config), share(second, config=config), difference(second, first, config=config)
    )


def change_lines(found: VerdictChanges, first: str, second: str, truth: str) -> list[str]:
    """The comparison in words; ``truth`` names who decides what is right."""
    known = sum(pair.correct is not None for pair in found.pairs)
    lines = [
        f"{counted(len(found.pairs), 'proof')} judged in both; {counted(len(found.changed), 'verdict')} changed; "
        f"the truth of {known} is known ({truth})"
    ]
    kinds = [pair.kind for pair in found.changed]
    lines += [f"    {counted(kinds.count(kind), 'proof')} {kind}" for kind in dict.fromkeys(sorted(kinds))]
    if known:
        lines.append(f"right verdicts: {percent(found.first)} in {first}, {percent(found.second)} in {second}")
        lines.append(f"    second minus first: {interval(found.gain)}")
    return lines


def change_section(data: ReportData, config: IntervalConfig) -> list[Block]:
    """Section of every two entrants that judged the same proofs, against the most trusted grader."""
    gold = gold_grader(data.candidates)
    blocks: list[Block] = []
    for place, first in enumerate(data.entrants):
        for second in data.entrants[place + 1 :]:
            pairs = _pairs(data.candidates, first, second, gold)
            if pairs:
                blocks += _blocks(compare(pairs, config), first, second, gold)
    return [Heading("Changed verdicts"), *blocks] if blocks else []


def _pairs(entries: Iterable[GradedProof], first: str, second: str, gold: str | None) -> list[JudgedTwice]:
    judged = [entry for entry in entries if entry.judged]
    others = {entry.proof_id: entry for entry in judged if entry.entrant == second}
    found = []
    for entry in judged:
        if entry.entrant == first and entry.proof_id in others:
            other = others[entry.proof_id]
            grade = (entry.grades.get(gold) or other.grades.get(gold)) if gold else None
            correct = None if grade is None or grade.score is None else grade.score == 1
            found.append(
                JudgedTwice(entry.proof_id, entry.problem, entry.cluster, entry.accepted, other.accepted, correct)
            )
    return found


def _blocks(found: VerdictChanges, first: str, second: str, gold: str | None) -> list[Block]:
    known = sum(pair.correct is not None for pair in found.pairs)
    row = (first, second, len(found.pairs), len(found.changed), known,
           percent(found.first), percent(found.second), interval(found.gain))  # fmt: skip
    columns = ("first", "second", "proofs", "changed", "truth known", "right, first", "right, second", "gain")
    caption = (
        f"The same proofs judged by both; right: accepted where correct by {gold or 'nobody'}, otherwise rejected. "
        "Gain: share of right verdicts of the second minus that of the first, paired by problem."
    )
    rows = [(pair.problem, pair.proof_id, pair.kind) for pair in found.changed[:MAX_LISTED]]
    listed = [Table(("problem", "proof", "change"), rows, "Proofs whose verdict changed.")] if rows else []
    return [Table(columns, [row], caption), *listed]
