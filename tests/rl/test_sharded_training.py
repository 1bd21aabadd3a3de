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
from tests.rl.small import TOKENIZER, distill_config, small_module, train_config, trainer

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SAME = ("loss", "grad_norm", "reward", "tokens", "validation/loss", "validation/reward")


def train(folder: Path, stage: str, processes: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    several = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), f"--master-port={port}"]
    launcher = [sys.executable, *(several if processes > 1 else ())]
    folder.mkdir(exist_ok=True)
    subprocess.run([*launcher, "-m", "tests.rl.sharded_training", str(folder), stage], check=True, timeout=HANG)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    latest = max((folder / "checkpoints").glob("step-*"))
    return load_file(latest / "model" / "model.safetensors")


@pytest.mark.parametrize("stage", ["sft", "warmup", "sparse", "rl", "distill"])
def test_two_processes_are_as_good_as_one(stage: str, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    save_pretrained(small_module(5), tmp_path / "teacher", TOKENIZER)
    train(alone, stage, 1)
    train(together, stage, 2)
    one, two = weights(alone), weights(together)
    assert one.keys() == two.keys()
    assert max((one[name] - two[name]).abs().max().item() for name in one) < 1e-5
    for sharded, single in zip(read_metrics(together), read_metrics(alone), strict=True):
        assert sharded.keys() == single.keys()
        for name in (*SAME, *(name for name in single if name.startswith(("kl/", "reward/")))):
            if name in single:
                assert sharded[name] == pytest.approx(single[name], abs=1e-5), name
    torch.set_num_threads(1)
    distill = distill_config(teachers={"prover": str(tmp_path / "teacher")})
    with pytest.raises(LemmataError, match="written by 2 processes, and 1 cannot go on"):
        trainer(together, train_config(stage, distill=distill)).run()
