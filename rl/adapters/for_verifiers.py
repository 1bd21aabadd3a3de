# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
"""verifiers v1: a taskset of the roles for a single agent.

vf-eval lemmata_roles --env.agent.harness.id null       (PYTHONPATH=FOLDER, LEMMATA_ADAPTER=FOLDER)

Importing it needs verifiers; `lemmata adapt` writes FOLDER/lemmata_roles.py, which verifiers finds by name.
"""

import json
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from rl.adapters.rewards import VARIABLE, configured_rewards
from rl.task import Answer

vf: Any = import_module("verifiers.v1")
TASKS = "train.jsonl"


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


def answer_of(trace: Any) -> Answer:
    """The last answer of a trace, without its reasoning."""
    return Answer(trace.last_reply, truncated=trace.is_truncated)
