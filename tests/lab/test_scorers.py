"""The lab behind the interfaces of other libraries."""

import pytest

from lab import families, generate
from lab.items import ROLES, Item, Stream, read_item
from lab.scorers import LabConfig, LabDataset, compute_score, register, trl_reward


@pytest.mark.parametrize("role", ROLES)
def test_the_reference_answer_scores_1_and_others_less(role: str) -> None:
    data = LabDataset(LabConfig(role=role, size=36))
    entries = list(data)
    assert len(data) == len(entries) == 36
    assert entries[7] == data[7]
    for entry in entries:
        assert data.score_answer(entry["answer"], entry) == 1
        assert data.score_answer("The claim is true.", entry) == 0
        assert data.score_answer("", entry) == data.score_answer(None, entry) == 0
    with pytest.raises(IndexError):
        data[36]


def test_an_item_is_drawn_again_from_its_string() -> None:
    for role in ROLES:
        item = Stream(role, families(), (1, 2), seed=3).item(17)
        assert read_item(item.ground_truth) == item
    assert Item("prove", "sums", 2, 5, "test").theorem == generate("sums", 2, 5, "test")


@pytest.mark.parametrize(
    "text", ["", "prove", "prove/sums/2/5", "judge/sums/2/5/train/1", "verify/sums/2/5/train", "prove/sums/x/5/train"]
)
def test_other_strings_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match=r"ground truth|invalid literal"):
        read_item(text)


def test_scores_of_a_verifier_are_exact() -> None:
    item = next(found for n in range(99) if (found := Stream("verify", ["sums"], [1]).item(n)).proof.label == 0.5)
    assert item.score(item.answer) == 1
    assert item.score(item.answer.replace("\\boxed{0.5}", "\\boxed{0}")) == 0.25  # half the score, half the quality
    empty = (
        "Here is my evaluation of the solution:\nBased on my evaluation, the final overall score should be:\n\\boxed{1}"
    )
    assert item.score(empty) == 0.5


def test_trl_and_verl() -> None:
    items = [Stream("verify", families(), (1,)).item(number) for number in range(6)]
    truths = [item.ground_truth for item in items]
    answers = [item.answer for item in items]
    prompts = [item.prompt for item in items]
    assert trl_reward(prompts=prompts, completions=answers, ground_truth=truths, level=[1] * 6) == [1.0] * 6
    messages = [[{"role": "assistant", "content": answer}] for answer in answers]
    assert trl_reward(prompts=prompts, completions=messages, ground_truth=truths) == [1.0] * 6
    assert compute_score("lemmata_lab", answers[0], truths[0], {"index": 0}) == 1.0
    assert compute_score("lemmata_lab", "no answer", truths[0]) == 0.0


@pytest.mark.parametrize(
    "settings", [{"families": ["x"]}, {"levels": [7]}, {"levels": [6]}, {"role": "x"}, {"split": "x"}]
)
def test_what_does_not_exist_is_an_error(settings: dict) -> None:
    with pytest.raises(ValueError, match=r"no |level"):
        LabConfig(**settings).validate()


def test_reasoning_gym_knows_the_lab() -> None:
    reasoning_gym = pytest.importorskip("reasoning_gym")
    register()
    data = reasoning_gym.create_dataset("lemmata_lab", role="verify", size=5, seed=4)
    assert [data.score_answer(entry["answer"], entry) for entry in data] == [1.0] * 5
    scorer = reasoning_gym.get_score_answer_fn("lemmata_lab")
    assert scorer(data[0]["answer"], data[0]) == 1.0
