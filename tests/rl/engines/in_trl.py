# pyright: reportMissingImports=false, reportArgumentType=false
"""TRL's part of tests/rl/test_adapters.py: rewards of random cases by TRL's own trainer, then three GRPO steps.

LEMMATA_ADAPTER=FOLDER python tests/rl/engines/in_trl.py CASES
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from rl.adapters.for_trl import trl_reward
from rl.adapters.rewards import load_rewards

TEMPLATE = "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<s>{% endif %}"


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    base = Tokenizer(models.BPE({char: number for number, char in enumerate(["<pad>", "<s>", "</s>", *alphabet])}, []))
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=base, pad_token="<pad>", bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )


def model(vocabulary: int) -> LlamaForCausalLM:
    """A random model of some thousand parameters."""
    torch.manual_seed(0)
    tokens = {"vocab_size": vocabulary, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return LlamaForCausalLM(LlamaConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, **heads, **tokens))


def main() -> None:
    """Prints the rewards of the cases and the number of steps as JSON."""
    rows: list[dict[str, Any]] = json.loads(Path(sys.argv[1]).read_text())
    folder = os.environ["LEMMATA_ADAPTER"]
    words, reward = tokenizer(), trl_reward(load_rewards(folder), eos_token_id=2, max_tokens=4)
    prompts = [[{"role": "user", "content": "Judge."}] for _ in rows]
    data = Dataset.from_list(
        [{"prompt": p, "ground_truth": r["ground_truth"]} for p, r in zip(prompts, rows, strict=True)]
    )
    config = GRPOConfig(
        output_dir=f"{folder}/trl", max_steps=3, per_device_train_batch_size=2, num_generations=2,
        max_completion_length=4, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, bf16=False,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=model(len(words)), reward_funcs=reward, args=config, train_dataset=data, processing_class=words
    )
    inputs = [{"prompt": p, "ground_truth": row["ground_truth"]} for p, row in zip(prompts, rows, strict=True)]
    completions = [[{"role": "assistant", "content": row["text"]}] for row in rows]
    ids = [[7] * 4 if row["truncated"] else [7] for row in rows]
    scored = trainer._calculate_rewards(inputs, prompts, completions, ids)[:, 0].tolist()
    trainer.train()
    print(json.dumps({"rewards": scored, "steps": trainer.state.global_step}))


if __name__ == "__main__":
    main()
