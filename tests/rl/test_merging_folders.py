"""Model folders merged: every tensor survives, the result is a model, and what cannot be merged is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
import yaml
from safetensors.torch import load_file, save_file

from core.config import read_config
from core.errors import LemmataError
from model import load_pretrained, save_pretrained
from model.fp8 import quantize
from model.loading import load_model
from model.shards import read_headers
from model.tokenizer import byte_tokenizer, train_tokenizer
from model.transformer import DsaModel
from rl.merging.config import PARAMETERS, MergeConfig, MethodName
from rl.merging.merge import merge
from tests.model.tiny import random_ids, tiny_model

pytestmark = pytest.mark.slow

TOKENIZER = byte_tokenizer()
Weights = dict[str, torch.Tensor]
METHODS: list[MethodName] = ["linear", "task_arithmetic", "slerp", "ties", "dare_linear", "dare_ties", "ram"]
EXPERT = "model.layers.2.mlp.experts.5.up_proj.weight"
GATE = "model.layers.1.mlp.gate.e_score_correction_bias"


def model(seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any) -> DsaModel:
    """One with a dense first layer and experts behind it."""
    return tiny_model(seed, dtype, vocab_size=len(TOKENIZER), **changes)


def save(module: DsaModel, folder: Path, **options: Any) -> Path:
    save_pretrained(module, folder, TOKENIZER, **options)
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A base and two specialists: of one every tensor moved, of the other those of the attention. To be read only."""
    folder = tmp_path_factory.mktemp("three")
    base = save(model(), folder / "base")
    moved, second = model(), model()
    with torch.no_grad():
        for seed, tensor in enumerate([*moved.parameters(), *moved.buffers()]):
            noise = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed))
            tensor.add_(noise, alpha=0.1)
        for name, tensor in second.named_parameters():
            if name.endswith("o_proj.weight"):
                tensor.add_(0.25)
    return [base, save(moved, folder / "first"), save(second, folder / "second")]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in bf16, to be read only."""
    return save(model(dtype=torch.bfloat16), tmp_path_factory.mktemp("narrow") / "base")


def merging(method: str, models: list[Path], out: Path, base: Path | None = None, **settings: Any) -> Path:
    """Merge with whatever parameters the method must be given."""
    needed = {name: 0.5 for name, default in PARAMETERS[method].items() if default is ...}
    value = {
        "models": [str(folder) for folder in models],
        "out": str(out),
        "method": method,
        "base": None if base is None else str(base),
        **settings,
        "parameters": {**needed, **settings.get("parameters", {})},
    }
    merge(read_config(MergeConfig, value, ""))
    return out


def weights(folder: Path) -> Weights:
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def change(folder: Path, edit: Callable[[Weights], Any]) -> Path:
    held = weights(folder)
    edit(held)
    save_file(held, folder / "model.safetensors")
    return folder


def equal(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("method", METHODS)
def test_every_tensor_survives_and_the_result_runs(method: str, three: list[Path], tmp_path: Path) -> None:
    base, first, second = three
    out = merging(method, [first, second], tmp_path / "out", base)
    merged, original = weights(out), weights(base)
    assert merged.keys() == original.keys()
    assert {name for name in merged if ".experts." in name} == {
        f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
        for layer in (1, 2)
        for expert in range(8)
        for part in ("gate", "up", "down")
    }
    assert not torch.equal(merged[EXPERT], original[EXPERT])
    assert not torch.equal(merged[GATE], original[GATE])
    module, tokenizer = load_model(out, "float32", "cpu")
    with torch.no_grad():
        assert module(random_ids(1, 20)).isfinite().all()
    assert tokenizer.chat_template == TOKENIZER.chat_template
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("method", METHODS)
def test_a_base_merged_with_itself_is_the_base(method: str, narrow: Path, tmp_path: Path) -> None:
    out = merging(method, [narrow, narrow], tmp_path / "out", narrow)
    assert equal(weights(out), weights(narrow))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (out / name).read_bytes() == (narrow / name).read_bytes(), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chosen", [0, 1])
def test_weights_of_one_and_zero_give_a_specialist(method: str, chosen: int, three: list[Path], tmp_path: Path) -> None:
    base, *models = three
    parameters: dict[str, Any] = {"weight": [1.0 - chosen, float(chosen)]}
    if "density" in PARAMETERS[method]:
        parameters["density"] = 1.0
    if method == "slerp":
        parameters = {"t": float(chosen)}
    if method == "ram":
        parameters, models[1 - chosen] = {"epsilon": 0.0}, base
    out = merging(method, models, tmp_path / "out", base, parameters=parameters)
    assert equal(weights(out), weights(models[chosen]))


def test_a_linear_merge_is_the_mean(three: list[Path], tmp_path: Path) -> None:
    merged = weights(merging("linear", three[1:], tmp_path / "out", parameters={"weight": [3, 1]}))
    first, second = (weights(folder) for folder in three[1:])
    for name, tensor in merged.items():
        expected = 0.75 * first[name].double() + 0.25 * second[name].double()
        assert torch.equal(tensor, expected.float()), name


def test_narrow_models_keep_what_is_kept_in_fp32(tmp_path: Path) -> None:
    folders = [save(model(seed, torch.bfloat16), tmp_path / str(seed)) for seed in (0, 1)]
    merged, one, two = (weights(folder) for folder in (merging("linear", folders, tmp_path / "out"), *folders))
    assert {name: tensor.dtype for name, tensor in merged.items()} == {
        name: tensor.dtype for name, tensor in one.items()
    }
    assert merged[GATE].dtype == torch.float32
    assert torch.equal(merged[GATE], ((one[GATE].double() + two[GATE].double()) / 2).float())
    wide = weights(merging("linear", folders, tmp_path / "wide", dtype="float32"))
    assert torch.equal(wide[EXPERT], ((one[EXPERT].double() + two[EXPERT].double()) / 2).float())
    assert torch.equal(wide[EXPERT].bfloat16(), merged[EXPERT])
    assert json.loads((tmp_path / "wide" / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize("changes", [{"num_nextn_predict_layers": 2}, {"tie_word_embeddings": True}])
def test_copies_stay_copies(changes: dict[str, Any], tmp_path: Path) -> None:
    base, other = (save(model(seed, **changes), tmp_path / str(seed)) for seed in (0, 1))
    out = merging("dare_linear", [other, other], tmp_path / "out", base)
    assert weights(out).keys() == weights(base).keys()
    assert load_pretrained(out).config == load_pretrained(base).config


def test_dare_depends_on_seed_and_model_and_on_nothing_else(three: list[Path], tmp_path: Path) -> None:
    base, first, _ = three
    merged = weights(merging("dare_linear", [first, first], tmp_path / "a", base))
    assert equal(merged, weights(merging("dare_linear", [first, first], tmp_path / "b", base, shard_bytes=20_000)))
    assert not equal(merged, weights(merging("dare_linear", [first, first], tmp_path / "c", base, seed=1)))
    change_of = (merged[EXPERT] - weights(base)[EXPERT]) / (weights(first)[EXPERT] - weights(base)[EXPERT])
    shares = {0: 0.25, 2: 0.5, 4: 0.25}  # two models that drop apart, each number doubled where it is kept
    for times, share in shares.items():
        assert (change_of.round() == times).double().mean() == pytest.approx(share, abs=0.06)


def test_shards_in_and_out(three: list[Path], tmp_path: Path) -> None:
    base, first, second = three
    parted = save(load_pretrained(first), tmp_path / "parted", shard_bytes=20_000)
    one = merging("ties", [parted, second], tmp_path / "one", base, shard_bytes=30_000)
    two = merging("ties", [first, second], tmp_path / "two", base)
    files = sorted(one.glob("*.safetensors"))
    assert len(files) > 3
    assert all(len(load_file(path)) == 1 or path.stat().st_size < 33_000 for path in files)
    assert equal(weights(one), weights(two))
    assert read_headers(one).keys() == weights(two).keys()


def test_fp8_models_are_dequantized(three: list[Path], tmp_path: Path) -> None:
    base, first, _ = three
    fp8 = shutil.copytree(first, tmp_path / "fp8")

    def quantized(held: Weights) -> None:
        held[EXPERT], held[f"{EXPERT}_scale_inv"] = quantize(held[EXPERT])

    change(fp8, quantized)
    config = json.loads((fp8 / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
    (fp8 / "config.json").write_text(json.dumps(config))
    merged = weights(merging("linear", [base, fp8], tmp_path / "out"))
    read = {name: tensor.detach() for name, tensor in weights(base).items()}
    save(load_pretrained(fp8), tmp_path / "plain")
    plain = weights(tmp_path / "plain")
    assert merged.keys() == read.keys()
    assert torch.equal(merged[EXPERT], ((read[EXPERT].double() + plain[EXPERT].double()) / 2).float())


def test_the_card_says_how_it_was_made(three: list[Path], tmp_path: Path) -> None:
    base, first, second = three
    parameters = {"weight": [0.5, 2.0], "lambda": 0.75}
    out = merging("dare_ties", [first, second], tmp_path / "out", base, parameters=parameters, seed=7)
    text = (out / "README.md").read_text()
    assert "method `dare_ties`: normalize False, lambda 0.75, seed 7" in text
    for row in ("| `first` | 0.5 | 0.5 |", "| `second` | 2.0 | 0.5 |", "| `base` (base) |"):
        assert row in text
    assert str(base.parent) not in text
    assert str(tmp_path) not in text
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "transformers"
    for name in ("x", "y"):
        shutil.copytree(base, tmp_path / name / "model")
    out = merging("slerp", [tmp_path / "x" / "model", tmp_path / "y" / "model"], tmp_path / "alike")
    assert "| `x/model` |\n| `y/model` |" in (out / "README.md").read_text()


def edited(name: str, edit: Callable[[Any], Any]) -> Callable[[Path], Any]:
    """A change to one JSON file of a folder."""

    def apply(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        edit(value)
        (folder / name).write_text(json.dumps(value))

    return apply


def other_tokenizer(folder: Path) -> None:
    train_tokenizer(["prove the theorem"] * 9, len(TOKENIZER) + 1).save_pretrained(folder)


WRONG: list[tuple[Callable[[Path], Any], list[str]]] = [
    (
        edited("config.json", lambda c: c.update(index_topk=4, norm_topk_prob=False)),
        ["config.json: index_topk is 4 instead of 8", "norm_topk_prob is False instead of True"],
    ),
    (edited("config.json", lambda c: c.update(rope_theta=5.0)), ["rope_theta is 5.0 instead of 10000.0"]),
    (edited("config.json", lambda c: c.update(model_type="llama")), ["model_type is 'llama'"]),
    (other_tokenizer, ["model in tokenizer.json differs"]),
    (edited("tokenizer_config.json", lambda c: c.update(pad_token="<think>")), ["pad_token differs"]),
    (lambda folder: (folder / "chat_template.jinja").write_text("other"), ["chat template differs"]),
    (lambda folder: (folder / "tokenizer.json").unlink(), ["has no tokenizer.json"]),
    (lambda folder: change(folder, lambda held: held.pop(EXPERT)), ["missing:", EXPERT]),
    (lambda folder: change(folder, lambda held: held.update(extra=torch.ones(1))), ["unknown: extra"]),
    (
        lambda folder: change(folder, lambda held: held.update({EXPERT: held[EXPERT][:-1]})),
        ["mis-shaped:", f"{EXPERT} [23, 32] instead of [24, 32]"],
    ),
    (lambda folder: change(folder, lambda held: held[EXPERT].fill_(float("nan"))), [EXPERT, "not finite"]),
    (shutil.rmtree, ["not a model folder"]),
]


@pytest.mark.parametrize(("spoil", "expected_words"), WRONG)
def test_what_does_not_fit_is_listed_and_nothing_is_written(
    spoil: Callable[[Path], Any], expected_words: list[str], three: list[Path], tmp_path: Path
) -> None:
    folders = [shutil.copytree(three[0], tmp_path / name) for name in ("first", "second")]
    spoil(folders[1])
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(LemmataError) as error:
        merging("ties", folders, tmp_path / "out", three[0])
    for words in expected_words:
        assert words in str(error.value)
    assert str(folders[1]) in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_differences_of_all_models_stand_in_one_message(three: list[Path], tmp_path: Path) -> None:
    folders = [shutil.copytree(three[0], tmp_path / name) for name in ("a", "b", "c")]
    edited("config.json", lambda c: c.update(index_topk=4))(folders[1])
    (folders[2] / "chat_template.jinja").write_text("other")
    with pytest.raises(LemmataError, match=r"/b: config.json: index_topk is 4 .*/c: chat template"):
        merging("linear", folders, tmp_path / "out")


def test_initialization_may_differ(tmp_path: Path) -> None:
    """It says how training began, and nothing about what the weights compute."""
    folders = [save(model(initializer_range=0.1 * seed), tmp_path / str(seed)) for seed in (1, 2)]
    merging("linear", folders, tmp_path / "out")


def test_a_broken_copy_is_refused(tmp_path: Path) -> None:
    folders = [save(model(num_nextn_predict_layers=1), tmp_path / name) for name in ("a", "b")]
    copy = "model.layers.3.shared_head.head.weight"
    change(folders[1], lambda held: held.update({copy: held[copy] + 1}))
    with pytest.raises(LemmataError, match=rf"b: {copy} differs from lm_head.weight"):
        merging("linear", folders, tmp_path / "out")


def test_what_is_there_is_never_replaced(three: list[Path], tmp_path: Path) -> None:
    base, first, second = three
    held = weights(base)
    with pytest.raises(LemmataError, match="exists already"):
        merging("linear", [first, second], base)
    assert equal(weights(base), held)
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(LemmataError, match=r"exists already|cannot be written"):
            merging("linear", [first, second], out)
    (tmp_path / "empty").mkdir()
    merging("linear", [first, second], tmp_path / "empty")
    assert load_pretrained(tmp_path / "empty")


def test_numbers_too_large_for_the_dtype(three: list[Path], tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match=r"too large for torch.float16; choose a wider dtype"):
        merging("task_arithmetic", [three[1]], tmp_path / "out", three[0], dtype="float16", parameters={"weight": 1e9})
    assert not (tmp_path / "out").exists()
