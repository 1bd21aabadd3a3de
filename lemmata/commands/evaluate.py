"""``lemmata evaluate``: problems x attempts x entrants on the proof loop, with grades and a junk-proof control."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from core.config import STRICT, Name, Positive, settings
from core.records import Problem, Proof
from core.store import Run
from evaluation.answers import patched
from evaluation.folders import CONTROL, attempt_folder, attempt_seed, entrant_folder
from evaluation.junk_control import ControlConfig, junk_proofs
from evaluation.lab_theorems import LabTheoremsConfig, lab_problems
from lemmata.commands.refine import refine_problem
from lemmata.domain import prover_model
from lemmata.judges import JUDGES_MAY_GROW, FinalGrading, JudgingConfig
from lemmata.policies import Policies, build_policies
from lemmata.problems import problems_of
from lemmata.run_totals import judged_code
from lemmata.session import MAY_CHANGE, Session, build_toolbox, default_folder, spent, with_contents
from lemmata.settings import ProblemsConfig, RoleConfig, read_settings
from lemmata.terminal import plain
from policy.guard import Guard
from policy.interface import gather_all
from policy.meters import Meters
from policy.recorder import Recorder
from policy.throttle import Throttle
from refine.config import RefineConfig, require_enough_analyses

# Settings that extend an evaluation which exists already.
MAY_GROW = MAY_CHANGE | {"attempts", "entrants", "control.problems"} | JUDGES_MAY_GROW
ROLES = ("prover", "verifier", "meta_verifier")


@settings(frozen=True, kw_only=True, config=STRICT)
class EvaluateSettings(JudgingConfig, ProblemsConfig):
    """Settings of ``lemmata evaluate`` (lemmata/conf/evaluate.yaml)."""

    entrants: tuple[str, ...]
    attempts: Positive
    data: Name
    patch_answers: bool
    lab: LabTheoremsConfig | None
    refine: RefineConfig
    control: ControlConfig

    def __post_init__(self) -> None:
        if not self.entrants or len(set(self.entrants)) < len(self.entrants):
            raise ValueError("entrants must name at least one policy, and each once")
        require_enough_analyses(self.refine, self.judge)

    @property
    def roles(self) -> dict[str, RoleConfig]:
        """The three roles and the judges."""
        return {**super().roles, **self.judge_roles}

    @property
    def has_control(self) -> bool:
        """True where junk proofs are judged: some are requested, and there is a judge."""
        return bool(self.control.problems and (self.judge.analyses or self.grading.samples))

    def of_entrant(self, entrant: str) -> "EvaluateSettings":
        """The settings with ``entrant`` in every role that names no policy."""
        return replace(
            self, **{role: replace(self.roles[role], policy=self.policy_of(role, entrant)) for role in ROLES}
        )

    def policy_of(self, role: str, entrant: str) -> str:
        """The policy that plays ``role`` for ``entrant``."""
        return self.roles[role].policy or entrant


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One problem in one run folder. ``others``: references of other problems, for the control; None: an attempt."""

    session: Session
    problem: Problem
    label: str
    others: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Problem and attempt, for messages."""
        return f"{self.problem.name or self.problem.id} ({self.label})"

    @property
    def id(self) -> str:
        """The id of the problem."""
        return self.problem.id


def evaluate_command(config: dict[str, Any]) -> int:
    """Runs every attempt at every problem, and the control."""
    settings = read_settings(EvaluateSettings, config)
    with FinalGrading.open(settings) as grading, _open(settings, config) as (host, sessions):
        code = host.work(
            _items(settings, sessions), _Work(settings, grading), lambda: sum(1 for _ in _items(settings, sessions))
        )
        code = judged_code([session.run for (_, number), session in sessions.items() if number is not None], code)
    message = f"Report: lemmata evaluate report run={host.run.folder} out=FOLDER"
    Console(highlight=False).print(plain(message), soft_wrap=True)
    return code


@contextmanager
def _open(
    settings: EvaluateSettings, config: Mapping[str, Any]
) -> Iterator[tuple[Session, Mapping[tuple[str, int | None], Session]]]:
    """Opens the evaluation's own run, and sessions of attempts and controls with shared guard, meters and policies."""
    templates, config = with_contents(settings, settings.with_template(config))
    folder = Path(settings.run or default_folder("evaluate", config, MAY_GROW))
    guard, meters = Guard(settings.budget), Meters()
    known: dict[str, Throttle] = {}
    sessions: dict[tuple[str, int | None], Session] = {}
    toolbox = build_toolbox(settings)
    with ExitStack() as stack:
        run = stack.enter_context(Run.start(folder, "evaluate", config, MAY_GROW))
        for name in settings.entrants:
            own = settings.of_entrant(name)
            policies = build_policies(own, guard, meters, known)
            known.update(policies.by_name)
            for number in (*range(settings.attempts), None):
                if number is None and not settings.has_control:
                    continue
                seed = settings.seed if number is None else attempt_seed(settings.seed, number)
                place = _folder(folder, name, number)
                roles = {role: {**config[role], "policy": settings.policy_of(role, name)} for role in ROLES}
                part = {**config, **roles, "run": str(place), "seed": seed, "entrant": name, "attempt": number}
                opened = stack.enter_context(Run.start(place, "attempt", part, MAY_GROW))
                if settings.budget.tokens or settings.budget.cost:
                    guard.spent += spent(opened)
                attempt = replace(own, run=str(place), seed=seed)
                sessions[name, number] = Session(opened, attempt, policies, templates, guard, meters, toolbox)
        yield Session(run, settings, Policies({}, known), templates, guard, meters, toolbox), sessions


