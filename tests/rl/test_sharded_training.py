"""Two processes with sharded weights train as one does."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import preloaded
from tests.clocks import HANG
from tests.processes import ROOT

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from core.errors import LemmataError
from model.checkpoint import save_pretrained
from rl.metrics import read_metrics
from rl.parallel import Parallel
from tests.rl.sharded_training import CASES, train
from tests.rl.small import TOKENIZER, small_module, train_config, trainer

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SAME = ("loss", "grad_norm", "reward", "tokens", "validation/loss", "validation/reward")


def free_port() -> int:
    """A port of this machine for the processes to meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def launch(*command: str) -> None:
    """Runs a module with arguments in two processes that torchrun starts."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", f"--master-port={free_port()}"]
    subprocess.run([*launcher, "-m", *command], check=True, timeout=4 * HANG)


def train_in_two(folder: Path, *arguments: str) -> None:
    """Runs ``lemmata train`` in two processes with the variables that torchrun sets."""
    same = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    logs = [folder / f"output-{rank}" for rank in range(2)]
    started = [
        preloaded.start(log, preloaded.command, ROOT, {**same, "RANK": str(rank), "LOCAL_RANK": str(rank)}, *arguments)
        for rank, log in enumerate(logs)
    ]
    for process, log in zip(started, logs, strict=True):
        assert preloaded.exit_code(process, log) == 0, log.read_text()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    latest = max((folder / "checkpoints").glob("step-*"))
    return load_file(latest / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the training of each case by two processes, which are started once."""
    folder = tmp_path_factory.mktemp("sharded")
    save_pretrained(small_module(5), folder / "teacher", TOKENIZER)
    for case in CASES:
        (folder / case).mkdir()
    launch("tests.rl.sharded_training", str(folder), *CASES)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_are_as_good_as_one(case: str, sharded: Path, tmp_path: Path) -> None:
    """Also where one of them has nothing to learn from, or to validate on."""
    torch.set_num_threads(1)
    alone, together = tmp_path / case, sharded / case
    alone.mkdir()
    shutil.copytree(sharded / "teacher", tmp_path / "teacher")
    train(alone, case, Parallel())
    one, two = weights(alone), weights(together)
    assert one.keys() == two.keys()
    assert max((one[name] - two[name]).abs().max().item() for name in one) < 1e-5
    for both, single in zip(read_metrics(together), read_metrics(alone), strict=True):
        assert both.keys() == single.keys()
        for name in (*SAME, *(name for name in single if name.startswith(("kl/", "reward/")))):
            if name in single:
                assert both[name] == pytest.approx(single[name], abs=1e-5), name


def test_as_many_processes_resume(sharded: Path, tmp_path: Path) -> None:
    shutil.copytree(sharded / "sft", tmp_path, dirs_exist_ok=True)
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
    command = ["train", "role=prover", f"run={tmp_path / 'run'}", *SHIPPED, *settings, *short]
    train_in_two(tmp_path, *command, "stages.rl.max_resamples=0", "validation.items=1")
    (line,) = read_metrics(tmp_path / "run")
    assert line["sequences" if "stage=rl" in settings else "examples"] > 0
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
