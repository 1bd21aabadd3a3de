"""Table of published models: written by its command, and what it says of each family."""

import json

import pytest

pytest.importorskip("torch")

from docs.scripts.public_models import CONFIGS, PAGE, outcome, page
from model.config import Llama3Rope


def test_the_page_is_what_the_command_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m docs.scripts.public_models"


def test_each_family_converts_with_its_own_parts() -> None:
    configs = json.loads(CONFIGS.read_text(encoding="utf-8"))
    assert len(configs) >= 15
    found = {name.split("/")[1]: outcome(entry["config"])[1] for name, entry in configs.items()}
    llama, qwen2, qwen3 = found["Llama-3.1-8B-Instruct"], found["Qwen2.5-Math-7B"], found["Qwen3-8B"]
    assert llama is not None
    assert qwen2 is not None
    assert qwen3 is not None
    assert llama.llama3 == Llama3Rope(8.0, 1.0, 4.0, 8192)
    assert (qwen2.qkv_bias, qwen2.qk_norm, qwen2.kv_lora_rank) == (True, False, 512)
    assert (qwen3.qkv_bias, qwen3.qk_norm, qwen3.rope_groups) == (False, True, 8)
    assert found["Mistral-7B-v0.1"] is None
    assert found["Mistral-7B-v0.3"] is not None
