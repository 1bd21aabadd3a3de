"""Two processes with sharded weights train as one does."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clocks import HANG

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from core.errors import LemmataError
from model.checkpoint import save_pretrained
from rl.metrics import read_metrics
from tests.rl.small import TOKENIZER, small_module, train_config, trainer

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SAME = ("loss", "grad_norm", "reward", "tokens", "validation/loss", "validation/reward")


def launch(processes: int, *command: str) -> None:
    """Runs a module with arguments in one process, or in several that torchrun starts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    several = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), f"--master-port={port}"]
    launcher = [sys.executable, *(several if processes > 1 else ())]
    subprocess.run([*launcher, "-m", *command], check=True, timeout=HANG)


def train(folder: Path, case: str, processes: int) -> None:
    folder.mkdir(exist_ok=True)
    launch(processes, "tests.rl.sharded_training", str(folder), case)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    latest = max((folder / "checkpoints").glob("step-*"))
    return load_file(latest / "model" / "model.safetensors")


STAGES = ["sft", "warmup", "sparse", "rl", "distill"]
IDLE = [*(f"{stage}-validated-on-1" for stage in STAGES[:3]), "rl-nothing-left", "rl-resampled", "rl-minibatches"]


@pytest.mark.parametrize("case", [*STAGES, *IDLE, "distill-one-group"])
def test_two_processes_are_as_good_as_one(case: str, tmp_path: Path) -> None:
    """Also where one of them has nothing to learn from, or to validate on."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    save_pretrained(small_module(5), tmp_path / "teacher", TOKENIZER)
    train(alone, case, 1)
    train(together, case, 2)
    one, two = weights(alone), weights(together)
    assert one.keys() == two.keys()
    assert max((one[name] - two[name]).abs().max().item() for name in one) < 1e-5
    for sharded, single in zip(read_metrics(together), read_metrics(alone), strict=True):
        assert sharded.keys() == single.keys()
        for name in (*SAME, *(name for name in single if name.startswith(("kl/", "reward/")))):
            if name in single:
                assert sharded[name] == pytest.approx(single[name], abs=1e-5), name


def test_as_many_processes_resume(tmp_path: Path) -> None:
    train(tmp_path, "sft", 2)
    torch.set_num_threads(1)
    with pytest.raises(LemmataError, match="written by 2 processes, and 1 cannot go on"):
        trainer(tmp_path, train_config("sft")).run()


SHIPPED = ["model=pkg://model/shipped", "threads=1", "data.families=[inequalities]", "data.levels=[2]"]


@pytest.mark.parametrize(
    "settings",
    [
        ["stage=rl", "stages.rl.groups=1", "stages.rl.samples=4"],
        ["stage=sft", "stages.sft.tokens=600"],
    ],
)
def test_the_shipped_model_trains_where_a_process_has_nothing(settings: list[str], tmp_path: Path) -> None:
    short = [f"stages.{stage}.steps=1" for stage in ("sft", "rl")]
    command = ["lemmata", "train", "role=prover", f"run={tmp_path / 'run'}", *SHIPPED, *settings, *short]
    launch(2, *command, "stages.rl.max_resamples=0", "validation.items=1")
    (line,) = read_metrics(tmp_path / "run")
    assert line["sequences" if "stage=rl" in settings else "examples"] > 0
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
