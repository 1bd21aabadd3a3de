"""A grader whose answer gives no readable points is asked for them alone."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from core.imported import imported_proof
from core.records import FollowUp
from evaluation.grader import Grader, GradingConfig
from policy.interface import Completion, Policy, Prompt, Sampling
from policy.verdict import VerdictConfig
from tests.scripted import PROBLEM, open_recorder, records_of


@dataclass
class Judge(Policy):
    """Writes reasons without points, and ``short`` to the follow-up."""

    short: str
    name: str = "judge"
    asked: list[tuple[Prompt, Sampling]] = field(default_factory=list)

    @property
    @override
    def samples_per_request(self) -> int:
        return 1

    @override
    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        self.asked += [(prompt, sampling) for prompt in prompts]
        texts = [self.short if len(prompt.messages) == 3 else "The last case is missing." for prompt in prompts]
        return [[Completion(text, "stop", "m", 0.0)] for text in texts]

    @override
    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    ("short", "points"), [("6", 6.0), ("7/7", 7.0), ("6 points", 6.0), ("6.5", None), ("8", None), ("6 or 7", None)]
)
def test_points_alone(tmp_path: Path, short: str, points: float | None) -> None:
    judge = Judge(short)
    verdicts = VerdictConfig(ask_again=True, constrain="guided_choice")
    grader = Grader(judge, Sampling(), GradingConfig(samples=2), "judge", verdicts)
    recorder = open_recorder(tmp_path)
    with closing(recorder.log):
        proof = imported_proof(PROBLEM, "A proof.", model="m")
        gradings = asyncio.run(grader.grade(recorder, proof))
    assert [grading.points for grading in gradings] == [points] * 2
    assert [sampling.choices for _, sampling in judge.asked if sampling.choices] == [tuple("01234567")] * 2
    follow_ups = [record for record in records_of(recorder.log) if isinstance(record, FollowUp)]
    assert [record.parents for record in follow_ups] == [(grading.id,) for grading in gradings]
    assert all(record.template.startswith("follow_up of grading@") for record in follow_ups)
