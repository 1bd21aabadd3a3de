"""Faults of ``lemmata train`` as a user meets them: each is one message, or the run goes on without the faulty part."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("torch")

from lemmata.training import TrainingReport
from rl.metrics import read_metrics
from tests.command import CommandLine

pytestmark = [pytest.mark.trains, pytest.mark.slow]

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "training.md"
SHIPPED = "pkg://model/shipped"
SHIPPED_FOLDER = Path(__file__).parents[2] / "model" / "shipped"
TINY = [
    *("threads=1", "data.families=[identities]", "data.levels=[1]", "validation.items=1", "stages.sft.steps=1"),
    *("stages.sft.tokens=300", "stages.rl.steps=1", "stages.rl.groups=2", "stages.rl.samples=2"),
    "stages.rl.sampling.max_tokens=8",
]
CASE = {"statement": "Prove that 1 + 1 = 2.", "proof": "Clear.", "label": 0.0, "analysis": "Too short.", "quality": 1.0}


def write_rows(path: Path, *changes: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps({**CASE, **change}) + "\n" for change in changes))


def mixture_of(run: Path) -> dict[str, int]:
    mixture: dict[str, int] = yaml.safe_load((run / "run.yaml").read_text())["config"]["data"]["mixture"]
    return {kind: size for kind, size in mixture.items() if size}


@pytest.mark.parametrize(
    ("override", "mixture"),
    [
        ("data.mixture={prover: 3, refiner: 1}", {"prover": 3, "refiner": 1}),
        ("data.mixture={sum: 1, drill: 2, sheet: 3}", {"sum": 1, "drill": 2, "sheet": 3}),
        (
            "data.mixture.sum=5",
            {"prover": 2, "self_evaluator": 1, "refiner": 1, "verifier": 2, "meta_verifier": 2, "sum": 5},
        ),
    ],
)
def test_the_mixture_that_is_given_is_the_mixture_that_is_used(
    override: str, mixture: dict[str, int], lemmata: CommandLine, tmp_path: Path
) -> None:
    settings = ["role=generator", "stage=sft", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    lemmata.ok("train", *settings, override)
    assert mixture_of(tmp_path / "run") == mixture


@pytest.mark.parametrize("override", ["data.mixture={poet: 1}", "data.mixture={sum: 0}", "date.mixture={sum: 1}"])
def test_a_mixture_of_nothing_known_is_refused(override: str, lemmata: CommandLine, tmp_path: Path) -> None:
    settings = ["role=generator", "stage=sft", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    assert re.search("poet|at least one kind|date", lemmata.fails("train", *settings, override))


def documented(opening: str) -> list[str]:
    """The arguments of the guide's command that begins with ``opening``."""
    text = GUIDE.read_text().replace("\\\n", " ")
    (command,) = [line for line in text.splitlines() if line.strip().startswith(opening)]
    return shlex.split(command, comments=True)[1:]


def test_the_documented_generator_trains_the_documented_mixture(lemmata: CommandLine, tmp_path: Path) -> None:
    write_rows(tmp_path / "critiques.jsonl", {}, {"proof": "By counting."})
    command = documented("lemmata train role=generator stage=rl")
    names = {"model=M": f"model={SHIPPED}"}
    names["data.judges.verifier=VERIFIER"] = f"data.judges.verifier={SHIPPED_FOLDER}"
    names["data.judges.meta_verifier=META"] = f"data.judges.meta_verifier={SHIPPED_FOLDER}"
    assert names.keys() < set(command)
    run = tmp_path / "run"
    lemmata.ok(*(names.get(argument, argument) for argument in command), f"run={run}", *TINY)
    assert mixture_of(run) == {"prover": 3, "refiner": 1}
    assert len(read_metrics(run)) == 1


