"""Rewards by trained judges, tables of cases and of SFT examples: training data, and truths that are only logged."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

pytest.importorskip("torch")  # the package of the tests below it needs torch

from core.errors import LemmataError
from core.labeled_cases import write_cases
from lab.prompts import templates
from rl.config import RoleName
from rl.judge import Judges
from rl.task import Answer, Example, Task
from rl.tasks.build import DataConfig, make_task
from rl.tasks.examples import read_examples, write_examples
from rl.tasks.lab import LabTask
from rl.tasks.tables import Case, read_cases
from tests.rl.settings import data_config, judges_config

DATA = data_config(families=("inequalities", "equations"), levels=(1,))
VERDICT = "Here is my evaluation of the solution:\nI find no defect: all steps are right and the claim is settled.\n"
SAYS = VERDICT + "Based on my evaluation, the final overall score should be:\n\\boxed{%s}"


@dataclass
class Fixed:
    """A judge that always says the same; remembers what it was asked."""

    answers: Sequence[str]

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        self.asked += prompts
        return [[Answer(self.answers[index % len(self.answers)]) for index in range(count)] for _ in prompts]


def judged(role: RoleName, verifier: Fixed | None, meta: Fixed | None, data: DataConfig = DATA) -> Task:
    config = judges_config(analyses=2, reviews=1)
    return make_task(role, data, templates(), "train", 0, Judges(config, verifier, meta))


def test_a_provers_reward_is_its_judges_and_the_truth_stays_in_the_log() -> None:
    verifier, meta = Fixed([SAYS % "0.5", SAYS % "1"]), Fixed([SAYS % "0.5"])
    task = judged("prover", verifier, meta)
    right = task.example(0).whole
    (reward,) = task.rewards([(0, [Answer(right)])])
    # R_Y = 0.75, the mean of two analyses; the self-score of 1 is 0.25 off; R_meta is 0.5.
    assert reward.total == pytest.approx(0.76 * 0.75 + 0.24 * 0.75 * 0.5)
    assert (reward.parts["truth"], reward.parts["pass"], reward.parts["proof"]) == (1.0, 1.0, 0.75)
    (false,) = task.rewards([(0, [Answer(right.replace("claim is", "claim is not"))])])
    assert false.total == reward.total
    assert false.parts["pass"] == 0.0


def test_a_judge_that_says_nothing_leaves_no_reward() -> None:
    task = judged("prover", Fixed(["I do not know."]), None)
    (reward,) = task.rewards([(0, [Answer(task.example(0).whole)])])
    assert reward.total is None


def test_no_proof_is_shown_to_no_judge() -> None:
    verifier, meta = Fixed([SAYS % "1"]), Fixed([SAYS % "1"])
    (reward,) = judged("prover", verifier, meta).rewards([(0, [Answer("")])])
    assert reward.total == 0.0
    assert verifier.asked == meta.asked == []


def test_a_verifiers_reward_holds_the_rating_of_its_analysis() -> None:
    task = judged("verifier", None, Fixed([SAYS % "0.5"]))
    (reward,) = task.rewards([(0, [Answer(task.example(0).whole)])])
    assert reward.total == 0.5
    assert reward.parts["quality"] == 1.0
    assert reward.parts["exact"] == 1.0


def test_judges_do_not_measure() -> None:
    judges = Judges(judges_config(), Fixed([SAYS % "0"]), None)
    task = make_task("prover", DATA, templates(), "validation", 0, judges)
    (reward,) = task.rewards([(0, [Answer(task.example(0).whole)])])
    assert reward.total == 1.0


def cases_of(task: Task, count: int) -> list[Case]:
    assert isinstance(task, LabTask)
    return [task.cases.case(number) for number in range(count)]


@pytest.mark.parametrize(("role", "column"), [("verifier", "proofs"), ("meta_verifier", "analyses")])
def test_a_tables_cases_take_turns_with_planted_ones(role: RoleName, column: str, tmp_path: Path) -> None:
    planted = make_task(role, DATA, templates(), "train", 0)
    other = make_task(role, DATA, templates(), "train", 7)
    path = tmp_path / "cases.jsonl"
    assert write_cases(path, cases_of(other, 3)) == 3
    task = make_task(role, replace(DATA, **{column: str(path)}), templates(), "train", 0)
    prompts = [task.prompt(number) for number in range(10)]
    assert prompts[::2] == [planted.prompt(number) for number in range(5)]
    assert prompts[1::2] == [other.prompt(number) for number in (0, 1, 2, 0, 1)]
    (reward,) = task.rewards([(1, [Answer(other.example(0).whole)])])
    assert reward.total == 1.0


def test_critiques_take_the_place_of_planted_ones(tmp_path: Path) -> None:
    case = cases_of(make_task("verifier", DATA, templates(), "train", 3), 1)[0]
    path = tmp_path / "critiques.jsonl"
    write_cases(path, [replace(case, analysis="Line 1 looks odd.")])
    data = replace(DATA, critiques=str(path), mixture={"refiner": 1})
    task = judged("generator", Fixed([SAYS % "1"]), None, data)
    assert "Line 1 looks odd." in task.prompt(0)
    assert case.proof in task.prompt(0)
    (reward,) = task.rewards([(0, [Answer("## Solution\nx = 1.\n\n## Self Evaluation\n\n" + SAYS % "1")])])
    assert reward.total == 1.0
    assert reward.parts["refiner/pass"] == 0.0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"proof": None}, "column proof is missing"),
        ({"label": 0.7}, "label=0.7 is not one of 0, 0.5 and 1"),
        ({"seed": 10**9}, "the statement is not that of the lab's theorem"),
        ({"family": "poems"}, "no family 'poems'"),
    ],
)
def test_a_wrong_row_is_named(change: dict[str, object], match: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, cases_of(make_task("verifier", DATA, templates(), "train", 0), 1))
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + "\n")
    with pytest.raises(LemmataError, match=match):
        read_cases(str(path), ["label"])


def test_a_proof_of_no_theorem_of_the_lab_can_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, [Case("Prove that 1 + 1 = 2.", "Clear.", 0.0)])
    task = make_task("verifier", replace(DATA, proofs=str(path)), templates(), "train", 0)
    (reward,) = task.rewards([(1, [Answer(SAYS % "0")])])
    assert reward.parts == {"format": 1.0, "score": 1.0, "meta": 1.0, "exact": 1.0}


def test_examples_of_a_table_replace_the_labs_and_problems_stay(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    examples = [Example("a?", "b"), Example("c?", "d", given="so, ")]
    write_examples(path, examples)
    assert read_examples(str(path)) == examples
    task = make_task("prover", replace(DATA, examples=str(path)), templates(), "train", 0)
    assert [task.example(number) for number in range(3)] == [*examples, examples[0]]
    assert task.prompt(0) == make_task("prover", DATA, templates(), "train", 0).prompt(0)
    path.write_text('{"prompt": "a?"}\n')
    with pytest.raises(LemmataError, match="needs the columns prompt and answer"):
        read_examples(str(path))
