"""Adapters to other engines: each gives the roles' own rewards on random cases, inside the engine where that runs.

The engines have environments of their own, whose interpreters LEMMATA_TRL_PYTHON and LEMMATA_VERIFIERS_PYTHON name.
"""

import asyncio
import json
import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")  # the package of the tests below it needs torch

import pyarrow.parquet as pq

from core.errors import LemmataError
from core.questions import Question, about_analysis, about_proof
from core.sections import split_proof
from lab.prompts import templates
from meta_verifier.reward import meta_verifier_reward
from policy.interface import RunStopped
from prover.reward import prover_reward
from rl.adapters import for_slime, for_verl
from rl.adapters.data import Backend, write_data
from rl.adapters.for_nemo_gym import answer_of
from rl.adapters.for_trl import trl_reward
from rl.adapters.rewards import (
    AdapterConfig,
    RoleRewards,
    configured_rewards,
    ground_truth,
    load_rewards,
    write_settings,
)
from rl.judge import Judges
from rl.task import Answer
from rl.tasks.build import make_task
from rl.tasks.roles import RoleTask
from rl.tasks.tables import Case
from tests.processes import ROOT
from tests.rl.settings import data_config, judges_config
from verifier.reward import verifier_reward

CASES = 500
CONFIG = AdapterConfig(None, 3, judges_config(analyses=1, reviews=1))
EVALUATION = (
    "Here is my evaluation of the solution:\n%s\nBased on my evaluation, the final overall score should be:\n%s"
)
REVIEW = (
    'Here is my analysis of the "solution evaluation":\n%s\n'
    'Based on my analysis, I will rate the "solution evaluation" as:\n%s'
)


@dataclass
class Scored:
    """A judge whose score follows from the prompt; for a third of the prompts it has none."""

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        return [[Answer(EVALUATION % ("So.", self.verdict(prompt)))] * count for prompt in prompts]

    def verdict(self, prompt: str) -> str:
        score = self.score(prompt)
        return "none" if score is None else f"\\boxed{{{score:g}}}"

    def score(self, prompt: str) -> float | None:
        return random.Random(prompt).choice([0.0, 0.5, 1.0, 1.0, None, None])