def test_a_row_that_is_too_long_is_left_out(lemmata: CommandLine, tmp_path: Path) -> None:
    write_rows(tmp_path / "proofs.jsonl", {"proof": "So it is. " * 3000}, {}, {"proof": "By counting."})
    settings = ["role=verifier", "stage=rl", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    settings += [f"data.proofs={tmp_path / 'proofs.jsonl'}", "data.lab=validation"]
    done = lemmata.ok("train", *settings)
    assert done.err.count("left out: turn 1 of training problem ") == 1
    (line,) = read_metrics(tmp_path / "run")
    assert (line["prompts_too_long"], line["sequences"]) == (2, 4)


def test_a_table_of_other_content_is_refused(lemmata: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "proofs.jsonl"
    write_rows(table, {}, {"proof": "By counting."})
    settings = ["role=verifier", "stage=sft", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    settings.append(f"data.proofs={table}")
    lemmata.ok("train", *settings)
    before = table.read_text()
    write_rows(table, {}, {"proof": "By counting.", "label": 1.0}, {})
    message = lemmata.fails("train", *settings, "stages.sft.steps=2")
    assert re.search(r"content\.data\.proofs: '2 rows, digest \w+' -> '3 rows, digest \w+'", message)
    table.write_text(before)
    lemmata.ok("train", *settings, "stages.sft.steps=2")


def test_prompts_of_other_content_are_refused(lemmata: CommandLine, tmp_path: Path) -> None:
    text = tmp_path / "prompts" / "proof_generation.txt"
    text.parent.mkdir()
    text.write_text("Prove: {question}")
    settings = ["role=prover", "stage=sft", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    settings.append(f"prompts={text.parent}")
    lemmata.ok("train", *settings)
    text.write_text("Please prove: {question}")
    assert "content.prompts" in lemmata.fails("train", *settings, "stages.sft.steps=2")


def test_equal_rewards_stop_the_stage(lemmata: CommandLine, tmp_path: Path) -> None:
    """Answers of 8 tokens are cut off, which no reward survives."""
    settings = ["role=prover", "stage=rl", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY, "stages.rl.steps=5"]
    message = lemmata.fails("train", *settings, "stages.rl.max_rollouts_without_variance=2")
    for rollout in (1, 2):
        assert f"rollout {rollout}: 0 of 2 groups have reward variance: nothing to learn from" in message
    assert "stages.rl.sampling.temperature" in message
    assert "pass rate 0.1 to 0.9" in message
    assert (tmp_path / "run" / "checkpoints" / "step-00000001" / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        (["stage=rl", "new_model.shape.first_k_dense_replace=4"], "algorithm.keep_routing=false"),
        (["stage=rl", f"model={SHIPPED}", "device=cuda:77"], "device=cuda:77"),
        (["stage=sft", "device=cuda:77"], "device=cpu"),
    ],
)
def test_settings_that_do_not_fit_model_or_machine_are_one_line(
    settings: list[str], output: str, lemmata: CommandLine, tmp_path: Path
) -> None:
    small = [*TINY, "new_model.tokenizer_examples=5", "new_model.vocab_size=300"]
    message = lemmata.fails("train", "role=prover", f"run={tmp_path / 'run'}", *small, *settings)
    (line,) = [line for line in message.splitlines() if line.startswith("lemmata: ")]
    assert output in line


def test_progress_has_total_and_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter([1000.0, 1012.0, 1024.0, 1480.0, 2000.0, 2001.0])
    report = TrainingReport(clock=lambda: next(seconds))
    for step in (1, 2, 3, 41):
        report(step, 100, "sft", {"loss": 0.5})
    report(42, 100, "rl", {"loss": 0.5})  # another stage has another pace
    report(43, 100, "rl", {"validation/loss": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 1 of 100, sft: loss 0.5")
    assert "step 3 of 100, about 19 min left, sft" in lines[2]
    assert "step 41 of 100, about 12 min left, sft" in lines[3]
    assert "step 42 of 100, rl" in lines[4]
    assert "step 43 of 100, about 57 s left, rl" in lines[5]


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_judge_of_other_content_is_refused(file: str, lemmata: CommandLine, tmp_path: Path) -> None:
    judge = shutil.copytree(SHIPPED_FOLDER, tmp_path / "judge")
    settings = ["role=prover", "stage=rl", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    settings += [f"data.judges.verifier={judge}", f"data.judges.meta_verifier={SHIPPED}"]
    lemmata.ok("train", *settings)
    before = (judge / file).read_bytes()
    middle = len(before) // 2
    (judge / file).write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    message = lemmata.fails("train", *settings, "stages.rl.steps=2")
    assert re.search(r"content\.data\.judges\.verifier: '.* digest \w+' -> '.* digest \w+'", message)
    assert "meta_verifier" not in message
    (judge / file).write_bytes(before)
    lemmata.ok("train", *settings, "stages.rl.steps=2")


def test_a_teacher_of_other_content_is_refused(lemmata: CommandLine, tmp_path: Path) -> None:
    teacher = shutil.copytree(SHIPPED_FOLDER, tmp_path / "teacher")
    settings = ["role=generator", "stage=distill", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    settings += ["data.mixture={prover: 1, verifier: 1}", "stages.distill.groups=2", "stages.distill.samples=1"]
    settings += ["stages.distill.sampling.max_tokens=8", f"stages.distill.teachers.prover={teacher}"]
    settings += [f"stages.distill.teachers.verifier={SHIPPED}"]
    lemmata.ok("train", *settings, "stages.distill.steps=1")
    (teacher / "README.md").write_text("Another model.\n")
    message = lemmata.fails("train", *settings, "stages.distill.steps=2")
    assert "content.stages.distill.teachers.prover" in message
    assert "teachers.verifier" not in message


def test_an_example_that_exceeds_the_context_is_left_out(lemmata: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "examples.jsonl"
    rows = [{"prompt": "Prove it.", "answer": "So it is. " * 3000}, {"prompt": "Prove this.", "answer": "It is clear."}]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ["role=prover", "stage=sft", f"model={SHIPPED}", f"run={tmp_path / 'run'}", *TINY]
    done = lemmata.ok("train", *settings, f"data.examples={table}", "stages.sft.tokens=40")
    assert done.err.count("left out: training example 0 has") == 1
    (line,) = read_metrics(tmp_path / "run")
    assert line["examples_too_long"] in (line["examples"], line["examples"] + 1)
    assert line["tokens"] < 100
    table.write_text(json.dumps(rows[0]) + "\n")
    message = lemmata.fails("train", *settings[:-1], f"run={tmp_path / 'none'}", f"data.examples={table}", *TINY)
    assert "examples in a row exceed the context" in message