def _folder(folder: Path, name: str, number: int | None) -> Path:
    return entrant_folder(folder, name) / CONTROL if number is None else attempt_folder(folder, name, number)


def _problems(settings: EvaluateSettings) -> Iterator[Problem]:
    if settings.lab is not None:
        return islice(lab_problems(settings.lab), settings.limit)
    found = problems_of(settings, prover_model(settings, settings.policy_of("prover", settings.entrants[0])))
    return patched(found) if settings.patch_answers else found


def _items(settings: EvaluateSettings, sessions: Mapping[tuple[str, int | None], Session]) -> Iterator[WorkItem]:
    """Yields all attempts problem by problem (servers can reuse the cached statement), then the control."""
    head: list[Problem] = []
    for problem in _problems(settings):
        if len(head) <= settings.control.problems:
            head.append(problem)
        for number in range(settings.attempts):
            for name in settings.entrants:
                yield WorkItem(sessions[name, number], problem, f"attempt {number} of {name}")
    for name in settings.entrants:
        if (session := sessions.get((name, None))) is not None:
            for problem in head[: settings.control.problems]:
                others = tuple(other.reference for other in head if other is not problem and other.reference)
                yield WorkItem(session, problem, f"control of {name}", others)


@dataclass(frozen=True)
class _Work:
    """The work on one item: an attempt with its grades, or the control."""

    settings: EvaluateSettings
    grading: FinalGrading

    async def __call__(self, item: WorkItem) -> None:
        session = item.session
        with closing(session.run.log(item.problem)) as log:
            recorder = session.recorder(item.problem, log)
            if item.others is not None:
                await self._control(session, recorder, item.others)
            else:
                await self._attempt(session, recorder)

    async def _attempt(self, session: Session, recorder: Recorder) -> None:
        selection = await refine_problem(session, self.settings.refine, recorder)
        if selection.proof_id is not None:
            proof = recorder.log.get(selection.proof_id)
            assert isinstance(proof, Proof)
            await self.grading.grade(session, recorder, proof)

    async def _control(self, session: Session, recorder: Recorder, others: tuple[str, ...]) -> None:
        junk = junk_proofs(recorder.problem, others, session.settings.seed, self.settings.grading)
        recorder.log.append([proof for proof in junk if proof.id not in recorder.log])
        assessor = session.assessor(self.settings.judge)
        await gather_all(assessor.assess(recorder, proof) for proof in junk)
        await gather_all(self.grading.points(session, recorder, proof) for proof in junk)
