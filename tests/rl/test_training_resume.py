"""A run that was killed or stopped resumes exactly: the same metrics and weights, bit for bit."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from core.errors import LemmataError
from rl.checkpoint import Checkpoints
from rl.config import CheckpointConfig
from rl.metrics import read_metrics
from tests import preloaded
from tests.rl import killed_training
from tests.rl.small import train_config, trainer

pytestmark = [pytest.mark.trains, pytest.mark.slow]


def train(folder: Path, where: str = "nowhere", at: int = 0) -> int:
    return preloaded.run(folder / "output", killed_training.train, folder, where, at)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "time"} for line in read_metrics(folder)]


def weights(folder: Path) -> dict[str, bytes]:
    latest = max((folder / "checkpoints").glob("step-*"))
    return {path.name: path.read_bytes() for path in (latest / "model").glob("*.safetensors")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert train(folder) == 0
    return folder


@pytest.mark.parametrize(("where", "counts"), [("rollout", (15,)), ("update", (7,)), ("checkpoint", (1, 3))])
def test_killed_and_resumed(where: str, counts: tuple[int, ...], undisturbed: Path, tmp_path: Path) -> None:
    for at in counts:
        assert train(tmp_path, where, at) == -signal.SIGKILL
    assert train(tmp_path) == 0
    assert lines(tmp_path) == lines(undisturbed)
    assert weights(tmp_path) == weights(undisturbed)
    written = sorted(path.name for path in (undisturbed / "rollouts").iterdir())
    assert sorted(path.name for path in (tmp_path / "rollouts").iterdir() if path.suffix == ".jsonl") == written


def test_stopped_after_every_step(undisturbed: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    config = train_config(epochs=2, minibatches=2, keep_selection=True, reference_every=3, steps=7)
    runs = 0
    while not trainer(tmp_path, config, stopping=lambda: True).run():
        runs += 1
        assert len(read_metrics(tmp_path)) == runs
    assert runs == 9
    assert lines(tmp_path) == lines(undisturbed)
    assert weights(tmp_path) == weights(undisturbed)


def test_only_the_latest_checkpoints_stay(undisturbed: Path) -> None:
    names = sorted(path.name for path in (undisturbed / "checkpoints").iterdir())
    assert names == ["step-00000009", "step-00000010"]


def test_a_torn_line_of_metrics_is_written_again(undisturbed: Path, tmp_path: Path) -> None:
    assert train(tmp_path, "update", 3) == -signal.SIGKILL
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 99, "stage": "rl"}) + '\n{"step": 1')
    assert train(tmp_path) == 0
    assert lines(tmp_path) == lines(undisturbed)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    assert train(tmp_path, "rollout", 20) == -signal.SIGKILL
    state = max((tmp_path / "checkpoints").glob("step-*")) / "state.pt"
    state.write_bytes(state.read_bytes()[:-40])
    with pytest.raises(LemmataError, match=r"damaged.*delete it"):
        trainer(tmp_path, train_config()).run()


def test_models_of_earlier_steps_are_kept_without_their_state(tmp_path: Path) -> None:
    config = replace(train_config(), checkpoint=CheckpointConfig(every=1, keep=2, keep_every=4))
    assert trainer(tmp_path, config).run()
    models = Checkpoints(tmp_path, 2).models()
    assert [path.parent.name for path in models] == [f"step-{step:08d}" for step in (4, 6, 7)]
    assert all((path / "model.safetensors").is_file() for path in models)
    whole = [path.parent.name for path in sorted((tmp_path / "checkpoints").glob("*/state.pt"))]
    assert whole == ["step-00000006", "step-00000007"]
    for folder in whole:
        shutil.rmtree(tmp_path / "checkpoints" / folder)
    assert Checkpoints(tmp_path, 2).latest_model() is None


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_a_stage_ends_with_its_token_budget(stage: str, tmp_path: Path) -> None:
    free = tmp_path / "free"
    assert trainer(free, train_config(stage)).run()
    costs = [line["computed_tokens"] for line in read_metrics(free)]
    budget = int(sum(costs[:2]))
    config = train_config(stage)
    own = replace(getattr(config.stages, stage), token_budget=budget)
    config = replace(config, stages=replace(config.stages, **{stage: own}))
    stopped = tmp_path / "stopped"
    assert not trainer(stopped, config, stopping=lambda: True).run()
    assert trainer(stopped, config).run()
    assert [line["computed_tokens"] for line in read_metrics(stopped)] == costs[:2]
    assert any(name.startswith("validation/") for name in read_metrics(stopped)[-1])
    assert trainer(stopped, config).run()
    assert len(read_metrics(stopped)) == 2
    assert (stopped / "model" / "model.safetensors").is_file()
