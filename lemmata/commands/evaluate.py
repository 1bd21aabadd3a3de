"""``lemmata evaluate``: problems x attempts x models on the loop, final proofs graded, junk proofs judged too."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from core.answer_check import AnswerChecker, AnswerConfig
from core.config import STRICT, Positive, read_config, read_part, settings
from core.records import Label, Problem, Proof, Selection
from core.store import Run
from evaluation.answers import ANSWER, answer_label, label_id, patched
from evaluation.exact import EXACT, LabConfig, exact_label, lab_problems
from evaluation.folders import CONTROL, attempt_folder, attempt_seed, entrant_folder
from evaluation.grader import Grader, GradingConfig
from evaluation.junk import ControlConfig, junk_proofs
from lemmata.commands.generate import problems_of
from lemmata.domain import with_warning
from lemmata.policies import GRADER, ROLES, Policies, build_policies
from lemmata.session import MAY_CHANGE, Session, run_folder, spent, with_contents
from lemmata.terminal import plain
from policy.guard import BudgetConfig, Guard
from policy.interface import gather_all
from policy.meters import Meters
from policy.recorder import Recorder
from policy.throttle import Throttle
from refine.config import RefineConfig
from refine.loop import ProofLoop, selection_id

GROWS = frozenset(["attempts", "entrants", "grading.samples", "answers", "exact", "control.problems"])


@settings(frozen=True, config=STRICT)
class EvaluationConfig:
    """Who takes part and how often, on what, and which grades the final proofs get (lemmata/conf/evaluation.yaml)."""

    entrants: tuple[str, ...]
    attempts: Positive
    patch_answers: bool
    lab: LabConfig | None
    grading: GradingConfig
    answers: bool
    exact: bool
    control: ControlConfig

    def __post_init__(self) -> None:
        if not self.entrants or len(set(self.entrants)) < len(self.entrants):
            raise ValueError("entrants must name at least one policy, and each once")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One problem in one run folder. ``others``: references of other problems, for the control; None: an attempt."""

    session: Session
    problem: Problem
    label: str
    others: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.problem.name or self.problem.id} ({self.label})"

    @property
    def id(self) -> str:
        """That of the problem."""
        return self.problem.id


def evaluate_command(config: dict[str, Any]) -> int:
    """Run every attempt at every problem, and the control."""
    evaluation = read_part(EvaluationConfig, config)
    refine = read_config(RefineConfig, config["refine"], "refine")
    with ExitStack() as stack:
        checker = stack.enter_context(AnswerChecker(AnswerConfig())) if evaluation.answers else None
        host, sessions = stack.enter_context(_open(config, evaluation))
        work = _Work(evaluation, refine, checker)
        code = host.work(_items(config, evaluation, sessions), work)
    said = f"Report: lemmata evaluate report run={host.run.folder} out=FOLDER"
    Console(highlight=False).print(plain(said), soft_wrap=True)
    return code


@contextmanager
def _open(
    config: Mapping[str, Any], evaluation: EvaluationConfig
) -> Iterator[tuple[Session, Mapping[tuple[str, int | None], Session]]]:
    """The evaluation's own run, and a session for each attempt and control, which share guard, meters and policies."""
    templates, config = with_contents(config)
    folder = Path(run_folder("evaluate", config, MAY_CHANGE | GROWS))
    budget = read_config(BudgetConfig, config["budget"], "budget")
    guard, meters = Guard(budget), Meters()
    known: dict[str, Throttle] = {}
    sessions: dict[tuple[str, int | None], Session] = {}
    with ExitStack() as stack:
        run = stack.enter_context(Run.start(folder, "evaluate", config, MAY_CHANGE | GROWS))
        for name in evaluation.entrants:
            own = {**config, **{role: {**config[role], "policy": _player(config, role, name)} for role in ROLES}}
            policies = build_policies(own, guard, meters, known)
            known.update(policies.by_name)
            for number in (*range(evaluation.attempts), None):
                seed = config["seed"] if number is None else attempt_seed(config["seed"], number)
                place = _place(folder, name, number)
                part = own | {"run": str(place), "seed": seed, "entrant": name, "attempt": number}
                if number is not None or _controlled(evaluation, config):
                    opened = stack.enter_context(Run.start(place, "attempt", part, MAY_CHANGE | GROWS))
                    if budget.tokens or budget.money:
                        guard.spent += spent(opened)
                    sessions[name, number] = Session(opened, part, policies, templates, guard, meters)
        yield Session(run, config, Policies({}, known), templates, guard, meters), sessions


