"""Every script of examples/ runs, as a reader starts it, and prints what it promises."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from lab.items import Stream
from tests import preloaded

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SHORT = ("stages.rl.steps=1", "stages.rl.sampling.max_tokens=64", "validation.items=1")

pytest.importorskip("torch")


def run(name: str, *arguments: str, folder: Path) -> str:
    """The output of an example, started in ``folder``."""
    output, errors = folder / f"{name}.stdout", folder / f"{name}.stderr"
    code = preloaded.run(errors, preloaded.script, EXAMPLES / f"{name}.py", folder, *arguments, stdout=output)
    assert code == 0, errors.read_text()[-3000:]
    return output.read_text()


def test_check_a_proof(tmp_path: Path) -> None:
    lines = run("check_a_proof", folder=tmp_path).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "complete: score 1",
        "wrong square: score 0",
        "no proof: score 0",
    ]


@pytest.mark.slow
def test_refine_a_problem(tmp_path: Path) -> None:
    output = run("refine_a_problem", "--run", "r", folder=tmp_path)
    assert output.startswith("accepted: ")
    assert (tmp_path / "r" / "run.yaml").is_file()


@pytest.mark.slow
def test_verify_with_three_judges(tmp_path: Path) -> None:
    *single, joint = run("verify_with_three_judges", folder=tmp_path).splitlines()
    accepted = [line.endswith("; accepted") for line in single]
    assert len(accepted) == 3
    assert joint == f"all judges together: {'accepted' if all(accepted) else 'not accepted'}"


@pytest.mark.slow
def test_use_the_engine(tmp_path: Path) -> None:
    first, second = run("use_the_engine", folder=tmp_path).splitlines()
    assert first.startswith("24 completions, ")
    assert "accepted: " in second


@pytest.mark.slow
def test_own_policy(tmp_path: Path) -> None:
    assert " calls, " in run("own_policy", folder=tmp_path)


@pytest.mark.slow
def test_train_from_labels(tmp_path: Path) -> None:
    output = run("train_from_labels", "labels", *SHORT, folder=tmp_path)
    assert "labeled proofs in labels/labeled.jsonl" in output
    assert list((tmp_path / "labels" / "verifier" / "checkpoints").iterdir())


@pytest.mark.slow
def test_reward_in_trl(tmp_path: Path) -> None:
    output = run("reward_in_trl", str(ROOT / "model" / "shipped"), "1", folder=tmp_path)
    assert ("mean reward by step: " if find_spec("trl") else "TRL is not installed") in output


@pytest.mark.slow
def test_grade_by_rubric(tmp_path: Path) -> None:
    if find_spec("math_verify") is None:
        pytest.skip("needs math-verify")
    parts = dict(line.split(": ") for line in run("grade_by_rubric", folder=tmp_path).splitlines())
    assert (parts["answer"], parts["length"]) == ("1.00", "0.00")
    assert (parts["reward"] == "none") == (parts["rubric"] == "no verdict")


def test_the_reward_of_the_trl_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    reward_in_trl = import_module("reward_in_trl")
    rows = reward_in_trl.rows(6)
    stream = Stream("prove", ("inequalities",), (1, 2), "train", 0)
    truths = [row["ground_truth"] for row in rows]
    right = [[{"role": "assistant", "content": stream.item(number).answer}] for number in range(len(rows))]
    wrong = [[{"role": "assistant", "content": "It is obvious."}] for _ in rows]
    prompts = [row["prompt"] for row in rows]
    assert reward_in_trl.trl_reward(prompts, right, ground_truth=truths) == [1.0] * len(rows)
    assert reward_in_trl.trl_reward(prompts, wrong, ground_truth=truths) == [0.0] * len(rows)


def test_every_example_has_a_test() -> None:
    tests = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'run("{path.stem}"' not in tests] == []
