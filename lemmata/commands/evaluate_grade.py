"""``lemmata evaluate grade``: judges, panels and answer checks over proofs that exist, in a run beside the source."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from core.config import STRICT, settings
from core.errors import LemmataError
from core.labels import append_labels, read_with_labels
from core.log import read_log
from core.records import Grading, Label, Problem, Proof, Record, Selection, StatementReport, Usage
from core.store import Run
from evaluation.folders import Part, parts_of
from evaluation.junk_control import MODEL_PREFIX
from lemmata.commands.import_export import transfer
from lemmata.judges import JUDGES_MAY_GROW, FinalGrading, JudgingConfig
from lemmata.policies import build_policies
from lemmata.session import MAY_CHANGE, Session, build_toolbox, default_folder, with_contents
from lemmata.settings import RoleConfig, SourceConfig, read_settings
from lemmata.terminal import plain
from policy.guard import Guard
from policy.interface import gather_all
from policy.meters import Meters

MAY_GROW = MAY_CHANGE | JUDGES_MAY_GROW


@settings(frozen=True, kw_only=True, config=STRICT)
class GradeSettings(JudgingConfig, SourceConfig):
    """Settings of ``lemmata evaluate grade`` (lemmata/conf/evaluate_grade.yaml)."""

    proofs: Literal["final", "all"]

    def __post_init__(self) -> None:
        if not (self.grading.samples or self.answers or self.exact):
            raise ValueError("nothing grades: set grading.samples, answers=true or exact=true")

    @property
    def roles(self) -> dict[str, RoleConfig]:
        """The judges alone: nothing else is asked."""
        return self.judge_roles


@dataclass(frozen=True, slots=True)
class GradingItem:
    """One problem in one run folder."""

    session: Session
    problem: Problem

    @property
    def name(self) -> str:
        """Name of the problem, for messages."""
        return self.problem.name or self.problem.id

    @property
    def id(self) -> str:
        """The id of the problem."""
        return self.problem.id


def evaluate_grade_command(config: dict[str, Any]) -> int:
    """Copies the source into a run and grades the proofs in it."""
    settings = read_settings(GradeSettings, config)
    with FinalGrading.open(settings) as grading, _open(settings, config) as (host, sessions):
        code = host.work(_items(sessions), _Grading(settings, grading), lambda: sum(1 for _ in _items(sessions)))
    message = f"Report: lemmata evaluate report run={host.run.folder} out=FOLDER"
    Console(highlight=False).print(plain(message), soft_wrap=True)
    return code


@contextmanager
def _open(settings: GradeSettings, config: Mapping[str, Any]) -> Iterator[tuple[Session, list[Session]]]:
    """Opens the run, one session for each part of the source, and copies the source's records."""
    templates, config = with_contents(settings, settings.with_template(config))
    folder = Path(settings.run or default_folder("grade", config, MAY_GROW))
    source = Path(settings.source)
    if folder.resolve() == source.resolve() or source.resolve() in folder.resolve().parents:
        raise LemmataError(f"run={folder} lies in the source {source}: choose a folder beside it")
    parts = parts_of(source) if (source / "run.yaml").is_file() else []
    guard, meters = Guard(settings.budget), Meters()
    policies = build_policies(settings, guard, meters)
    sessions: list[Session] = []
    with ExitStack() as stack:
        rule = parts[0].run.manifest["config"].get("judge") if parts else None
        run = stack.enter_context(Run.start(folder, "grade", {**config, "judge": rule}, MAY_GROW))
        whole = Session(run, settings, policies, templates, guard, meters, build_toolbox(settings))
        if len(parts) > 1 or (parts and parts[0].run.folder.resolve() != source.resolve()):
            for part in parts:
                place = folder / part.run.folder.relative_to(source)
                opened = stack.enter_context(Run.start(place, "grade", _part_config(part, config, place), MAY_GROW))
                _copy(part, opened, guard)
                sessions.append(replace(whole, run=opened))
        else:
            _fill(settings, parts, run, guard)
            sessions.append(whole)
        yield whole, sessions


def _part_config(part: Part, config: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """Settings of a part: those of the source's part, by which its proofs were made and accepted, and the judges'."""
    own = {key: value for key, value in part.run.manifest["config"].items() if key != "command"}
    judging = (
        "grading",
        "grader",
        "answers",
        "answer_judge",
        "exact",
        "proofs",
        "source",
        "seed",
        "policies",
        "policy",
    )
    graded = {key: config[key] for key in judging}
    return {**own, "run": str(place), "grading": graded["grading"], "graded": graded}


def _fill(settings: GradeSettings, parts: list[Part], run: Run, guard: Guard) -> None:
    if parts:
        _copy(parts[0], run, guard)
    else:
        transfer(settings, run, lambda record: True)
        guard.spent += _graded(run, frozenset())


def _copy(part: Part, run: Run, guard: Guard) -> None:
    """Copies all records of a part, people's labels too; what earlier resumptions spent counts for the budget."""
    known: set[str] = set()
    for path in part.run.log_paths():
        problem, *records = read_log(path)
        assert isinstance(problem, Problem)
        known |= {record.id for record in records}
        with closing(run.log(problem)) as log:
            if new := [record for record in records if record.id not in log]:
                log.append(new)
            target = log.path
        labels = [each for each in read_with_labels(path) if isinstance(each, Label | StatementReport)]
        if by_people := [label for label in labels if label.id not in known]:
            append_labels(target, by_people)
    guard.spent += _graded(run, frozenset(known))


def _graded(run: Run, known: frozenset[str]) -> Usage:
    """Usage of the gradings of a run that its source does not hold."""
    gradings = (each for each in run.records() if isinstance(each, Grading) and each.id not in known)
    return sum((each.usage for each in gradings if each.usage is not None), start=Usage())


def _items(sessions: list[Session]) -> Iterator[GradingItem]:
    for session in sessions:
        for path in session.run.log_paths():
            first = next(iter(read_log(path)), None)
            if isinstance(first, Problem):
                yield GradingItem(session, first)


@dataclass(frozen=True)
class _Grading:
    """The work on one problem: grades of its final proofs, and of junk proofs in points alone."""

    settings: GradeSettings
    grading: FinalGrading

    async def __call__(self, item: GradingItem) -> None:
        session = item.session
        with closing(session.run.log(item.problem)) as log:
            recorder = session.recorder(item.problem, log)
            proofs = final_proofs(list(read_log(log.path)), every=self.settings.proofs == "all")
            junk = [proof for proof in proofs if proof.model.startswith(MODEL_PREFIX)]
            await gather_all(self.grading.points(session, recorder, proof) for proof in junk)
            await gather_all(self.grading.grade(session, recorder, proof) for proof in proofs if proof not in junk)


def final_proofs(records: list[Record], *, every: bool) -> list[Proof]:
    """The chosen proof of a problem; all proofs where none was chosen because nothing chooses, or for ``every``."""
    proofs = [record for record in records if isinstance(record, Proof) and record.body is not None]
    chosen = [record.proof_id for record in records if isinstance(record, Selection)]
    return [proof for proof in proofs if every or not chosen or proof.id in chosen]
