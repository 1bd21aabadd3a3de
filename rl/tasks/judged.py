"""Rewards by trained judges in place of the truth, which is logged beside them and never learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from core.sections import ProofSections, split_proof
from core.templates import Templates
from lab.analyses import analysis_quality
from rl.judge import Judge, Judges
from rl.reward import Reward, reward_analysis, reward_proof
from rl.task import Answer
from rl.tasks.lab import LabProver, LabVerifier, exact_score, with_exact
from rl.tasks.tables import Case
from rl.tasks.wrapped import WrappedTask

Trajectories = Sequence[tuple[int, Sequence[Answer]]]
Subject = tuple[str, str]  # a prompt, and what it quotes


@dataclass(frozen=True)
class JudgedProofs(WrappedTask):
    """A prover or refiner whose R_Y is the trained verifier's score, and R_meta of the self-evaluation the trained
    meta-verifier's (DeepSeekMath-V2, section 2.2). The log's ``truth`` and ``pass`` are the checker's.
    """

    task: LabProver
    judges: Judges

    def rewards(self, trajectories: Trajectories) -> list[Reward]:
        """As Task.rewards."""
        cases = [self.task.cases.case(number) for number, _ in trajectories]
        answers = [answers[-1] for _, answers in trajectories]
        sections = [split_proof(answer.text) for answer in answers]
        found = list(zip(cases, sections, strict=True))
        templates, config = self.task.templates, self.judges.config
        proofs = mean_scores(
            self.judges.verifier, [proof_subject(templates, case, part) for case, part in found], config.analyses
        )
        evaluations = mean_scores(
            self.judges.meta_verifier,
            [_evaluation_subject(templates, case, part) for case, part in found],
            config.reviews,
        )
        return [
            self._reward(case, answer, part.body, r_proof, r_meta)
            for (case, part), answer, r_proof, r_meta in zip(found, answers, proofs, evaluations, strict=True)
        ]

    def _reward(
        self, case: Case, answer: Answer, body: str | None, r_proof: float | None, r_meta: float | None
    ) -> Reward:
        truth = exact_score(case, body)
        judged = r_proof if self.judges.verifier else truth
        trusted = r_meta if self.judges.meta_verifier else 1.0
        reward = reward_proof(answer.text, judged, r_meta=trusted, truncated=answer.truncated)
        passed = None if truth is None else float(truth == 1.0)
        return Reward(reward.total, {**reward.parts, "truth": truth, "pass": passed})


@dataclass(frozen=True)
class JudgedAnalyses(WrappedTask):
    """A verifier whose reward holds R_meta, the trained meta-verifier's rating of its analysis (section 2.1).

    The log's ``quality`` is the exact one.
    """

    task: LabVerifier
    judges: Judges

    def rewards(self, trajectories: Trajectories) -> list[Reward]:
        """As Task.rewards."""
        cases = [self.task.cases.case(number) for number, _ in trajectories]
        answers = [answers[-1] for _, answers in trajectories]
        subjects = [
            _review_subject(self.task.templates, case, case.proof, answer.text)
            for case, answer in zip(cases, answers, strict=True)
        ]
        ratings = mean_scores(self.judges.meta_verifier, subjects, self.judges.config.reviews)
        return [_judged(case, answer, r) for case, answer, r in zip(cases, answers, ratings, strict=True)]


def _judged(case: Case, answer: Answer, r_meta: float | None) -> Reward:
    assert case.label is not None
    reward = reward_analysis(answer.text, case.label, quoted=case.proof, r_meta=r_meta, truncated=answer.truncated)
    quality = None if case.theorem is None else analysis_quality(case.theorem, case.proof, answer.text)
    exact = with_exact(reward)
    return Reward(exact.total, {**exact.parts, "quality": quality})


def proof_subject(templates: Templates, case: Case, sections: ProofSections) -> Subject | None:
    """What the verifier is asked about an answer; None where it holds no proof."""
    if not sections.body:
        return None
    return templates.verification(case.statement, sections.body), sections.body


def _evaluation_subject(templates: Templates, case: Case, sections: ProofSections) -> Subject | None:
    if not sections.body or not sections.self_evaluation:
        return None
    return _review_subject(templates, case, sections.body, sections.self_evaluation)


def _review_subject(templates: Templates, case: Case, proof: str, analysis: str) -> Subject:
    return templates.meta_verification(case.statement, proof, analysis), f"{proof}\n{analysis}"


def mean_scores(judge: Judge | None, subjects: Sequence[Subject | None], count: int) -> list[float | None]:
    """The judge's mean score of each subject over its readable verdicts; None where there is none."""
    means: list[float | None] = [None] * len(subjects)
    if judge is None:
        return means
    asked = [(place, subject) for place, subject in enumerate(subjects) if subject is not None]
    answered = judge.ask([prompt for _, (prompt, _) in asked], count)
    for (place, (_, quoted)), answers in zip(asked, answered, strict=True):
        scores = [score for answer in answers if (score := answer.score(quoted)) is not None]
        means[place] = fmean(scores) if scores else None
    return means
