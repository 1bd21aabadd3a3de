"""Model folders: round trips of saving and loading, and errors that name every problem."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

pytest.importorskip("torch")

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model import ModelError, load_pretrained, save_pretrained
from model.fp8 import quantize
from model.names import checkpoint_tensors
from model.shards import read_headers, read_tensors, write_tensors
from tests.model.tiny import random_ids, tiny_model

Weights = dict[str, torch.Tensor]
QUERY = "model.layers.1.self_attn.q_b_proj.weight"
EXPERT = "model.layers.2.mlp.experts.5.up_proj.weight"
HEAD = "lm_head.weight"


@torch.no_grad()
def same_logits(actual: torch.nn.Module, other: torch.nn.Module) -> bool:
    ids = random_ids(1, 20)
    return torch.equal(actual(ids), other(ids))


def spoil(folder: Path, change: Callable[[Weights], Any]) -> Path:
    """Saves a tiny model in ``folder`` with ``change`` applied to its weights."""
    save_pretrained(tiny_model(), folder)
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    "changes", [{}, {"tie_word_embeddings": True}, {"num_nextn_predict_layers": 2}, {"n_shared_experts": 0}]
)
@pytest.mark.parametrize("shard_bytes", [20_000, 10**9])
def test_round_trip(changes: dict[str, Any], shard_bytes: int, tmp_path: Path) -> None:
    model = tiny_model(**changes)
    save_pretrained(model, tmp_path / "model", shard_bytes=shard_bytes)
    again = load_pretrained(tmp_path / "model")
    assert again.config == model.config
    for (name, actual), expected in zip(
        checkpoint_tensors(model).items(), checkpoint_tensors(again).values(), strict=True
    ):
        assert torch.equal(actual, expected), name
    assert same_logits(model, again)
    assert (tmp_path / "model" / "model.safetensors.index.json").exists() == (shard_bytes == 20_000)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_shards_are_at_most_the_given_size(tmp_path: Path) -> None:
    save_pretrained(tiny_model(), tmp_path / "model", shard_bytes=20_000)
    files = sorted((tmp_path / "model").glob("*.safetensors"))
    assert [file.name for file in files][:1] == [f"model-00001-of-{len(files):05}.safetensors"]
    for file in files:
        tensors = load_file(file)
        assert len(tensors) == 1 or sum(tensor.nbytes for tensor in tensors.values()) <= 20_000


def test_tensors_are_computed_once_and_not_kept(tmp_path: Path) -> None:
    shapes = {str(number): torch.empty(10, device="meta") for number in range(7)}
    asked: list[str] = []
    alive: WeakSet[torch.Tensor] = WeakSet()

    def compute(name: str) -> torch.Tensor:
        assert not alive
        asked.append(name)
        tensor = torch.full((10,), float(name))
        alive.add(tensor)
        return tensor

    write_tensors(shapes, tmp_path, 80, compute)
    assert asked == list(shapes)
    entries = read_headers(tmp_path)
    assert len({entry.path for entry in entries.values()}) == 4
    for name, tensor in read_tensors(entries, entries):
        assert tensor.tolist() == [float(name)] * 10


def test_narrow_weights(tmp_path: Path) -> None:
    model = tiny_model()
    save_pretrained(model, tmp_path)
    narrow = load_pretrained(tmp_path, torch.bfloat16)
    in_fp32 = {name.rpartition("layers.")[2][2:] for name, w in narrow.named_parameters() if w.dtype == torch.float32}
    assert in_fp32 == {f"self_attn.indexer.{name}" for name in ("k_norm.weight", "k_norm.bias", "weights_proj.weight")}
    assert all(buffer.dtype == torch.float32 for buffer in narrow.buffers())
    with torch.no_grad():
        logits, wide = narrow(random_ids(1, 8)), model(random_ids(1, 8))  # within top-k: the same selection
    assert logits.dtype == torch.float32
    # Not of every token: rounding may send one to another expert.
    assert torch.nn.functional.cosine_similarity(logits, wide, dim=-1).median() > 0.98


def test_an_mtp_layer_has_the_names_of_a_release(tmp_path: Path) -> None:
    save_pretrained(tiny_model(num_nextn_predict_layers=1), tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    for name in (
        "eh_proj",
        "enorm",
        "hnorm",
        "shared_head.norm",
        "shared_head.head",
        "embed_tokens",
        "input_layernorm",
    ):
        assert f"model.layers.3.{name}.weight" in names
    assert "model.layers.3.mlp.experts.7.down_proj.weight" in names
    assert "model.layers.3.self_attn.indexer.wq_b.weight" in names
    assert not [name for name in names if name.startswith("mtp")]


def test_vllm_finds_its_keys(tmp_path: Path) -> None:
    save_pretrained(tiny_model(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["topk_method"] == "noaux_tc"
    assert config["scoring_func"] == "sigmoid"
    assert config["moe_layer_freq"] == 1
    assert config["architectures"] == ["DeepseekV32ForCausalLM"]


def drop_two(weights: Weights) -> None:
    del weights[QUERY], weights[EXPERT]


WRONG: list[tuple[Callable[[Weights], Any], list[str]]] = [
    (drop_two, ["missing:", QUERY, EXPERT]),
    (
        lambda w: w.update({"model.layers.9.x.weight": torch.ones(2), "y": torch.ones(1)}),
        ["unknown:", "layers.9.x", "y"],
    ),
    (lambda w: w.update({QUERY: w[QUERY].T.contiguous()}), ["mis-shaped:", f"{QUERY} [24, 72] instead of [72, 24]"]),
    (lambda w: w.update({HEAD: w[HEAD].int()}), ["unsupported dtype", f"{HEAD} I32"]),
    (lambda w: w.update({HEAD: w[HEAD].to(torch.float8_e4m3fn)}), ["missing:", f"{HEAD}_scale_inv"]),
    (lambda w: w.update({f"{HEAD}_scale_inv": torch.ones(1, 1)}), ["unknown:", f"{HEAD}_scale_inv"]),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_tensors_are_listed(change: Callable[[Weights], Any], message: list[str], tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_pretrained(spoil(tmp_path, change))
    for words in message:
        assert words in str(error.value)


def test_all_problems_in_one_message(tmp_path: Path) -> None:
    def change(weights: Weights) -> None:
        drop_two(weights)
        weights["x"] = weights.pop("model.norm.weight")
        weights[HEAD] = weights[HEAD][:-1]

    with pytest.raises(ModelError, match=r"unknown: x; missing: .*q_b_proj.*; mis-shaped: lm_head"):
        load_pretrained(spoil(tmp_path, change))


def test_a_repeated_tensor_must_equal_its_original(tmp_path: Path) -> None:
    save_pretrained(tiny_model(tie_word_embeddings=True), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    for head, fits in ((weights["model.embed_tokens.weight"].clone(), True), (torch.zeros(61, 32), False)):
        save_file({**weights, HEAD: head}, tmp_path / "model.safetensors")
        if fits:
            load_pretrained(tmp_path)
        else:
            with pytest.raises(ModelError, match=r"lm_head.weight differs from model.embed_tokens.weight"):
                load_pretrained(tmp_path)


def test_broken_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config.json"):
        load_pretrained(tmp_path / "nowhere")
    save_pretrained(tiny_model(), tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="not a complete safetensors file"):
        load_pretrained(tmp_path)
    file.unlink()
    with pytest.raises(ModelError, match=r"lacks model\.safetensors"):
        load_pretrained(tmp_path)


def edited_index(folder: Path, edit: Callable[[dict[str, str]], Any]) -> Path:
    """Saves a sharded folder and edits its index's map of names to files."""
    save_pretrained(tiny_model(), folder, shard_bytes=20_000)
    path = folder / "model.safetensors.index.json"
    value = json.loads(path.read_text())
    edit(value["weight_map"])
    path.write_text(json.dumps(value))
    return folder


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda names: names.pop(HEAD), "does not name .*: lm_head"),
        (lambda names: names.update(extra=names[HEAD]), "names tensors .*: extra"),
        (lambda names: names.update({HEAD: "other.safetensors"}), r"lacks other\.safetensors"),
        (lambda names: names.update({HEAD: "../other.safetensors"}), "outside its folder"),
    ],
)
def test_index_and_files_must_agree(edit: Callable[[dict[str, str]], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        load_pretrained(edited_index(tmp_path, edit))


def test_an_invalid_index(tmp_path: Path) -> None:
    save_pretrained(tiny_model(), tmp_path)
    for text in ("{", "[]", '{"weight_map": 3}'):
        (tmp_path / "model.safetensors.index.json").write_text(text)
        with pytest.raises(ModelError, match="not an index"):
            load_pretrained(tmp_path)


def test_saving_over_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    save_pretrained(tiny_model(), folder, shard_bytes=20_000)
    save_pretrained(tiny_model(seed=1), folder)
    assert same_logits(load_pretrained(folder), tiny_model(seed=1))
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "tokenizer.json",
        "config.json",
        "model.safetensors",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failed_save_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    save_pretrained(tiny_model(), folder)
    monkeypatch.setattr("model.checkpoint.config_to_json", lambda _config: {"bad": object()})
    with pytest.raises(TypeError):
        save_pretrained(tiny_model(seed=1), folder)
    assert same_logits(load_pretrained(folder), tiny_model())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_tree_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    with pytest.raises(ModelError, match="has sub-folders"):
        save_pretrained(tiny_model(), tmp_path)


@pytest.mark.parametrize("width", [32, 200])
def test_fp8_weights_are_dequantized(width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_pretrained(tiny_model(hidden_size=width), tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    quantized = [name for name in weights if name.endswith("_proj.weight") and "indexer" not in name]
    for name in quantized:
        weights[name], weights[f"{name}_scale_inv"] = quantize(weights[name])
    save_file(weights, file)
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    opened: list[Path] = []

    def counting(path: Path, **options: Any) -> Any:
        opened.append(path)
        return safe_open(path, **options)

    monkeypatch.setattr("model.shards.safe_open", counting)
    actual = checkpoint_tensors(load_pretrained(tmp_path))
    assert len(opened) == 3  # for header, scales and weights, however many tensors there are
    original = checkpoint_tensors(tiny_model(hidden_size=width))
    for name, tensor in original.items():
        if name in quantized:
            assert ((actual[name] - tensor).abs() <= tensor.abs() / 16 + tensor.abs().max() * 2e-5).all(), name
        else:
            assert torch.equal(actual[name], tensor)
