"""``lemmata merge`` as a user calls it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from model import save_pretrained
from model.loading import load_model
from model.tokenizer import byte_tokenizer
from tests.command import CommandLine
from tests.model.tiny import tiny_model

pytestmark = pytest.mark.slow

TOKENIZER = byte_tokenizer()
NAME = "model.layers.1.self_attn.o_proj.weight"
ALL = ["models=[first,second]", "base=base", "out=out"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and two others, with the names of ALL."""
    folder = tmp_path_factory.mktemp("saved")
    for seed, name in enumerate(("base", "first", "second")):
        save_pretrained(tiny_model(seed, vocab_size=len(TOKENIZER)), folder / name, TOKENIZER)
    return folder


@pytest.fixture(autouse=True)
def folders(saved: Path, tmp_path: Path) -> None:
    """The saved folders where the command runs."""
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)


def weight(folder: str) -> torch.Tensor:
    return load_file(Path(folder) / "model.safetensors")[NAME].double()


def test_task_arithmetic_with_lists_and_lambda(lemmata: CommandLine) -> None:
    numbers = ["parameters.weight=[0.5,0.25]", "parameters.lambda=0.5"]
    output = lemmata.ok("merge", *ALL, "method=task_arithmetic", *numbers)
    assert "out: 2 models merged by task_arithmetic" in output.out
    base, first, second = (weight(name) for name in ("base", "first", "second"))
    expected = base + 0.5 * (0.5 * (first - base) + 0.25 * (second - base))
    assert torch.equal(weight("out"), expected.float().double())
    module, _ = load_model(Path("out"), "float32", "cpu")
    assert module.config.n_routed_experts == 8


@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare_linear", "dare_ties", "ram"])
def test_methods(method: str, lemmata: CommandLine) -> None:
    needed = {"slerp": ["parameters.t=0.5"], "linear": [], "ram": []}.get(method, ["parameters.density=0.5"])
    lemmata.ok("merge", *ALL, f"method={method}", *needed)
    load_model(Path("out"), "float32", "cpu")
    assert not torch.equal(weight("out"), weight("base"))
    assert f"`{method}`" in (Path("out") / "README.md").read_text()


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ([], "method is not set"),
        (["method=average"], "method='average'"),
        (["method=ties"], "method=ties needs parameters.density=VALUE"),
        (["method=slerp"], "method=slerp needs parameters.t=VALUE"),
        (["method=slerp", "parameters.t=0.5", "models=[first]"], "slerp takes two models, not 1"),
        (["method=ram", "parameters.weight=2"], "method=ram has no parameter weight; it has epsilon"),
        (["method=linear", "parameters.lambda=2"], "no parameter lambda"),
        (["method=linear", "parameters.weight=[1,2,3]"], "parameters.weight has 3 numbers for 2 models"),
        (["method=linear", "parameters.weight=[1,-1]"], "add up to 0"),
        (["method=linear", "parameters.weight=heavy"], "parameters.weight='heavy': input should be a valid number"),
        (["method=linear", "parameters.weight=.nan"], "parameters.weight"),
        (["method=ties", "parameters.density=0"], "parameters.density"),
        (["method=linear", "+parameters.gamma=1"], "parameters.gamma: there is no such setting"),
        (["method=ties", "parameters.density=0.5", "base=null"], "give it as base=FOLDER"),
        (["method=linear", "dtype=int8"], "dtype='int8'"),
        (["method=linear", "models=[]"], "models"),
        (["method=linear", "models=[first,nowhere]"], "nowhere is not a model folder"),
        (["method=linear", "out=first"], "out=first exists already"),
    ],
)
def test_wrong_settings_are_explained(settings: list[str], output: str, lemmata: CommandLine) -> None:
    assert output in lemmata.fails("merge", *ALL, *settings)
    assert not Path("out").exists()


def test_asking_for_the_settings_loads_no_torch() -> None:
    code = "import sys, lemmata.commands.merge; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
