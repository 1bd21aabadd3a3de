"""Graded proofs: the proofs of a run without their texts, with the grades of every grader side by side."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.champ import wrong_step
from core.finish import cut_off
from core.grades import HUMAN, combined
from core.labels import read_with_labels
from core.problems import cluster_of
from core.records import (
    IMPORTED,
    KINDS,
    Analysis,
    Comparison,
    ContextSummary,
    FollowUp,
    Generated,
    Grading,
    Label,
    Problem,
    Proof,
    Record,
    Refusal,
    Review,
    Selection,
    ToolOutput,
    ToolTurn,
    Usage,
)
from evaluation.answers import PATCHED
from evaluation.folders import Part
from evaluation.graders import AUTOMATIC, PANEL, VERIFIER, automatic_key, is_member, judge_key, panel_score
from refine.acceptance import AcceptanceConfig, decide, recorded_rule
from refine.pairwise import pair_counts
from verifier.aggregate import AggregateConfig, Judged, judged, tally

_PART = re.compile(r"Basic|Advanced")
WITHOUT_RULE = AggregateConfig(use_reviews="filter", confirm_at=1.0)  # of a run whose command judges nothing


@dataclass(frozen=True, slots=True)
class Grade:
    """Grade of one grader: ``score`` on 0..1 (None: unscored), ``points`` where it grades in points, and its author.

    ``scores``: the score of each author, where several authors are averaged; ``spread``: the difference of the highest
    and the lowest of them.
    """

    score: float | None
    author: str
    points: float | None = None
    max_points: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def authors(self) -> tuple[str, ...]:
        """Names of the people or models behind the grade."""
        return tuple(self.scores) or ((self.author,) if self.author else ())

    @property
    def spread(self) -> float | None:
        """Difference of the highest and the lowest score of several authors."""
        return max(self.scores.values()) - min(self.scores.values()) if len(self.scores) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedProof:
    """One proof with its ``grades`` by grader (the verifier's own, labels, judges).

    ``accepted``: by the rule of its run. ``text_length``: characters, None where the answer contains no proof.
    ``no_answer``: an imported answer that contains none, which counts as 0 points where a grader left it out.
    ``unparseable``: analyses without a verdict. ``judged``: the analyses in the order in which they were asked for,
    from which other rules of acceptance follow. ``error_start``, ``error_end``: characters of the first wrong step,
    where a person annotated one. ``cluster``: that of the problem in intervals (`core.problems.cluster_of`).
    """

    entrant: str
    attempt: int | None
    problem_id: str
    cluster: str
    problem: str
    source: str
    proof_id: str
    model: str
    round: int
    self_score: float | None
    text_length: int | None
    no_answer: bool
    verdicts: int
    unparseable: int
    judged: tuple[Judged, ...]
    verdict_std: float | None
    accepted: bool
    selected: bool
    error_start: int | None
    error_end: int | None
    grades: dict[str, Grade]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemOutcome:
    """One problem of one attempt: the chosen proof (None: there is none, or unfinished) and the tokens used.

    ``groups``: category, level and part (Basic, Advanced) of the problem, where it has them. ``models``: of its proofs.
    ``counts``: answers by kind, and those that were cut off, unparseable or refused, such as ``analysis cut off``;
    calls of tools by role and status, such as ``proof tool call ok``.
    ``cluster``: that of the problem in intervals (`core.problems.cluster_of`).
    """

    entrant: str
    attempt: int | None
    problem_id: str
    cluster: str
    problem: str
    source: str
    finished: bool
    accepted: bool
    rounds: int | None
    chosen: GradedProof | None
    patched: str
    groups: Mapping[str, str]
    models: tuple[str, ...]
    counts: Mapping[str, int]
    proving: Usage
    judging: Usage
    grading: Usage


def read_part(part: Part) -> Iterator[tuple[ProblemOutcome, list[GradedProof]]]:
    """Yields every problem of a run with its proofs, one problem in memory at a time."""
    rule = recorded_rule(part.run.manifest["config"])
    for path in part.run.log_paths():
        found = read_problem(part, path, rule)
        if found is not None:
            yield found


def read_problem(
    part: Part, path: Path, rule: AcceptanceConfig | None
) -> tuple[ProblemOutcome, list[GradedProof]] | None:
    """One problem of a run, from its log, with its proofs; None where the log holds no problem."""
    collected = _collect(path)
    return None if collected.problem is None else _outcome(part, collected, collected.entries(part, rule))


@dataclass
class _Collected:
    """Records of one problem's log, without their texts."""

    problem: Problem | None = None
    selection: Selection | None = None
    proofs: list[tuple[Proof, int | None]] = field(default_factory=list)
    analyses: defaultdict[str, list[tuple[int, Judged]]] = field(default_factory=lambda: defaultdict(list))
    reviews: defaultdict[str, list[float | None]] = field(default_factory=lambda: defaultdict(list))
    labels: defaultdict[str, list[Label]] = field(default_factory=lambda: defaultdict(list))
    gradings: defaultdict[str, list[Grading]] = field(default_factory=lambda: defaultdict(list))
    wrong_steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    usage: defaultdict[type, Usage] = field(default_factory=lambda: defaultdict(Usage))
    counts: Counter[str] = field(default_factory=Counter)
    comparisons: list[Comparison] = field(default_factory=list)

    def add(self, record: Record) -> None:
        if isinstance(record, Generated) and record.usage is not None:
            asked = Grading if record.template.startswith("follow_up of grading") else Analysis
            asked = KINDS[record.role] if isinstance(record, ToolTurn | ContextSummary) else asked
            is_own = not isinstance(record, FollowUp | ToolTurn | ContextSummary)
            self.usage[type(record) if is_own else asked] += record.usage
        self._count(record)
        if isinstance(record, Problem):
            self.problem = record
        elif isinstance(record, Selection):
            self.selection = record
        elif isinstance(record, Proof):
            body = record.body
            self.proofs.append((replace(record, text="", reasoning=None), None if body is None else len(body)))
        elif isinstance(record, Analysis):
            self.analyses[record.proof_id].append((record.index, judged(record, ())))
            self.models[record.proof_id] = record.model
        elif isinstance(record, Review):
            self.reviews[record.analysis_id].append(record.score)
        elif isinstance(record, Grading):
            self.gradings[record.proof_id].append(record)
        elif isinstance(record, Label) and record.analysis_id is None:
            if (step := wrong_step(record)) is not None:
                self.wrong_steps[record.proof_id] = step
            self.labels[record.proof_id].append(record)

    def _count(self, record: Record) -> None:
        if isinstance(record, Comparison):
            self.comparisons.append(replace(record, text="", reasoning=None))
        if isinstance(record, Refusal):
            self.counts["refused"] += 1
        if isinstance(record, ToolOutput):
            self.counts[f"{record.role} tool call {record.status}"] += 1
        if not isinstance(record, Proof | Analysis | Review | Grading | Comparison) or record.policy == IMPORTED:
            return
        self.counts[record.kind] += 1
        if cut_off(record.finish_reason):
            self.counts[f"{record.kind} cut off"] += 1
        elif (record.body if isinstance(record, Proof) else _verdict(record)) is None:
            self.counts[f"{record.kind} unparseable"] += 1

    def entries(self, part: Part, rule: AcceptanceConfig | None) -> list[GradedProof]:
        assert self.problem is not None
        return [self._entry(part, rule, self.problem, *proof) for proof in self.proofs]

    def _entry(
        self, part: Part, rule: AcceptanceConfig | None, problem: Problem, proof: Proof, length: int | None
    ) -> GradedProof:
        step = self.wrong_steps.get(proof.id)
        ordered = sorted(self.analyses[proof.id], key=lambda pair: pair[0])
        analyses = [replace(one, reviews=tuple(self.reviews[one.analysis_id])) for _, one in ordered]
        result = tally(analyses, rule or WITHOUT_RULE)
        grades = label_grades(self.labels[proof.id])
        if analyses:
            grades[VERIFIER] = Grade(result.mean, self.models[proof.id])
        grades |= judge_grades(self.gradings[proof.id], panel_of(part))
        return GradedProof(
            entrant=part.entrant,
            attempt=part.attempt,
            problem_id=problem.id,
            cluster=cluster_of(problem),
            problem=problem.name or problem.id,
            source=problem.source,
            proof_id=proof.id,
            model=proof.model,
            round=proof.round,
            self_score=proof.self_score,
            text_length=length,
            no_answer=length is None and proof.policy == IMPORTED,
            verdicts=result.verdicts,
            unparseable=result.unparseable,
            judged=tuple(analyses),
            verdict_std=result.std,
            accepted=rule is not None and decide(analyses, rule).accepted,
            selected=self.selection is not None and self.selection.proof_id == proof.id,
            error_start=step[0] if step else None,
            error_end=step[1] if step else None,
            grades=grades,
        )


def _verdict(record: Analysis | Review | Grading | Comparison) -> float | None:
    return record.points if isinstance(record, Grading) else record.score


def groups_of(name: str, extra: Mapping[str, Any]) -> dict[str, str]:
    """Category, level and part of a problem, as its table names them; what it does not name is left out."""
    extra = {key.casefold(): value for key, value in extra.items() if isinstance(value, str) and value.strip()}
    named = {
        "category": next((extra[key] for key in ("category", "topic", "domain") if key in extra), ""),
        "level": next((extra[key] for key in ("level", "difficulty") if key in extra), ""),
        "part": (found[0] if (found := _PART.search(name)) else ""),
    }
    return {kind: value.strip() for kind, value in named.items() if value}


def label_grades(labels: Sequence[Label]) -> dict[str, Grade]:
    """Grades by grader: people averaged (`core.grades.combined`), of any other grader its last label."""
    grades = {
        automatic_key(label.author) if label.grader == AUTOMATIC else label.grader: Grade(
            label.score, label.author, label.points, label.max_points
        )
        for label in labels
        if label.grader != HUMAN
    }
    people = [label for label in labels if label.grader == HUMAN]
    human = combined(people)
    if people and human is None:
        grades[HUMAN] = Grade(None, people[-1].author)
    if human is not None:
        grades[HUMAN] = Grade(human.score, ", ".join(human.scores), human.points, human.max_points, human.scores)
    return grades


def panel_of(part: Part) -> tuple[str, ...]:
    """Names of the policies that the run of ``part`` names as a panel; empty unless there are several."""
    grading = part.run.manifest["config"].get("grading")
    panel = grading.get("panel") if isinstance(grading, Mapping) else None
    return tuple(panel) if isinstance(panel, list) and len(panel) > 1 else ()


def judge_grades(gradings: Sequence[Grading], panel: Sequence[str]) -> dict[str, Grade]:
    """Grades by judge, each with its own model, policy and prompt, and the mean of the ``panel``."""
    by_judge: dict[str, list[Grading]] = defaultdict(list)
    for grading in gradings:
        by_judge[judge_key(grading)].append(grading)
    grades = {key: judge_grade(found) for key, found in by_judge.items()}
    members = {key: grade for key, grade in grades.items() if is_member(key, panel)}
    if len(members) > 1:
        score = panel_score({key: grade.score for key, grade in members.items()})
        full = next(iter(members.values())).max_points
        points = None if score is None or full is None else score * full
        scores = {grade.author: grade.score for grade in members.values() if grade.score is not None}
        grades[PANEL] = Grade(score, ", ".join(sorted(scores)), points, full, scores)
    return grades


def judge_grade(gradings: list[Grading]) -> Grade:
    """Mean of the gradings that could be parsed; unscored without any."""
    points = [grading.points for grading in gradings if grading.points is not None]
    full = gradings[0].max_points
    mean = sum(points) / len(points) if points else None
    return Grade(None if mean is None else mean / full, gradings[0].model, mean, full)


def _collect(path: Path) -> _Collected:
    collected = _Collected()
    for record in read_with_labels(path):
        collected.add(record)
    return collected


def _outcome(part: Part, collected: _Collected, entries: list[GradedProof]) -> tuple[ProblemOutcome, list[GradedProof]]:
    problem, selection = collected.problem, collected.selection
    assert problem is not None
    outcome = ProblemOutcome(
        entrant=part.entrant,
        attempt=part.attempt,
        problem_id=problem.id,
        cluster=cluster_of(problem),
        problem=problem.name or problem.id,
        source=problem.source,
        finished=selection is not None,
        accepted=selection is not None and selection.accepted,
        rounds=selection.rounds if selection else None,
        chosen=next((entry for entry in entries if entry.selected), None),
        patched=str(problem.extra.get(PATCHED, "")),
        groups=groups_of(problem.name, problem.extra),
        models=tuple(sorted({entry.model for entry in entries})),
        counts=collected.counts + pair_counts(collected.comparisons),
        proving=collected.usage[Proof],
        judging=collected.usage[Analysis] + collected.usage[Review] + collected.usage[Comparison],
        grading=collected.usage[Grading],
    )
    return outcome, entries
