# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
"""verifiers v1: a taskset of the roles for a single agent, and an environment in which the three roles play together.

vf-eval lemmata_roles --env.agent.harness.id null       (PYTHONPATH=FOLDER, LEMMATA_ADAPTER=FOLDER)
vf-eval lemmata_roles --env.id lemmata_proof_env        (agents prover, verifier and meta_verifier)

Importing it needs verifiers; `lemmata adapt` writes FOLDER/lemmata_roles.py and FOLDER/lemmata_proof_env.py, which
verifiers finds by name.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from typing_extensions import override

from core.errors import LemmataError
from core.questions import about_analysis, about_proof
from core.sections import split_proof
from rl.adapters.rewards import VARIABLE, configured_rewards, read_ground_truth
from rl.judge import Judge, Judges, JudgesConfig
from rl.task import Answer

vf: Any = import_module("verifiers.v1")
TASKS = "train.jsonl"
JUDGING = ("verifier", "meta_verifier")  # seats that judge the answers of others


class RoleData(vf.TaskData):
    """A prompt with the ground truth that its answer is rewarded by."""

    ground_truth: str


class RolePromptTask(vf.Task[RoleData]):
    """A prompt of a role."""

    @vf.reward
    async def lemmata(self, trace: Any) -> float:
        """The reward of the role. Raises LemmataError where the judge failed: then verifiers scores nothing."""
        rewards = configured_rewards()
        (reward,) = await rewards.score_async([self.data.ground_truth], [answer_of(trace)])
        if reward.total is None:
            raise LemmataError("no reward: the judge failed on the answer; see FOLDER/judges")
        trace.record_metrics({name: part for name, part in reward.parts.items() if part is not None})
        return reward.total


class RolesConfig(vf.TasksetConfig):
    """Configuration of the taskset: the file in the folder of `lemmata adapt`."""

    file: str = TASKS


class RolesTaskset(vf.Taskset[RolePromptTask, RolesConfig]):
    """The rows that `lemmata adapt backend=verifiers` wrote."""

    def load(self) -> Iterator[RolePromptTask]:
        """Yields a task for each row. Raises LemmataError where there is no such file."""
        path = Path(os.environ.get(VARIABLE, "")) / self.config.file
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise LemmataError(f"{path} cannot be read ({error}): set {VARIABLE} to the folder of the data") from error
        for line in lines:
            row = json.loads(line)
            yield RolePromptTask(RoleData(prompt=row["prompt"], ground_truth=row["ground_truth"]), self.config.task)


class ProofEnvConfig(vf.EnvConfig):
    """Seats of the three roles, each with its own model and sampling.

    ``analyses`` of a proof, and ``reviews`` of each analysis or self-evaluation.
    """

    prover: vf.AgentConfig = vf.AgentConfig()
    verifier: vf.AgentConfig = vf.AgentConfig()
    meta_verifier: vf.AgentConfig = vf.AgentConfig()
    analyses: int = 2
    reviews: int = 1


class ProofEnv(vf.Env[ProofEnvConfig]):
    """The role of the row answers its prompt; the other two judge that answer, and the reward is by their answers.

    Prover: R_Y by the verifier's analyses, R_meta by the meta-verifier's reviews of the self-evaluation. Verifier: the
    label of the row, and R_meta by reviews of its analysis. Meta-verifier: the quality of the row, alone.
    """

    async def run(self, task: Any, agents: Any) -> None:
        """Lets the role of the row act and the others judge."""
        role, _ = read_ground_truth(task.data.ground_truth)
        deferred = task.defer_scoring()
        trace = await getattr(agents, role).run(deferred)
        for seat, prompt, count in self._questions(task, answer_of(trace).text):
            judge = deferred.with_data(prompt=prompt)
            for _ in range(count):
                await getattr(agents, seat).run(judge)

    async def finalize(self, task: Any, episode: Any) -> None:
        """Rewards the acting role. Raises LemmataError where it gave no answer, or no judge's answer can be parsed."""
        role, _ = read_ground_truth(task.data.ground_truth)
        acting, others = _split_traces(role, episode.traces)
        if acting is None or acting.has_error:
            raise LemmataError(f"the {role} gave no answer: the episode has no reward")
        seats = {name: _Answered([one for one in others if one.agent.name == name]) for name in JUDGING}
        verifier = seats["verifier"] if role == "prover" else None
        judges = Judges(_judging(self.config), verifier, None if role == "meta_verifier" else seats["meta_verifier"])
        scorer = replace(configured_rewards(), judges=judges)
        (reward,) = scorer.score([task.data.ground_truth], [answer_of(acting)])
        if reward.total is None:
            raise LemmataError(f"no reward for the {role}: no judge's answer could be parsed")
        acting.record_reward("lemmata", reward.total)
        acting.record_metrics({name: part for name, part in reward.parts.items() if part is not None})

    def _questions(self, task: Any, text: str) -> Iterator[tuple[str, str, int]]:
        """The seats that judge an answer, each with its prompt and how often it is asked."""
        role, case = read_ground_truth(task.data.ground_truth)
        templates = configured_rewards().templates
        if role == "prover":
            sections = split_proof(text)
            if sections.body:
                yield "verifier", about_proof(templates, case.statement, sections.body).prompt, self.config.analyses
                if sections.self_evaluation:
                    question = about_analysis(templates, case.statement, sections.body, sections.self_evaluation)
                    yield "meta_verifier", question.prompt, self.config.reviews
        elif role == "verifier":
            question = about_analysis(templates, case.statement, case.proof, text)
            yield "meta_verifier", question.prompt, self.config.reviews


class _Answered(Judge):
    """The answers of a seat in an episode, as a judge that has been asked."""

    def __init__(self, traces: Sequence[Any]) -> None:
        self._answers: dict[str, list[Answer]] = {}
        for trace in traces:
            if not trace.has_error:
                self._answers.setdefault(trace.task.data.prompt, []).append(answer_of(trace))

    @override
    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        return [self._answers.get(prompt, []) for prompt in prompts]


def answer_of(trace: Any) -> Answer:
    """The last answer of a trace, without its reasoning."""
    return Answer(trace.last_reply, truncated=trace.is_truncated)


def _split_traces(role: str, traces: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The trace of the acting role, which is its first, and all others."""
    first = next((trace for trace in traces if trace.agent.name == role), None)
    return first, [trace for trace in traces if trace is not first]


def _judging(config: Any) -> JudgesConfig:
    settings = configured_rewards().config
    return replace(settings.judges, analyses=config.analyses, reviews=config.reviews)
