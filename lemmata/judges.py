"""Judges of an evaluation: the roles that grade final proofs in points, final answers, and exact verdicts."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from core.answer_check import AnswerChecker, AnswerConfig
from core.config import STRICT, Count, settings
from core.ids import digest
from core.records import Label, Proof
from evaluation.answer_judge import AnswerJudge
from evaluation.answers import ANSWER, answer_label, label_id
from evaluation.grader import Grader, GradingConfig, template_identity
from evaluation.lab_theorems import EXACT, exact_label
from lemmata.session import Session
from lemmata.settings import RoleConfig, SessionConfig
from policy.interface import gather_all
from policy.recorder import Recorder

GRADER, ANSWER_JUDGE = "grader", "answer_judge"
# Settings that add grades to a run which exists already.
JUDGES_MAY_GROW = frozenset(["grading.samples", "answers", "answer_judge.samples", "exact"])


@settings(frozen=True, config=STRICT)
class AnswerJudgeRole(RoleConfig):
    """The role that compares final answers which math-verify cannot decide, ``samples`` times each (0: never)."""

    samples: Count


@settings(frozen=True, kw_only=True, config=STRICT)
class JudgingConfig(SessionConfig):
    """Settings of the commands that grade final proofs."""

    grading: GradingConfig
    grader: RoleConfig
    answers: bool
    answer_judge: AnswerJudgeRole
    exact: bool

    @property
    def graders(self) -> dict[str, RoleConfig]:
        """The roles of the judges: one for each policy of ``grading.panel``, or ``grader`` alone."""
        panel = self.grading.panel or (self.grader.policy or "",)
        return {f"{GRADER} {name}": replace(self.grader, policy=name) for name in panel}

    @property
    def judge_roles(self) -> dict[str, RoleConfig]:
        """The roles that these settings use beside prover, verifier and meta-verifier."""
        found = dict(self.graders) if self.grading.samples else {}
        return found | ({ANSWER_JUDGE: self.answer_judge} if self.answers and self.answer_judge.samples else {})

    def with_template(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """``config`` with the identity of the grading prompt: another prompt is another run.

        Raises:
            LemmataError: the prompt file cannot be read.
        """
        return {**config, "grading": {**config["grading"], "template": template_identity(self.grading.template)}}


def graders_of(session: Session, settings: JudgingConfig) -> list[Grader]:
    """The judges that grade in points; none where ``grading.samples`` is 0."""
    names = settings.graders if settings.grading.samples else {}
    return [
        Grader(
            session.policies.of(name),
            role.sampling,
            settings.grading,
            judge_identity(settings, role),
            session.settings.verdicts,
        )
        for name, role in names.items()
    ]


def answer_judge_of(session: Session, settings: JudgingConfig) -> AnswerJudge | None:
    """The judge of final answers; None where there is none."""
    if ANSWER_JUDGE not in settings.judge_roles:
        return None
    role = settings.answer_judge
    policy = session.policies.of(ANSWER_JUDGE)
    return AnswerJudge(policy, role.sampling, role.samples, judge_identity(settings, role))


@dataclass(frozen=True)
class FinalGrading:
    """All grades of one final proof that the settings ask for; ``checker`` is None without final answers."""

    settings: JudgingConfig
    checker: AnswerChecker | None

    @classmethod
    @contextmanager
    def open(cls, settings: JudgingConfig) -> Iterator["FinalGrading"]:
        """Starts the checker of final answers, where one is needed, and ends it."""
        if not settings.answers:
            yield cls(settings, None)
            return
        with AnswerChecker(AnswerConfig()) as checker:
            yield cls(settings, checker)

    async def grade(self, session: Session, recorder: Recorder, proof: Proof) -> None:
        """Records the grades that the log does not hold yet."""
        await gather_all([self.points(session, recorder, proof), self._answer(session, recorder, proof)])
        if self.settings.exact and label_id(EXACT, proof) not in recorder.log:
            recorder.log.append([exact_label(recorder.problem, proof)])

    async def points(self, session: Session, recorder: Recorder, proof: Proof) -> None:
        """Records the points by every judge."""
        await gather_all(judge.grade(recorder, proof) for judge in graders_of(session, self.settings))

    async def _answer(self, session: Session, recorder: Recorder, proof: Proof) -> None:
        if self.checker is None:
            return
        name, log = label_id(ANSWER, proof), recorder.log
        if name not in log:
            log.append([await asyncio.to_thread(answer_label, self.checker, recorder.problem, proof)])
        label, judge = log.get(name), answer_judge_of(session, self.settings)
        assert isinstance(label, Label)
        if judge is not None:
            await judge.grade(recorder, proof, label)


def judge_identity(settings: SessionConfig, role: RoleConfig) -> str:
    """Name and model of the policy of a judge, from which the ids of its records follow."""
    name = role.policy or ""
    own = settings.policies.get(name) or {}
    return digest(name, str(own.get("model") or settings.policy.get("model") or ""))
