"""Report data: one pass over all proofs of the evaluated runs, into a Parquet table and into memory."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.parquet import write_parquet
from evaluation.folders import Part, model_entrant
from evaluation.graded_proofs import Grade, GradedProof, ProblemOutcome, read_part
from evaluation.graders import JUDGE, KINDS, PANEL, VERIFIER, kind_of, shown_names

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(),
          int | None: pa.int64(), float | None: pa.float64(), str | None: pa.string()}  # fmt: skip


_GRADE_COLUMNS = (("score", pa.float64()), ("author", pa.string()), ("points", pa.float64()),
                  ("max_points", pa.float64()), ("graders", pa.int64()), ("spread", pa.float64()))  # fmt: skip


_GRADE_KEYS = ("entrant", "model", "problem", "problem_id", "source", "proof_id", "grader")
_NO_COLUMNS = ("grades", "judged")
_WIDE = tuple(kind.replace(" ", "_") for kind in KINDS if kind != PANEL)


@dataclass
class ReportData:
    """Data of a report. ``entries``: proofs that were chosen, are junk, or have a grade besides the verifier's.

    ``rounds``: sum and number of mean verdicts by (entrant, problem, round). ``proofs``: number of all proofs.
    ``graders``: names of all graders, which are never mixed, in the order of a report. ``entrants``: names, in the
    order of their folders.
    """

    parts: Sequence[Part]
    outcomes: list[ProblemOutcome] = field(default_factory=list)
    entries: list[GradedProof] = field(default_factory=list)
    rounds: defaultdict[tuple[str, str, int], list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0])
    )
    proofs: int = 0
    graders: tuple[str, ...] = ()
    entrants: list[str] = field(default_factory=list)

    def models(self, entrant: str) -> str:
        """Models that wrote the proofs of an entrant, for the rows of a report."""
        found = {model for outcome in self.attempts if outcome.entrant == entrant for model in outcome.models} - {""}
        return ", ".join(sorted(found)) or "not stated"

    @property
    def clusters(self) -> dict[str, str]:
        """The cluster of each problem in intervals, by the problem's id."""
        return {outcome.problem_id: outcome.cluster for outcome in self.outcomes}

    @property
    def attempts(self) -> list[ProblemOutcome]:
        """Problems of all attempts, without the control."""
        return [outcome for outcome in self.outcomes if outcome.attempt is not None]

    @property
    def candidates(self) -> list[GradedProof]:
        """Proofs of all attempts, without the junk proofs."""
        return [entry for entry in self.entries if entry.attempt is not None]

    @property
    def junk(self) -> list[GradedProof]:
        """Junk proofs of the control."""
        return [entry for entry in self.entries if entry.attempt is None]


def gather(parts: Sequence[Part], table: Path) -> ReportData:
    """Reads every run and writes ``table`` with one row per proof.

    Raises:
        LemmataError: the table cannot be written, or a run cannot be read.
    """
    data = ReportData(parts)
    write_parquet(table, _schema(), _rows(data), "out=FOLDER")
    _name_graders(data)
    _split_models(data)
    return data


def gather_read(parts: Sequence[Part], problems: Iterable[tuple[ProblemOutcome, Sequence[GradedProof]]]) -> ReportData:
    """The same of problems that are read already, which stay as they are, and without a table."""
    data = ReportData(parts)
    for outcome, entries in problems:
        copies = {entry.proof_id: replace(entry, grades=dict(entry.grades)) for entry in entries}
        chosen = copies[outcome.chosen.proof_id] if outcome.chosen is not None else None
        data.outcomes.append(replace(outcome, chosen=chosen))
        for entry in copies.values():
            _keep(data, entry)
    _name_graders(data)
    _split_models(data)
    return data


