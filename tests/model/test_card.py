"""Model card of a saved folder, and agreement of model and tokenizer."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from model import ModelError, load_pretrained, save_pretrained
from model.chat import Chat
from model.config import Yarn
from model.counts import count_parameters, token_flops
from model.tokenizer import byte_tokenizer, load_tokenizer, train_tokenizer
from tests.model.tiny import tiny_model

pytestmark = pytest.mark.slow

TOKENIZER = byte_tokenizer()
SIZE = len(TOKENIZER)
FILES = {
    "README.md",
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
}


def card(folder: Path) -> tuple[dict[str, object], str]:
    """Header and body."""
    _, header, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(header), body


def test_the_card_describes_the_model(tmp_path: Path) -> None:
    model = tiny_model(dtype=torch.bfloat16, yarn=Yarn(4.0, 64), num_nextn_predict_layers=1)
    save_pretrained(model, tmp_path / "a", license_name="apache-2.0")
    header, body = card(tmp_path / "a")
    assert header["license"] == "apache-2.0"
    assert header["library_name"] == "transformers"
    assert "deepseek-sparse-attention" in str(header["tags"])
    counts = count_parameters(model)
    assert f"{counts.total:,}, {counts.active:,} active per token" in body
    last = token_flops(model, model.config.max_position_embeddings - 1).total
    assert f"{token_flops(model, 0).total:,} FLOPs (forward pass) for the first token, {last:,} for the last" in body
    assert "| Weights | bfloat16, " in body
    assert "| Context | 256 tokens, extended by YaRN from 64 |" in body
    assert "3 of 8 routed and 1 shared, of width 24, in 2 of 3 layers" in body
    assert "AutoTokenizer" not in body
    save_pretrained(tiny_model(first_k_dense_replace=3), tmp_path / "b")
    header, body = card(tmp_path / "b")
    assert "license" not in header
    assert "| Experts | none |" in body


def test_a_generated_card_is_rewritten_and_a_persons_card_is_kept(tmp_path: Path) -> None:
    save_pretrained(tiny_model(), tmp_path)
    before = card(tmp_path)
    save_pretrained(tiny_model(hidden_size=64), tmp_path)
    assert card(tmp_path) != before
    (tmp_path / "README.md").write_text("# Mine\n")
    save_pretrained(tiny_model(), tmp_path)
    assert (tmp_path / "README.md").read_text() == "# Mine\n"


def test_model_and_tokenizer_in_one_folder(tmp_path: Path) -> None:
    model = tiny_model(vocab_size=SIZE)
    save_pretrained(model, tmp_path / "m", TOKENIZER)
    assert {path.name for path in (tmp_path / "m").iterdir()} == FILES
    assert "AutoTokenizer" in card(tmp_path / "m")[1]
    config = load_pretrained(tmp_path / "m").config
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)
    assert replace(config, pad_token_id=None, bos_token_id=None, eos_token_id=None) == model.config
    reference = AutoTokenizer.from_pretrained(tmp_path / "m")
    messages = [{"role": "user", "content": "Prove that 1 + 1 = 2é."}]
    ids = reference.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert ids == list(Chat(load_tokenizer(tmp_path / "m")).render(messages))
    logits = AutoModelForCausalLM.from_pretrained(tmp_path / "m")(torch.tensor([ids])).logits
    assert logits.shape == (1, len(ids), SIZE)


def test_another_tokenizer_replaces_all_files_of_the_former_one(tmp_path: Path) -> None:
    save_pretrained(tiny_model(vocab_size=400), tmp_path, TOKENIZER)
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json", "notes.txt"):
        (tmp_path / name).write_text("{}")
    trained = train_tokenizer(["prove the theorem"] * 9, 300)
    save_pretrained(tiny_model(vocab_size=400), tmp_path, trained)
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"notes.txt"}
    assert len(load_tokenizer(tmp_path)) == len(trained)
    save_pretrained(tiny_model(seed=1, vocab_size=400), tmp_path)  # saved without a tokenizer: the existing one stays
    assert len(load_tokenizer(tmp_path)) == len(trained)
    assert "AutoTokenizer" in card(tmp_path)[1]


def test_model_and_tokenizer_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the tokenizer has 271 tokens, and the model's vocab_size is 61"):
        save_pretrained(tiny_model(), tmp_path / "m", TOKENIZER)
    with pytest.raises(ModelError, match="eos_token_id=5 in the model's configuration, but 2 in the tokenizer"):
        save_pretrained(tiny_model(vocab_size=SIZE, eos_token_id=5), tmp_path / "m", TOKENIZER)
    assert list(tmp_path.iterdir()) == []
    save_pretrained(tiny_model(vocab_size=SIZE, eos_token_id=(5, 2)), tmp_path / "m", TOKENIZER)
    assert load_pretrained(tmp_path / "m").config.eos_token_id == (5, 2)


def test_the_card_of_a_model_that_transformers_refuses(tmp_path: Path) -> None:
    save_pretrained(tiny_model(q_lora_rank=None), tmp_path / "a")
    header, body = card(tmp_path / "a")
    assert "library_name" not in header
    assert "AutoModelForCausalLM" not in body
    assert "q_lora_rank: null" in body
    with pytest.raises(Exception, match="q_lora_rank"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "a")
    assert load_pretrained(tmp_path / "a").config.q_lora_rank is None
