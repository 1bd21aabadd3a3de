"""Figures of proofs and problems from the rows of an index: what judges, the prover and people say. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from explorer.index import NO_PROOF, LogIndex, Row, children
from verifier.aggregate import Judged, Validity, validity

DISAGREEMENT = 0.5  # from here on two judgments of one proof are far apart: half a step of the rubric and more


@dataclass(frozen=True, slots=True)
class ProofFigures:
    """All that is said of one proof. ``mean`` is over the verdicts that could be read; None where there is none.

    ``human`` is the mean of the latest label of each person; ``automatic`` an imported grader's; ``auto`` that of
    `lemmata label`, and ``undecided`` tells that it came to no end.
    """

    row: Row
    verdicts: tuple[float, ...]
    analyses: int
    reviews: int
    human: float | None
    points: str
    automatic: float | None
    auto: float | None
    undecided: bool
    selected: bool
    accepted: bool

    @property
    def mean(self) -> float | None:
        """Mean of the verdicts that could be read."""
        return fmean(self.verdicts) if self.verdicts else None

    @property
    def spread(self) -> float:
        """Standard deviation of the verdicts."""
        mean, n = self.mean, len(self.verdicts)
        return sqrt(sum((verdict - mean) ** 2 for verdict in self.verdicts) / n) if mean is not None else 0.0

    @property
    def judged(self) -> float | None:
        """What judges say: the mean verdict of this run, else an imported grader's mean."""
        return self.mean if self.mean is not None else self.automatic

    @property
    def self_score(self) -> float | None:
        """What the prover says."""
        return self.row.score

    @property
    def readable(self) -> bool:
        """Whether the answer holds a proof."""
        return self.row.value.get("finish_reason") != "length" and not any(
            fault in self.row.fault for fault in NO_PROOF
        )

    @property
    def unreadable_verdicts(self) -> int:
        """Analyses whose verdict could not be read."""
        return self.analyses - len(self.verdicts)

    @property
    def disagreement(self) -> float:
        """The largest distance between prover, judges and people, or twice the spread of the verdicts."""
        said = [score for score in (self.self_score, self.judged, self.human) if score is not None]
        return max((max(said) - min(said)) if said else 0.0, 2 * self.spread)

    @property
    def over_accepted(self) -> bool:
        """Whether all judges give full marks and people do not."""
        return self.judged == 1.0 and self.human is not None and self.human < 1.0


@dataclass(frozen=True, slots=True)
class ProblemFigures:
    """A problem in one line of a table."""

    problem_id: str
    name: str
    source: str
    proofs: int
    analyses: int
    rounds: int
    best: float | None
    chosen: ProofFigures | None
    accepted: bool
    finished: bool
    human: float | None
    over_accepted: bool
    tokens: int
    cost: float


def proof_figures(index: LogIndex) -> list[ProofFigures]:
    """The figures of every proof of a problem, in the order they were written."""
    return index.computed("proofs", _proof_figures)


def _proof_figures(index: LogIndex) -> list[ProofFigures]:
    judged = children(index)
    chosen = next((row for row in reversed(index.rows) if row.kind == "selection"), None)
    return [_figures(row, judged, chosen) for row in index.rows if row.kind == "proof"]


def _figures(row: Row, judged: Mapping[str, Sequence[Row]], chosen: Row | None) -> ProofFigures:
    about = judged.get(row.id, ())
    analyses = [child for child in about if child.kind == "analysis"]
    labels = [child for child in about if child.kind == "label"]
    latest = {label.value.get("grader"): label for label in labels}
    human = latest_by_author(labels)
    auto = latest.get("auto")
    selected = chosen is not None and chosen.value.get("proof_id") == row.id
    return ProofFigures(
        row=row,
        verdicts=tuple(analysis.score for analysis in analyses if analysis.score is not None),
        analyses=len(analyses),
        reviews=sum(child.kind == "review" for analysis in analyses for child in judged.get(analysis.id, ())),
        human=fmean(scores) if (scores := [label.score for label in human if label.score is not None]) else None,
        points=points_words(human),
        automatic=latest["automatic"].score if "automatic" in latest else None,
        auto=auto.score if auto else None,
        undecided=auto is not None and auto.score is None,
        selected=selected,
        accepted=selected and chosen is not None and bool(chosen.value.get("accepted")),
    )


def latest_by_author(labels: Sequence[Row]) -> list[Row]:
    """The last label of each person."""
    return list({label.value.get("author"): label for label in labels if label.value.get("grader") == "human"}.values())


def points_words(labels: Sequence[Row]) -> str:
    """Points of the last person who gave points, such as ``6 of 7``."""
    given = [label for label in labels if "points" in label.value and "max_points" in label.value]
    return f"{given[-1].value['points']:g} of {given[-1].value['max_points']:g}" if given else ""


def problem_figures(index: LogIndex) -> ProblemFigures:
    """A problem's figures; the chosen proof is the selection's, else the best judged one."""
    return index.computed("problem", _problem_figures)


def _problem_figures(index: LogIndex) -> ProblemFigures:
    problem = next((row for row in index.rows if row.kind == "problem"), None)
    proofs = proof_figures(index)
    scored = [proof for proof in proofs if proof.judged is not None]
    chosen = next((proof for proof in proofs if proof.selected), None)
    best = max(scored, key=lambda proof: proof.judged or 0.0, default=None)
    shown = chosen or best or (proofs[0] if proofs else None)
    finished = any(row.kind == "selection" for row in index.rows)
    return ProblemFigures(
        problem_id=index.problem_id,
        name=str(problem.value.get("name", "")) if problem else "",
        source=str(problem.value.get("source", "")) if problem else "",
        proofs=len(proofs),
        analyses=sum(row.kind == "analysis" for row in index.rows),
        rounds=1 + max((proof.row.round for proof in proofs), default=-1),
        best=best.judged if best else None,
        chosen=shown,
        accepted=any(proof.accepted for proof in proofs) if finished else bool(shown and shown.judged == 1.0),
        finished=finished,
        human=shown.human if shown else None,
        over_accepted=any(proof.over_accepted for proof in proofs),
        tokens=sum(row.tokens for row in index.rows),
        cost=sum(row.cost for row in index.rows),
    )


def review_validity(index: LogIndex, analysis: Row, judged: Mapping[str, Sequence[Row]]) -> Validity | None:
    """Whether its reviews confirm an analysis; None where it has none."""
    reviews = [child.score for child in judged.get(analysis.id, ()) if child.kind == "review"]
    return validity(Judged(analysis.id, analysis.score, tuple(reviews))) if reviews else None
