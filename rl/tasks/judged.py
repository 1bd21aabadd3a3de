"""Tasks rewarded by judges in place of the exact truth, which is only logged where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from typing_extensions import override

from core.questions import Question, about_analysis, about_proof
from core.reward import Reward
from core.sections import ProofSections, split_proof
from lab.analyses import analysis_quality
from prover.reward import prover_reward
from rl.judge import Judge, Judges
from rl.rubric_judge import rubric_prompt
from rl.task import Answer, Task
from rl.tasks.roles import ProverTask, RoleTask, VerifierTask, exact_score, with_exact
from rl.tasks.tables import Case
from rl.tasks.wrapped import WrappedTask
from verifier.reward import verifier_reward

Trajectories = Sequence[tuple[int, Sequence[Answer]]]


@dataclass(frozen=True)
class JudgedProofs(WrappedTask):
    """A prover or refiner whose R_Y is the trained verifier's score, and whose R_meta is the trained meta-verifier's
    score of the self-evaluation (DeepSeekMath-V2, section 2.2). The logged ``truth`` and ``pass`` are the checker's.

    ``by_verifier``: a proof is refined by the trained verifier's analysis of it, until it accepts (verifier in the
    loop, arXiv 2605.30290). The analyses are those that the reward of that proof would be the mean of.
    """

    task: ProverTask
    judges: Judges
    by_verifier: bool = False

    @override
    def follow_ups(self, trajectories: Trajectories) -> list[str | None]:
        verifier = self.judges.verifier
        if not self.by_verifier or verifier is None:
            return self.task.follow_ups(trajectories)
        bodies = {
            place: (self.task.cases.case(number).statement, body)
            for place, (number, answers) in enumerate(trajectories)
            if len(answers) < self.task.rounds and (body := split_proof(answers[-1].text).body)
        }
        questions = [about_proof(self.task.templates, *each) for each in bodies.values()]
        answered = verifier.ask([question.prompt for question in questions], self.judges.config.analyses)
        found: list[str | None] = [None] * len(trajectories)
        for (place, (statement, body)), question, analyses in zip(bodies.items(), questions, answered, strict=True):
            critique = critique_of([(one.text, one.score(question.quoted)) for one in analyses])
            if critique is not None:
                found[place] = self.task.templates.refinement(statement, [(body, [critique])])
        return found

    @override
    def rewards(self, trajectories: Trajectories) -> list[Reward]:
        cases = [self.task.cases.case(number) for number, _ in trajectories]
        answers = [answers[-1] for _, answers in trajectories]
        sections = [split_proof(answer.text) for answer in answers]
        pairs = list(zip(cases, sections, strict=True))
        proof_questions = [self._about_proof(case, part) for case, part in pairs]
        evaluation_questions = [self._about_evaluation(case, part) for case, part in pairs]
        config = self.judges.config
        r_proofs = mean_scores(self.judges.verifier, proof_questions, config.analyses)
        r_metas = mean_scores(self.judges.meta_verifier, evaluation_questions, config.reviews)
        return [
            self._reward(case, answer, part.body, r_proof, r_meta)
            for (case, part), answer, r_proof, r_meta in zip(pairs, answers, r_proofs, r_metas, strict=True)
        ]

    def _about_proof(self, case: Case, sections: ProofSections) -> Question | None:
        if not sections.body:
            return None
        if case.guidelines and self.judges.config.guidelines:
            prompt = rubric_prompt(case.statement, sections.body, case.guidelines)
            return Question(prompt.messages[0].content, sections.body)
        return about_proof(self.task.templates, case.statement, sections.body)

    def _about_evaluation(self, case: Case, sections: ProofSections) -> Question | None:
        if not sections.body or not sections.self_evaluation:
            return None
        return about_analysis(self.task.templates, case.statement, sections.body, sections.self_evaluation)

    def _reward(
        self, case: Case, answer: Answer, body: str | None, r_proof: float | None, r_meta: float | None
    ) -> Reward:
        truth = exact_score(case, body)
        r_proof = r_proof if self.judges.verifier else truth
        r_meta = r_meta if self.judges.meta_verifier else 1.0
        reward = prover_reward(answer.text, r_proof, r_meta=r_meta, truncated=answer.truncated)
        passed = None if truth is None else float(truth == 1.0)
        return Reward(reward.total, {**reward.parts, "truth": truth, "pass": passed})


@dataclass(frozen=True)
class JudgedAnalyses(WrappedTask):
    """A verifier whose R_meta is the trained meta-verifier's rating of its analysis (DeepSeekMath-V2, section 2.1).

    The logged ``quality`` is the exact one.
    """

    task: VerifierTask
    judges: Judges

    @override
    def rewards(self, trajectories: Trajectories) -> list[Reward]:
        cases = [self.task.cases.case(number) for number, _ in trajectories]
        answers = [answers[-1] for _, answers in trajectories]
        questions = [
            about_analysis(self.task.templates, case.statement, case.proof, answer.text)
            for case, answer in zip(cases, answers, strict=True)
        ]
        r_metas = mean_scores(self.judges.meta_verifier, questions, self.judges.config.reviews)
        return [_analysis_reward(*each) for each in zip(cases, answers, r_metas, strict=True)]


def _analysis_reward(case: Case, answer: Answer, r_meta: float | None) -> Reward:
    assert case.label is not None
    reward = verifier_reward(answer.text, case.label, quoted=case.proof, r_meta=r_meta, truncated=answer.truncated)
    quality = None if case.theorem is None else analysis_quality(case.theorem, case.proof, answer.text)
    exact = with_exact(reward)
    return Reward(exact.total, {**exact.parts, "quality": quality})


def judged(task: RoleTask, judges: Judges | None, *, by_verifier: bool = False) -> Task:
    """``task`` with the rewards of those of the ``judges`` that have a part in them."""
    if judges is not None and isinstance(task, ProverTask):
        return JudgedProofs(task, judges, by_verifier=by_verifier)
    if judges is not None and judges.meta_verifier is not None and isinstance(task, VerifierTask):
        return JudgedAnalyses(task, judges)
    return task


def critique_of(analyses: Sequence[tuple[str, float | None]]) -> str | None:
    """The analysis of the lowest score below 1, by which a proof is refined, the first of equals; None without any."""
    issues = [(score, place) for place, (_, score) in enumerate(analyses) if score is not None and score < 1.0]
    return analyses[min(issues)[1]][0] if issues else None


def mean_scores(judge: Judge | None, questions: Sequence[Question | None], count: int) -> list[float | None]:
    """Asks the judge each question ``count`` times; returns the mean of its parseable scores, None without any."""
    means: list[float | None] = [None] * len(questions)
    if judge is None:
        return means
    asked = [(place, question) for place, question in enumerate(questions) if question is not None]
    answered = judge.ask([question.prompt for _, question in asked], count)
    for (place, question), answers in zip(asked, answered, strict=True):
        scores = [score for answer in answers if (score := answer.score(question.quoted)) is not None]
        means[place] = fmean(scores) if scores else None
    return means
