"""``lemmata train`` as a user calls it: a model from nothing through all stages, resumed, and told what is wrong."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from model.loading import load_model
from rl.metrics import read_metrics
from tests.command import CommandLine

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "intermediate_size": 48,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "q_lora_rank": 16,
    "index_head_dim": 8,
    "moe_intermediate_size": 16,
}
SMALL = [
    *(f"new_model.shape.{name}={size}" for name, size in SHAPE.items()),
    *("new_model.tokenizer_examples=20", "data.families=[equations]", "data.levels=[1]", "threads=1"),
    *(f"stages.{stage}.{name}" for stage in ("sft", "warmup", "sparse") for name in ("steps=2", "tokens=300")),
    *("stages.rl.steps=2", "stages.rl.groups=2", "stages.rl.samples=2", "stages.rl.sampling.max_tokens=20"),
    *("stages.distill.steps=2", "stages.distill.groups=5", "stages.distill.samples=2"),
    *("stages.distill.sampling.max_tokens=20", "validation.every=2", "validation.items=2", "checkpoint.every=1"),
]


@pytest.mark.parametrize("role", ["prover", "verifier", "meta_verifier"])
def test_a_model_from_nothing_through_all_stages(role: str, lemmata: CommandLine, tmp_path: Path) -> None:
    settings = [f"role={role}", "stage=[sft,warmup,sparse,rl]", f"run={tmp_path / 'run'}", *SMALL]
    done = lemmata("train", *settings)
    assert done.code == 0, done.err
    lines = read_metrics(tmp_path / "run")
    assert [line["stage"] for line in lines] == [*["sft"] * 2, *["warmup"] * 2, *["sparse"] * 2, *["rl"] * 2]
    assert {"reward", "reward/format", "entropy", "ratio_max", "mismatch_mean", "validation/reward"} <= lines[-1].keys()
    module, tokenizer = load_model(tmp_path / "run" / "model", "float32", "cpu")
    assert module.config.vocab_size >= len(tokenizer)
    assert f"{role}" in lemmata("train", "--cfg", "job", f"role={role}", "stage=sft").out


def test_the_same_command_resumes_and_another_is_refused(lemmata: CommandLine, tmp_path: Path) -> None:
    settings = ["role=prover", f"run={tmp_path / 'run'}", *SMALL]
    assert lemmata("train", *settings, "stage=sft").code == 0
    longer = lemmata("train", *settings, "stage=sft", "stages.sft.steps=4")
    assert longer.code == 0, longer.err
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == [1, 2, 3, 4]
    other = lemmata("train", *settings, "stage=sft", "stages.sft.optimizer.lr=0.5")
    assert other.code == 1
    assert "stages.sft.optimizer.lr" in other.err


def test_a_generator_learns_from_a_teacher_of_each_kind(lemmata: CommandLine, tmp_path: Path) -> None:
    start, teacher = tmp_path / "start", tmp_path / "teacher"
    assert lemmata("train", "role=generator", "stage=sft", f"run={start}", *SMALL).code == 0
    further = [f"model={start / 'model'}", f"run={teacher}", "stages.sft.optimizer.warmup_steps=0"]
    again = lemmata("train", "role=verifier", "stage=sft", *SMALL, *further)
    assert again.code == 0, again.err
    kinds = {"prover": start, "refiner": start, "verifier": teacher, "meta_verifier": teacher}
    shares = [f"data.mixture.{kind}=1" for kind in (*kinds, "self_evaluator")]
    settings = ["role=generator", "stage=distill", f"model={start / 'model'}", *SMALL, *shares]
    teachers = [f"stages.distill.teachers.{kind}={folder / 'model'}" for kind, folder in kinds.items()]
    refused = lemmata("train", f"run={tmp_path / 'refused'}", *settings, *teachers)
    assert refused.code == 1
    assert "no teacher for self_evaluator" in refused.err
    teachers.append(f"stages.distill.teachers.self_evaluator={start / 'model'}")
    done = lemmata("train", f"run={tmp_path / 'run'}", *settings, *teachers)
    assert done.code == 0, done.err
    first, last = read_metrics(tmp_path / "run")
    # The teacher of the provers is the student's start.
    assert max(first["kl/prover"], first["kl/self_evaluator"], first["kl/refiner"]) < 1e-6
    assert min(first["kl/verifier"], first["kl/meta_verifier"]) > 1e-4
    assert {"loss", "entropy", "agreement", "length", "truncated", "validation/reward"} <= last.keys()


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        (["role=judge", "stage=sft"], "role='judge'"),
        (["role=prover", "stage=grpo"], "stage"),
        (["role=prover", "stage=sft", "data.families=[topology]"], "topology"),
        (["role=prover", "stage=sft", "data.levels=[6]"], "level"),
        (["role=prover", "stage=sft", "model=nowhere"], "nowhere"),
        (["role=prover", "stage=sft", "+new_model.shape.heads=3"], "heads"),
        (["role=prover", "stage=sft", "stages.sft.stepz=3"], "stepz"),
        (["role=prover", "stage=rl", "stages.rl.minibatches=99"], "minibatches=99"),
        (["role=prover", "stage=distill"], "no teacher for prover"),
        (["role=prover", "stage=distill", "stages.distill.teachers.prover=nowhere"], "nowhere"),
        (["role=prover", "stage=distill", "stages.distill.divergence=l2"], "divergence"),
        (["role=prover"], "stage is not set"),
    ],
)
def test_wrong_settings_are_explained(settings: list[str], output: str, lemmata: CommandLine, tmp_path: Path) -> None:
    done = lemmata("train", f"run={tmp_path / 'run'}", *SMALL, *settings)
    assert done.code == 1
    assert output in done.err
    assert "Traceback" not in done.err


def test_a_resumed_run_keeps_its_tokenizer(
    lemmata: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another release of the lab writes other texts, of which another tokenizer would be made."""
    settings = ["role=prover", "stage=sft", f"run={tmp_path / 'run'}", *SMALL]
    assert lemmata("train", *settings).code == 0
    before = (tmp_path / "run" / "model" / "tokenizer.json").read_bytes()
    monkeypatch.setattr("rl.setup._texts", lambda config: ["other words entirely"] * 50)
    assert lemmata("train", *settings, "stages.sft.steps=3").code == 0
    assert (tmp_path / "run" / "model" / "tokenizer.json").read_bytes() == before
