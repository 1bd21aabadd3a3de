"""On-policy distillation: the loss is that of whole forward passes, each answer has its own teacher, runs resume."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor
from torch.optim import Adam

from core.errors import LemmataError
from model.checkpoint import save_pretrained
from model.tokenizer import train_tokenizer
from rl.config import DivergenceName
from rl.distill_stage import DistillStage
from rl.metrics import read_metrics
from rl.samples import Sample
from rl.tasks.mixed import MixedTask
from tests.rl.small import TOKENIZER, Letters, Numbers, distill_config, learner, small_module, train_config, trainer

pytestmark = [pytest.mark.trains, pytest.mark.slow]

torch.set_num_threads(1)


MIXED = MixedTask({"letters": (Letters(), 1), "numbers": (Numbers(), 1), "again": (Letters(rounds=2), 1)})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of two teachers and the student."""
    places = [tmp_path_factory.mktemp("models") / name for name in ("one", "two", "student")]
    for seed, place in zip((5, 6, 0), places, strict=True):
        save_pretrained(small_module(seed), place, TOKENIZER)
    return [str(place) for place in places]


def mixed_teachers(folders: Sequence[str]) -> dict[str, str | None]:
    return {"letters": folders[0], "numbers": folders[1], "again": folders[0]}


def stage(teachers: dict[str, str | None], task: Any = None, **changes: Any) -> DistillStage:
    return DistillStage(learner(small_module(), task), distill_config(teachers=teachers, **changes), "prover")


def gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


def plain_kl(name: DivergenceName, student_TV: Tensor, teacher_TV: Tensor) -> Tensor:
    """[T], by torch's own kl_div."""
    log_p, log_q = student_TV.log_softmax(-1), teacher_TV.log_softmax(-1)
    log_m = ((log_p.exp() + log_q.exp()) / 2).log()
    pairs = {"reverse": [(log_p, log_q)], "forward": [(log_q, log_p)], "js": [(log_p, log_m), (log_q, log_m)]}[name]
    terms = [torch.nn.functional.kl_div(b, a, reduction="none", log_target=True).sum(-1) for a, b in pairs]
    return torch.stack(terms).mean(0)


def answer_rows(module: Any, sample: Sample) -> Tensor:
    """Logits [T, V] before each token of the answer, of a forward pass over this one sequence."""
    ids = torch.tensor([[*sample.prompt_ids, *sample.token_ids]])
    return module(ids)[0, len(sample.prompt_ids) - 1 : -1]


@pytest.mark.parametrize("name", ["reverse", "forward", "js"])
@pytest.mark.parametrize("micro_batch_tokens", [40, 2000])
def test_loss_and_gradients_are_those_of_whole_forward_passes(
    name: DivergenceName, micro_batch_tokens: int, folders: list[str]
) -> None:
    under = stage(mixed_teachers(folders), MIXED, divergence=name, micro_batch_tokens=micro_batch_tokens)
    values = under.step()
    module = under.learner.module
    actual = gradients(module)
    module.zero_grad()
    models = {folders[0]: small_module(5), folders[1]: small_module(6)}
    per_sample = []
    for sample in under.latest:
        with torch.no_grad():
            teacher_TV = answer_rows(models[str(mixed_teachers(folders)[sample.kind])], sample)
        per_sample.append(plain_kl(name, answer_rows(module, sample), teacher_TV))
    loss = torch.cat(per_sample).mean()
    loss.backward()
    assert values["loss"] == pytest.approx(loss.item(), rel=1e-9)
    for kind in MIXED.parts:
        own = [kl for kl, sample in zip(per_sample, under.latest, strict=True) if sample.kind == kind]
        assert values[f"kl/{kind}"] == pytest.approx(torch.cat(own).mean().item(), rel=1e-9)
    right = gradients(module)
    assert actual.keys() == right.keys()
    for place, gradient in right.items():
        torch.testing.assert_close(actual[place], gradient, rtol=1e-7, atol=1e-11)


def test_every_turn_of_a_trajectory_has_the_teacher_of_its_problem(folders: list[str]) -> None:
    under = stage(mixed_teachers(folders), MIXED)
    values = under.step()
    assert [sample.kind for sample in under.buffer] == ["letters"] * 2 + ["numbers"] * 2 + ["again"] * 4
    assert values["sequences"] == 8
    assert values["tokens"] == sum(values[f"tokens/{kind}"] for kind in MIXED.parts)
    assert {"reward", "length", "truncated", "entropy", "agreement"} <= values.keys()


def test_kinds_that_a_minibatch_lacks_have_no_kl(folders: list[str]) -> None:
    values = stage(mixed_teachers(folders), MIXED, groups=2).step()
    assert {name for name in values if name.startswith("kl/")} == {"kl/letters", "kl/numbers"}
    assert values["tokens/again"] == 0


def test_a_student_that_is_its_teacher_learns_nothing(folders: list[str]) -> None:
    under = stage({"prover": folders[2]})
    values = under.step()
    assert values["loss"] == pytest.approx(0, abs=1e-12)
    assert values["agreement"] == pytest.approx(1)
    assert all(gradient.abs().max() < 1e-12 for gradient in gradients(under.learner.module).values())