def random_case(draw: random.Random, role: str) -> tuple[Case, Answer]:
    """A case, and an answer to it that may be well-formed, cut off, quoting, reasoning, or nonsense."""
    score = draw.choice(["0", "0.5", "1", "1.0", "0.7", "2"])
    box = draw.choice([f"\\boxed{{{score}}}", score, "", f"\\boxed{{{score}}} or \\boxed{{0}}"])
    proof = draw.choice(["Clear.", "By induction. \\boxed{1}", EVALUATION % ("Good.", "\\boxed{1}")])
    remark = draw.choice(["Fine.", "Line 2 fails.", proof, "<think>so</think>", "<think>so"])
    form = REVIEW if role == "meta_verifier" else EVALUATION
    text = form % (remark, box)
    if role == "prover":
        text = draw.choice([f"## Solution\n{proof}\n\n## Self Evaluation\n{text}", text, f"## Solution\n{proof}"])
    text = draw.choice([text, text, text, "", text[: len(text) // 2]])
    label, quality = (draw.choice([0.0, 0.5, 1.0]) for _ in range(2))
    case = Case(f"Show that {draw.random()} < 1.", "" if role == "prover" else proof, label, remark, quality)
    return case, Answer(text, truncated=draw.random() < 0.1)


def expected(role: str, case: Case, answer: Answer, judge: Scored | None) -> float | None:
    """The reward by the role's own function, with the judge asked by hand."""

    def score(question: Question) -> float | None:
        (answered,) = judge.ask([question.prompt], 1)[0] if judge else (None,)
        return answered.score(question.quoted) if answered else None

    truncated = answer.truncated
    if role == "meta_verifier":
        quoted = f"{case.proof}\n{case.analysis}"
        return meta_verifier_reward(answer.text, case.quality or 0.0, quoted=quoted, truncated=truncated).total
    if role == "verifier":
        r_meta = score(about_analysis(templates(), case.statement, case.proof, answer.text)) if judge else 1.0
        label = case.label or 0.0
        return verifier_reward(answer.text, label, quoted=case.proof, r_meta=r_meta, truncated=truncated).total
    sections = split_proof(answer.text)
    body, evaluation = sections.body or "", sections.self_evaluation or ""
    r_proof = score(about_proof(templates(), case.statement, body)) if body else None
    r_meta = None if judge else 1.0
    if judge and body and evaluation:
        r_meta = score(about_analysis(templates(), case.statement, body, evaluation))
    return prover_reward(answer.text, r_proof, r_meta=r_meta, truncated=truncated).total


def drawn(seed: int = 0) -> list[tuple[str, Case, Answer]]:
    """Random cases of all roles."""
    draw = random.Random(seed)
    roles = [draw.choice(["prover", "verifier", "meta_verifier"]) for _ in range(CASES)]
    return [(role, *random_case(draw, role)) for role in roles]


@pytest.mark.parametrize("judge", [None, Scored()])
def test_every_reward_is_the_roles_own_on_random_cases(judge: Scored | None) -> None:
    cases = drawn()
    judges = Judges(CONFIG.judges, judge, judge) if judge else None
    rewards = RoleRewards(CONFIG, judges)
    truths = [ground_truth(role, case) for role, case, _ in cases]
    found = [reward.total for reward in rewards.score(truths, [answer for _, _, answer in cases])]
    assert found == [expected(role, case, answer, judge) for role, case, answer in cases]
    assert len({value for value in found if value is not None}) >= (5 if judge else 3)
    assert None in found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the settings of the rewards, which the environment variable names."""
    write_settings(tmp_path, CONFIG)
    monkeypatch.setenv("LEMMATA_ADAPTER", str(tmp_path))
    configured_rewards.cache_clear()
    return tmp_path


def judged_cases() -> list[tuple[str, Case, Answer]]:
    """Random cases that need no judge."""
    return [case for case in drawn(1) if case[0] != "prover"]


def test_trl_verl_and_slime_give_these_rewards(folder: Path) -> None:
    cases = judged_cases()
    wanted = [expected(role, case, answer, None) for role, case, answer in cases]
    truths = [ground_truth(role, case) for role, case, _ in cases]
    # TRL does not say what is cut off, so that it is told by the number of tokens.
    ids = [[7, 7, 7] if answer.truncated else [7] for _, _, answer in cases]
    completions = [[{"role": "assistant", "content": answer.text}] for _, _, answer in cases]
    reward = trl_reward(load_rewards(folder), eos_token_id=0, max_tokens=3)
    columns = {"prompts": [""] * len(cases), "completions": completions, "completion_ids": ids, "trainer_state": None}
    assert asyncio.run(reward(ground_truth=truths, **columns)) == wanted

    async def verl() -> list[float]:
        return [
            (await for_verl.compute_score("lemmata", one.text, truth, {"truncated": one.truncated}))["score"]
            for (_, _, one), truth in zip(cases, truths, strict=True)
        ]

    assert asyncio.run(verl()) == wanted
    samples = [
        SimpleNamespace(
            label=truth, response=one.text, status=SimpleNamespace(value="truncated" if one.truncated else "completed")
        )
        for (_, _, one), truth in zip(cases, truths, strict=True)
    ]
    assert asyncio.run(for_slime.custom_rm(None, samples)) == wanted
    assert asyncio.run(for_slime.custom_rm(None, samples[0])) == wanted[0]


def test_a_failed_judge_is_no_reward_in_any_engine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case("Show that 1 < 2.", "")
    text = "## Solution\nSubtract.\n\n## Self Evaluation\n" + EVALUATION % ("Fine.", "\\boxed{1}")
    truth = ground_truth("prover", case)
    assert asyncio.run(trl_reward(load_rewards(folder))([""], [text], ground_truth=[truth])) == [None]
    with pytest.raises(LemmataError, match="the judge failed"):
        asyncio.run(for_verl.compute_score("lemmata", text, truth))
    sample = SimpleNamespace(label=truth, response=text, status="completed", remove_sample=False)
    assert asyncio.run(for_slime.custom_rm(None, sample)) == 0.0
    assert sample.remove_sample

    class Stopped:
        def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
            raise RunStopped("the token budget of 5 is used up")

    rewards = RoleRewards(CONFIG, Judges(CONFIG.judges, Stopped(), None))
    assert [reward.total for reward in rewards.score([truth] * 2, [Answer(text)] * 2)] == [None, None]
    assert capsys.readouterr().err.count("the token budget of 5 is used up") == 1


@pytest.mark.parametrize("backend", ["trl", "verifiers", "verl", "slime", "nemo_gym"])
def test_the_written_rows_are_the_roles_prompts(backend: Backend, tmp_path: Path) -> None:
    task = make_task("verifier", data_config(families=("inequalities",), levels=(1,)), templates(), "train", 0)
    assert isinstance(task, RoleTask)
    assert write_data(tmp_path, backend, "verifier", {"train": task}, 3) == {"train": 3}
    if backend == "verl":
        rows = pq.read_table(tmp_path / "train.parquet").to_pylist()
        truth = rows[1]["reward_model"]["ground_truth"]
    else:
        rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
        truth = rows[1].get("ground_truth") or rows[1]["label"]
    assert json.dumps(task.prompt(1))[1:-1] in json.dumps(rows[1])
    (reward,) = RoleRewards(CONFIG).score([truth], [Answer(task.example(1).whole)])
    assert reward.total == 1.0


def test_a_theorem_of_the_lab_is_rewarded_by_its_checker() -> None:
    task = make_task("prover", data_config(families=("inequalities",), levels=(1,)), templates(), "train", 0)
    assert isinstance(task, RoleTask)
    truth = ground_truth("prover", task.cases.case(0))
    (reward,) = RoleRewards(CONFIG).score([truth], [Answer(task.example(0).whole)])
    assert reward.total == 1.0


def test_a_judge_in_another_engine_is_behind_a_server(tmp_path: Path) -> None:
    write_settings(tmp_path, replace(CONFIG, judges=judges_config(verifier="runs/v/model")))
    with pytest.raises(LemmataError, match=r"runs/v/model is a model folder.*endpoint:NAME"):
        load_rewards(tmp_path)
    with pytest.raises(LemmataError, match="names no role"):
        RoleRewards(CONFIG).score(["{}"], [Answer("")])


def test_an_answer_of_the_responses_api_is_its_messages() -> None:
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "So."}]},
    ]
    assert answer_of({"output": output, "status": "completed"}) == Answer("So.")
    assert answer_of({"output": output, "status": "incomplete"}).truncated


def engine(name: str) -> str:
    """The interpreter of an engine's environment; skips where none is named."""
    python = os.environ.get(f"LEMMATA_{name}_PYTHON")
    if not python:
        pytest.skip(f"needs an environment with the engine: LEMMATA_{name}_PYTHON")
    return python


def run_engine(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Runs a script of tests/rl/engines in the engine's environment; returns what it prints as its last line."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "LEMMATA_ADAPTER": str(folder)}
    command = [engine(name), str(ROOT / "tests" / "rl" / "engines" / f"in_{name.lower()}.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def written_cases(folder: Path) -> tuple[str, list[float | None]]:
    """A file of random cases with their answers, and the rewards that are right."""
    cases = judged_cases()
    rows = [
        {"ground_truth": ground_truth(role, case), "text": one.text, "truncated": one.truncated}
        for role, case, one in cases
    ]
    (folder / "cases.json").write_text(json.dumps(rows))
    return str(folder / "cases.json"), [expected(role, case, answer, None) for role, case, answer in cases]


@pytest.mark.slow
def test_trl_trains_with_these_rewards(folder: Path) -> None:
    path, wanted = written_cases(folder)
    found = run_engine("TRL", folder, path)
    assert found["rewards"] == wanted
    assert found["steps"] == 3


@pytest.mark.slow
def test_verifiers_scores_by_these_rewards(folder: Path) -> None:
    path, wanted = written_cases(folder)
    assert run_engine("VERIFIERS", folder, path)["rewards"] == wanted
