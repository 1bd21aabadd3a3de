"""Rewards of answers by role, whatever engine sampled them: the one definition that all adapters share.

A row of data has ``ground_truth``, a JSON text with the role and the case that its prompt is about.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from core.config import STRICT, Name, read_config, settings
from core.errors import LemmataError
from core.reward import Reward
from core.templates import Templates
from lab.prompts import named_templates
from policy.interface import RunStopped
from rl.endpoint_judge import EndpointJudges
from rl.judge import ENDPOINT, Judge, Judges, JudgesConfig, judge_names, panel
from rl.task import Answer
from rl.tasks.judged import judged
from rl.tasks.roles import RoleTask
from rl.tasks.table_roles import TableMetaVerifier, TableProver, TableVerifier
from rl.tasks.tables import COORDINATES, Case, RepeatedTable, theorem_of

SETTINGS, VARIABLE = "adapter.json", "LEMMATA_ADAPTER"
ROLES = {"prover": TableProver, "verifier": TableVerifier, "meta_verifier": TableMetaVerifier}
NO_REWARD = Reward(None, {})
# The parts of a case that prompts and rewards need.
CASE = ("statement", "proof", "label", "analysis", "quality", "guidelines", *COORDINATES)


@settings(frozen=True, config=STRICT)
class AdapterConfig:
    """Settings of the rewards: ``prompts`` and ``judges`` as of `lemmata train`, and the ``seed`` of the judges."""

    prompts: Name | None
    seed: int
    judges: JudgesConfig


@dataclass
class RoleRewards:
    """Prompts and rewards of all roles; ``judges`` as in `rl.tasks.judged`, None: none.

    Answers that a judge gives none for have no reward (None), also where its budget is used up.
    """

    config: AdapterConfig
    judges: Judges | None = None
    warned: set[str] = field(default_factory=set)

    @property
    def templates(self) -> Templates:
        """The prompts of the roles."""
        return named_templates(self.config.prompts or "lab")

    def task(self, role: str, cases: Sequence[Case]) -> RoleTask:
        """The task of a role on some cases, without judges. Raises LemmataError for an unknown role."""
        if role not in ROLES:
            raise LemmataError(f"no role {role!r} in the data; known: {', '.join(ROLES)}")
        return ROLES[role](RepeatedTable(cases), self.templates, 1)

    def score(self, ground_truths: Sequence[str], answers: Sequence[Answer]) -> list[Reward]:
        """Rewards answers, each to the prompt of its ground truth.

        Raises LemmataError for a ground truth of another form.
        """
        parsed = [read_ground_truth(text) for text in ground_truths]
        found: dict[int, Reward] = {}
        for role in dict.fromkeys(role for role, _ in parsed):
            places = [place for place, (other, _) in enumerate(parsed) if other == role]
            task = judged(self.task(role, [parsed[place][1] for place in places]), self.judges)
            try:
                rewards = task.rewards([(number, [answers[place]]) for number, place in enumerate(places)])
            except RunStopped as error:
                self._warn(str(error))
                rewards = [NO_REWARD] * len(places)
            found |= dict(zip(places, rewards, strict=True))
        return [found[place] for place in range(len(parsed))]

    async def score_async(self, ground_truths: Sequence[str], answers: Sequence[Answer]) -> list[Reward]:
        """Rewards of `score` from a thread, so that an engine's event loop goes on while judges answer."""
        return await asyncio.to_thread(self.score, ground_truths, answers)

    def _warn(self, text: str) -> None:
        if text not in self.warned:
            self.warned.add(text)
            print(f"no reward from here on: {text}", file=sys.stderr, flush=True)


def ground_truth(role: str, case: Case) -> str:
    """The text by which an answer about a case is rewarded."""
    known = {**case.row(), "guidelines": case.guidelines}
    return json.dumps({"role": role, **{key: known[key] for key in CASE if known.get(key) not in (None, "")}})


def read_ground_truth(text: str) -> tuple[str, Case]:
    """The role and the case of `ground_truth`. Raises LemmataError for a text of another form."""
    try:
        value = json.loads(text)
        cells = {key: value[key] for key in CASE if key in value and key not in COORDINATES}
        return value["role"], Case(**{"proof": "", **cells}, theorem=theorem_of("ground_truth", value))
    except (ValueError, TypeError, KeyError) as error:
        raise LemmataError(
            f"ground_truth={text[:80]!r} names no role and case: write the data by `lemmata adapt`"
        ) from error


def write_settings(folder: Path, config: AdapterConfig) -> Path:
    """Writes the settings of the rewards into a folder of data."""
    path = folder / SETTINGS
    path.write_text(json.dumps(asdict(config), indent=1) + "\n", encoding="utf-8")
    return path


def load_rewards(path: str | Path) -> RoleRewards:
    """The rewards of a folder that `lemmata adapt` wrote, or of its ``adapter.json``.

    Several processes may use one folder: each keeps the answers of its judges in a file of its own.

    Raises:
        LemmataError: there are no settings, they are wrong, or a judge cannot be loaded.
    """
    path = Path(path)
    path = path / SETTINGS if path.is_dir() else path
    try:
        value: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LemmataError(f"{path} cannot be read ({error}): write it by `lemmata adapt out=FOLDER`") from error
    config = read_config(AdapterConfig, value, "")
    return RoleRewards(config, _judges(config, path.parent))


@cache
def configured_rewards() -> RoleRewards:
    """The rewards that the environment variable names. Raises LemmataError where it is not set."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise LemmataError(f"set the environment variable {VARIABLE} to the folder that `lemmata adapt` wrote")
    return load_rewards(folder)


def _judges(config: AdapterConfig, folder: Path) -> Judges | None:
    names = {role: judge_names(getattr(config.judges, role)) for role in ("verifier", "meta_verifier")}
    used = dict.fromkeys(name for group in names.values() for name in group)
    if local := [name for name in used if not name.startswith(ENDPOINT)]:
        raise LemmataError(
            f"judges: {local[0]} is a model folder; in another engine a judge is behind a server: serve it "
            f"(lemmata serve {local[0]}) and name it endpoint:NAME"
        )
    if not used:
        return None
    endpoints = EndpointJudges(config.judges, folder, os.getpid(), config.seed)
    made: dict[str, Judge] = {name: endpoints.of(name) for name in used}
    return Judges(config.judges, *(panel([made[name] for name in group]) for group in names.values()))