def test_kinds_of_one_folder_share_a_teacher_that_does_not_learn(folders: list[str]) -> None:
    under = stage(mixed_teachers(folders), MIXED)
    assert under.teachers["letters"] is under.teachers["again"]
    assert under.teachers["letters"] is not under.teachers["numbers"]
    under.step()
    for teacher in under.teachers.values():
        assert not teacher.training
        assert all(not weight.requires_grad and weight.grad is None for weight in teacher.parameters())


def test_the_student_comes_nearer_to_its_teachers(folders: list[str]) -> None:
    under = stage(mixed_teachers(folders), MIXED)
    optimizer = Adam(under.learner.module.parameters(), lr=0.02)
    values = []
    for _ in range(15):
        optimizer.zero_grad()
        values.append(under.step())
        optimizer.step()
        under.weights_changed()
    for name in ("kl/letters", "kl/numbers", "kl/again"):
        assert values[-1][name] < 0.7 * values[0][name], name


def test_the_indexers_learn_beside_the_student(folders: list[str]) -> None:
    for weight in (0.0, 1.0):
        under = stage({"prover": folders[0]}, indexer_weight=weight)
        values = under.step()
        gradient = under.learner.module.get_parameter("model.layers.0.self_attn.indexer.wk.weight").grad
        assert ("indexer_kl" in values) == (gradient is not None and bool(gradient.abs().max() > 0)) == bool(weight)
        assert values["loss"] == pytest.approx(values["kl"] + weight * values.get("indexer_kl", 0.0))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "time"} for line in read_metrics(folder)]


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_stopped_after_every_step_and_resumed(folders: list[str], tmp_path: Path) -> None:
    distill = distill_config(teachers=mixed_teachers(folders), epochs=2, minibatches=2, steps=6)
    config = train_config(("sft", "distill"), distill=distill)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    assert trainer(tmp_path / "whole", config, MIXED).run()
    runs = 1
    while not trainer(tmp_path / "parts", config, MIXED, stopping=lambda: True).run():
        runs += 1
    assert runs == 3 + 6
    assert lines(tmp_path / "parts") == lines(tmp_path / "whole")
    assert [line["stage"] for line in lines(tmp_path / "whole")] == ["sft"] * 3 + ["distill"] * 6
    assert "validation/reward" in lines(tmp_path / "whole")[-1]
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert len(list((tmp_path / "parts" / "rollouts").glob("*.jsonl"))) == 2


def test_teachers_that_do_not_fit_are_told_before_the_first_stage(folders: list[str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    save_pretrained(small_module(vocab_size=300), other, train_tokenizer(["some text"] * 9, 300))
    bare = tmp_path / "bare"
    shutil.copytree(folders[0], bare)
    (bare / "tokenizer.json").unlink()
    right = mixed_teachers(folders)
    wrong: list[tuple[dict[str, str | None], str]] = [
        (
            {"letters": folders[0], "numbers": None},
            r"no teacher for numbers, again.*stages\.distill\.teachers\.numbers=",
        ),
        ({**right, "poet": folders[0]}, "names a teacher for poet.*letters, numbers, again"),
        ({**right, "numbers": str(other)}, "the teacher for numbers.*another tokenizer.json"),
        ({**right, "again": str(bare)}, "the teacher for again.*has no tokenizer.json"),
        ({**right, "again": str(tmp_path / "nowhere")}, "the teacher for again.*nowhere"),
    ]
    for teachers, match in wrong:
        config = train_config(("sft", "distill"), distill=distill_config(teachers=teachers))
        with pytest.raises(LemmataError, match=match):
            trainer(tmp_path / "run", config, MIXED).run()
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_another_vocabulary_or_without_weights_is_told(folders: list[str], tmp_path: Path) -> None:
    wide, empty = tmp_path / "wide", tmp_path / "empty"
    save_pretrained(small_module(vocab_size=len(TOKENIZER) + 8), wide, TOKENIZER)
    shutil.copytree(folders[0], empty)
    (empty / "model.safetensors").unlink()
    size = len(TOKENIZER)
    for folder, match in ((wide, rf"{size + 8} tokens.*\b{size}\b"), (empty, "teacher for prover")):
        with pytest.raises(LemmataError, match=match):
            stage({"prover": str(folder)})


def test_a_teacher_that_is_no_number_stops_the_run_with_its_batch(folders: list[str], tmp_path: Path) -> None:
    broken = small_module(5)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    save_pretrained(broken, tmp_path / "broken", TOKENIZER)
    distill = distill_config(teachers={"prover": str(tmp_path / "broken")})
    with pytest.raises(LemmataError, match=r"step 1 of stage distill: .*loss.* not finite"):
        trainer(tmp_path, train_config("distill", distill=distill)).run()
    (saved,) = tmp_path.glob("failed-step-1-*.pt")
    (batch,) = torch.load(saved, weights_only=True).values()
    assert all(sample["kind"] == "prover" for sample in batch)
    whole = replace(distill, teachers={"prover": folders[0]})
    assert trainer(tmp_path, train_config("distill", distill=whole)).run()