def _split_models(data: ReportData) -> None:
    """Makes each model of an imported table an entrant of its own; a run that chooses proofs is one entrant."""
    chosen = {outcome.entrant for outcome in data.attempts if outcome.finished}
    models: dict[str, set[str]] = defaultdict(set)
    for outcome in data.attempts:
        models[outcome.entrant] |= set(outcome.models)
    several = {name for name, found in models.items() if len(found) > 1 and name not in chosen}

    def own(entrant: str, model: str) -> str:
        return model_entrant(entrant, model or "no model")

    def split(outcome: ProblemOutcome) -> list[ProblemOutcome]:
        if outcome.entrant not in several:
            return [outcome]
        names = [(model, own(outcome.entrant, model)) for model in outcome.models]
        return [replace(outcome, entrant=name, models=(model,)) for model, name in names]

    data.entries = [
        replace(entry, entrant=own(entry.entrant, entry.model)) if entry.entrant in several else entry
        for entry in data.entries
    ]
    data.outcomes = [part for outcome in data.outcomes for part in split(outcome)]
    data.entrants = list(dict.fromkeys(outcome.entrant for outcome in data.outcomes))


def write_grades(data: ReportData, table: Path) -> int:
    """Writes ``table`` with one row for each grade of a final, junk or graded proof; returns their number.

    Raises:
        LemmataError: the table cannot be written.
    """
    schema = pa.schema([(name, pa.string()) for name in _GRADE_KEYS] + list(_GRADE_COLUMNS))
    rows = (
        {name: getattr(entry, name) for name in _GRADE_KEYS[:-1]} | {"grader": grader} | _grade_cells(grade)
        for entry in data.entries
        for grader, grade in entry.grades.items()
    )
    return write_parquet(table, schema, rows, "out=FOLDER")


def _name_graders(data: ReportData) -> None:
    """Replaces the keys of graders by the names under which a report shows them."""
    chosen = [outcome.chosen for outcome in data.outcomes if outcome.chosen is not None]
    entries = {id(entry): entry for entry in (*data.entries, *chosen)}.values()
    names = shown_names(key for entry in entries for key in entry.grades)
    for entry in entries:
        named = {names[key]: grade for key, grade in entry.grades.items()}
        entry.grades.clear()
        entry.grades.update(named)
    data.graders = tuple(names.values())


def _rows(data: ReportData) -> Iterator[dict[str, Any]]:
    for part in data.parts:
        for outcome, entries in read_part(part):
            data.outcomes.append(outcome)
            for entry in entries:
                _keep(data, entry)
                yield _row(entry)


def _keep(data: ReportData, entry: GradedProof) -> None:
    data.proofs += 1
    verdict = entry.grades.get(VERIFIER)
    if verdict is not None and verdict.score is not None and entry.attempt is not None:
        total = data.rounds[entry.entrant, entry.problem, entry.round]
        total[0] += verdict.score
        total[1] += 1
    if entry.selected or entry.no_answer or entry.attempt is None or entry.grades.keys() - {VERIFIER}:
        data.entries.append(entry)


def _schema() -> pa.Schema:
    own = [(each.name, _TYPES[each.type]) for each in fields(GradedProof) if each.name not in _NO_COLUMNS]
    grades = [(f"{prefix}_{name}", kind) for prefix in _WIDE for name, kind in _GRADE_COLUMNS]
    return pa.schema(own + grades)


def _row(entry: GradedProof) -> dict[str, Any]:
    row = {each.name: getattr(entry, each.name) for each in fields(entry) if each.name not in _NO_COLUMNS}
    for kind, grade in _by_kind(entry).items():
        row |= {f"{_column(kind)}_{name}": value for name, value in _grade_cells(grade).items()}
    return row


def _by_kind(entry: GradedProof) -> dict[str, Grade]:
    """One grade for each kind of grader, in one row: the panel's for its judges; none where several are of a kind."""
    found: dict[str, list[Grade]] = defaultdict(list)
    for key, grade in entry.grades.items():
        found[kind_of(key)].append(grade)
    if PANEL in found:
        found[JUDGE] = found.pop(PANEL)
    return {kind: grades[0] for kind, grades in found.items() if len(grades) == 1}


def _column(kind: str) -> str:
    return kind.replace(" ", "_")


def _grade_cells(grade: Grade) -> dict[str, Any]:
    return {
        "score": grade.score,
        "author": grade.author,
        "points": grade.points,
        "max_points": grade.max_points,
        "graders": len(grade.authors),
        "spread": grade.spread,
    }