def _player(config: Mapping[str, Any], role: str, entrant: str) -> str:
    """Who plays a role for a entrant: itself, or whom the settings name for all."""
    return config[role]["policy"] or entrant


def _place(folder: Path, name: str, number: int | None) -> Path:
    return entrant_folder(folder, name) / CONTROL if number is None else attempt_folder(folder, name, number)


def _controlled(evaluation: EvaluationConfig, config: Mapping[str, Any]) -> bool:
    """Whether there are junk proofs to judge, and judges."""
    return bool(evaluation.control.problems and (config["refine"]["judge"]["analyses"] or evaluation.grading.samples))


def _problems(config: dict[str, Any], evaluation: EvaluationConfig) -> Iterator[Problem]:
    if evaluation.lab is not None:
        return islice(lab_problems(evaluation.lab), config["limit"])
    found = problems_of(config)
    found = patched(found) if evaluation.patch_answers else found
    for name in evaluation.entrants:
        prover = {**config["prover"], "policy": _player(config, "prover", name)}
        found = with_warning(found, {**config, "prover": prover}, "evaluate")
    return found


def _items(
    config: dict[str, Any], evaluation: EvaluationConfig, sessions: Mapping[tuple[str, int | None], Session]
) -> Iterator[Attempt]:
    """Problem by problem, so that the file is read once and servers can keep its statement; the control at the end."""
    head: list[Problem] = []
    for problem in _problems(config, evaluation):
        if len(head) <= evaluation.control.problems:
            head.append(problem)
        for number in range(evaluation.attempts):
            for name in evaluation.entrants:
                yield Attempt(sessions[name, number], problem, f"attempt {number} of {name}")
    for name in evaluation.entrants:
        if (session := sessions.get((name, None))) is not None:
            for problem in head[: evaluation.control.problems]:
                others = tuple(other.reference for other in head if other is not problem and other.reference)
                yield Attempt(session, problem, f"control of {name}", others)


@dataclass(frozen=True)
class _Work:
    """What is done with one item."""

    evaluation: EvaluationConfig
    refine: RefineConfig
    checker: AnswerChecker | None

    async def __call__(self, item: Attempt) -> None:
        session = item.session
        with closing(session.run.log(item.problem)) as log:
            recorder = session.recorder(item.problem, log)
            if item.others is not None:
                await self._control(session, recorder, item.others)
            else:
                await self._attempt(session, recorder)

    async def _attempt(self, session: Session, recorder: Recorder) -> None:
        done, log = selection_id(recorder.problem.id), recorder.log
        loop = ProofLoop(session.prover, session.judge(self.refine.judge), self.refine, session.config["seed"])
        selection = log.get(done) if done in log else await loop.run(recorder)
        assert isinstance(selection, Selection)
        session.meters.accepted += selection.accepted
        if selection.proof_id is not None:
            proof = log.get(selection.proof_id)
            assert isinstance(proof, Proof)
            await self._grade(session, recorder, proof)

    async def _control(self, session: Session, recorder: Recorder, others: tuple[str, ...]) -> None:
        junk = junk_proofs(recorder.problem, others, session.config["seed"], self.evaluation.grading)
        recorder.log.append([proof for proof in junk if proof.id not in recorder.log])
        judge = session.judge(self.refine.judge)
        await gather_all(judge.assess(recorder, proof) for proof in junk)
        await gather_all(self._points(session, recorder, proof) for proof in junk)

    async def _grade(self, session: Session, recorder: Recorder, proof: Proof) -> None:
        await self._points(session, recorder, proof)
        problem, log = recorder.problem, recorder.log
        labels: list[Label] = []
        if self.checker is not None and label_id(ANSWER, proof) not in log:
            labels.append(await asyncio.to_thread(answer_label, self.checker, problem, proof))
        if self.evaluation.exact and label_id(EXACT, proof) not in log:
            labels.append(exact_label(problem, proof))
        if labels:
            log.append(labels)

    async def _points(self, session: Session, recorder: Recorder, proof: Proof) -> None:
        if self.evaluation.grading.samples:
            sampling = session.policies.roles[GRADER].sampling
            await Grader(session.policies.of(GRADER), sampling, self.evaluation.grading).grade(recorder, proof)
