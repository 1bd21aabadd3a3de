"""The three roles on the lab: SFT examples have full reward, and faults cost what they should."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")  # the package of the tests below it needs torch

from core.reward import Reward
from core.sections import split_proof
from lab import families
from lab.prompts import templates
from rl.config import RoleName
from rl.task import Answer, Task
from rl.tasks.build import KINDS, make_task
from rl.tasks.lab import LabProver
from rl.tasks.mixed import MixedTask
from tests.rl.settings import data_config

MIXTURE = {kind: 1 + number % 2 for number, kind in enumerate(KINDS)}
CONFIG = data_config(families=tuple(families()), levels=(1, 2), mixture=MIXTURE)
ROLES: tuple[RoleName, ...] = ("prover", "verifier", "meta_verifier", "generator")
ONE = "\\boxed{1}"


def task_of(role: RoleName, split: str = "train", rounds: int = 1) -> Task:
    return make_task(role, replace(CONFIG, rounds=rounds), templates(), split, seed=0)


@pytest.mark.parametrize("role", ROLES[:3])
def test_worked_examples_earn_all(role: RoleName) -> None:
    task = task_of(role)
    for number in range(40):
        example = task.example(number)
        assert example.prompt == task.prompt(number)
        (reward,) = task.rewards([(number, [Answer(example.whole)])])
        assert reward.total == 1.0, (number, reward)
        (cut,) = task.rewards([(number, [Answer(example.whole, truncated=True)])])
        assert cut.total == 0.0


@pytest.mark.parametrize("role", ROLES)
def test_a_problem_is_its_number_and_split(role: RoleName) -> None:
    tasks = [task_of(role, split) for split in ("train", "train", "validation")]
    prompts = [[task.prompt(number) for number in range(45)] for task in tasks]  # some kinds ask what others ask
    assert prompts[0] == prompts[1]
    assert not set(prompts[0]) & set(prompts[2])
    assert len(set(prompts[0])) > 20


def test_an_example_of_a_sum_is_part_of_a_complete_proof() -> None:
    data = replace(CONFIG, families=("inequalities", "divisibility"), mixture={"sum": 1})
    task = make_task("generator", data, templates(), "train", seed=0)
    for number in range(20):
        example, (reward,) = task.example(number), task.rewards([(number, [Answer(task.example(number).whole)])])
        assert example.prompt == task.prompt(number)
        assert reward.parts["sum/proof"] == 1.0, example
        # A family that writes no sums out has whole proofs in their place.
        assert example.given.endswith(" = ") or not example.given
    assert any(task.example(number).given for number in range(20))


def test_an_example_of_a_sheet_judges_every_line() -> None:
    task = make_task("generator", replace(CONFIG, mixture={"sheet": 1}), templates(), "train", seed=0)
    for number in range(20):
        example = task.example(number)
        lines = example.prompt.rpartition("\n\n")[2].split("\n")
        assert all(f"Line {place}" in example.answer for place in range(1, 1 + len(lines))), example


def prover_rewards(answer: str, number: int = 0) -> Reward:
    (reward,) = task_of("prover").rewards([(number, [Answer(answer)])])
    return reward


def test_a_provers_reward_weighs_proof_and_honesty() -> None:
    """0.76 R_Y + 0.24 (1 - |s' - R_Y|), and nothing without the format (DeepSeekMath-V2, section 2.2)."""
    right = task_of("prover").example(0).whole
    assert prover_rewards(right.replace(ONE, "\\boxed{0}")).total == pytest.approx(0.76)
    wrong = (
        "## Solution\nThe claim holds, clearly.\n\n## Self Evaluation\n\n" + right.split("## Self Evaluation\n\n")[1]
    )
    assert prover_rewards(wrong).total == pytest.approx(0.0)
    assert prover_rewards(wrong.replace(ONE, "\\boxed{0}")).total == pytest.approx(0.24)
    assert prover_rewards(right.split("## Self Evaluation")[0]).total == 0.0
    assert prover_rewards("").parts == {"format": 0.0, "pass": 0.0}


def test_refinement_shows_the_proof_and_its_evaluation() -> None:
    task = task_of("prover", rounds=2)
    assert isinstance(task, LabProver)
    first = Answer(task.example(3).whole)
    follow_up, *ended = task.follow_ups([(3, [first]), (3, [first, first]), (3, [Answer("no proof")])])
    sections = split_proof(first.text)
    assert follow_up is not None
    assert sections.body is not None
    assert sections.self_evaluation is not None
    assert task.stream.item(3).theorem.statement in follow_up
    assert sections.body in follow_up
    assert sections.self_evaluation in follow_up
    assert ended == [None, None]


def test_a_generators_problems_come_from_all_kinds_in_their_shares() -> None:
    task = task_of("generator")
    assert isinstance(task, MixedTask)
    names = [task.locate(number)[0] for number in range(3 * sum(MIXTURE.values()))]
    assert {kind: names.count(kind) for kind in KINDS} == {kind: 3 * share for kind, share in MIXTURE.items()}
    own = [task.locate(number)[2] for number, name in enumerate(names) if name == "verifier"]
    assert own == list(range(len(own)))
    alone = task_of("verifier")
    assert [task.prompt(n) for n, name in enumerate(names) if name == "verifier"] == [alone.prompt(n) for n in own]


def test_a_generators_answers_are_judged_by_the_kind_of_their_problem() -> None:
    task = task_of("generator")
    assert isinstance(task, MixedTask)
    trajectories = [(number, [Answer(task.example(number).whole)]) for number in range(40)]
    for (number, _), reward in zip(trajectories, task.rewards(trajectories), strict=True):
        kind = task.locate(number)[0]
        assert all(part.startswith(f"{kind}/") for part in reward.parts)
        # An honest evaluation of a faulty proof earns less than the proof; sheets and pairs are no whole analyses.
        assert reward.total == 1.0 or kind in {"self_evaluator", "sheet", "pairs"}


def test_a_given_proof_is_followed_by_its_honest_evaluation() -> None:
    task = make_task("generator", replace(CONFIG, mixture={"self_evaluator": 1}), templates(), "train", seed=0)
    scores, refined = set(), set[bool]()
    for number in range(30):
        example = task.example(number)
        refined.add("Improve on this:" in example.prompt)
        (reward,) = task.rewards([(number, [Answer(example.whole)])])
        assert reward.parts["self_evaluator/self_score"] == 1.0
        scores.add(reward.parts["self_evaluator/proof"])
    assert scores == {0.0, 0.5, 1.0}
    assert refined == {True, False}  # a refined proof is evaluated, too


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of task 'poet'"):
        make_task("generator", replace(CONFIG, mixture={"poet": 1}), templates(), "train", seed=0)
    with pytest.raises(ValueError, match="at least one kind"):
        make_task("generator", replace(CONFIG, mixture={}), templates(), "train", seed=0)
