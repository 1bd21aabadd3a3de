"""A trained model as a judge: the same prompt, the same answers; its weights stay as they are."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from core.errors import LemmataError
from model.checkpoint import save_pretrained
from rl.trained_judge import TrainedJudge
from tests.rl.small import TOKENIZER, small_module

pytestmark = pytest.mark.trains

PROMPTS = ["Judge this.", "Judge that.", "Judge this."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights."""
    path = tmp_path_factory.mktemp("judge") / "model"
    save_pretrained(small_module(dtype=torch.float32), path, TOKENIZER)
    return path


def judge(folder: Path, seed: int = 0, temperature: float = 1.0, max_tokens: int = 8) -> TrainedJudge:
    return TrainedJudge(folder, temperature, max_tokens, seed)


def test_the_same_prompt_has_the_same_answers_in_any_company(folder: Path) -> None:
    one = judge(folder)
    first = one.ask(PROMPTS, 3)
    assert first[0] == first[2] != first[1]
    assert len({answer.text for answer in first[0]}) == 3
    assert one.ask(PROMPTS[:1], 3) == first[:1]
    assert judge(folder).ask(PROMPTS[1:2], 3) == first[1:2]


def test_draws_and_seeds_differ(folder: Path) -> None:
    one = judge(folder)
    assert one.ask(PROMPTS[:1], 3, draw=1) != one.ask(PROMPTS[:1], 3)
    assert one.ask(PROMPTS[:1], 3, draw=1) == judge(folder).ask(PROMPTS[:1], 3, draw=1)
    assert judge(folder, seed=1).ask(PROMPTS[:1], 3) != one.ask(PROMPTS[:1], 3)


def test_at_temperature_0_all_answers_are_the_likeliest(folder: Path) -> None:
    ((first, *others),) = judge(folder, temperature=0.0).ask(PROMPTS[:1], 3)
    assert others == [first] * 2


def test_a_prompt_that_leaves_no_room_gets_no_answers(folder: Path) -> None:
    one = judge(folder)
    long = "x" * one.engine.max_model_len
    assert [len(group) for group in one.ask([long, *PROMPTS, long], 2)] == [0, 2, 2, 2, 0]
    assert one.ask([long], 2) == [[]]
    assert one.ask([], 2) == []


def test_an_answer_at_the_limit_is_marked(folder: Path) -> None:
    (answers,) = judge(folder, max_tokens=2).ask(PROMPTS[:1], 16)
    assert all(answer.tokens <= 2 for answer in answers)
    assert any(answer.truncated for answer in answers)
    assert all(answer.tokens == 2 for answer in answers if answer.truncated)


def test_its_weights_are_frozen(folder: Path) -> None:
    one = judge(folder)
    module = one.engine.module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    one.ask(PROMPTS, 2)
    assert not any(weight.requires_grad for weight in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("damage", ["missing", "empty", "torn"])
def test_what_cannot_be_loaded_is_named(damage: str, folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    if damage != "missing":
        broken.mkdir()
    if damage == "torn":
        for path in folder.iterdir():
            (broken / path.name).write_bytes(path.read_bytes())
        weights = broken / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(LemmataError, match="broken cannot judge: "):
        judge(broken)
