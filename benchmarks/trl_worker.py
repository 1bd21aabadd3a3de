"""TRL worker for ``benchmarks.training``: one optimizer step of GRPOTrainer for every line on standard input.

Runs in an environment of its own that has TRL, without this repository. After every step it prints its CPU seconds
and what it generated as JSON.
"""

import json
import sys
import tempfile
import time
from typing import Any

import torch
import transformers
import trl  # pyright: ignore[reportMissingImports]  of an environment of its own
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer  # pyright: ignore[reportMissingImports]

PROMPTS, SAMPLES, PROMPT, ANSWER = 4, 8, 64, 128
BASE = "Prove that the sum of two even integers is an even integer, using n = 2k. " * 2
COMMON: dict[str, Any] = {
    "vocab_size": 512,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA: dict[str, Any] = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 5}
LLAMA |= {"num_attention_heads": 6, "num_key_value_heads": 2}
DSV3: dict[str, Any] = {
    "hidden_size": 160,
    "intermediate_size": 320,
    "moe_intermediate_size": 96,
    "num_hidden_layers": 4,
}
DSV3 |= {"num_attention_heads": 4, "num_key_value_heads": 4, "n_shared_experts": 1, "n_routed_experts": 8}
DSV3 |= {"num_experts_per_tok": 2, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1, "kv_lora_rank": 64}
DSV3 |= {"q_lora_rank": 96, "qk_rope_head_dim": 16, "qk_nope_head_dim": 32, "v_head_dim": 32}


def tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<pad>": 0, "<bos>": 1, "<eos>": 2, **{char: place + 3 for place, char in enumerate(alphabet)}}
    raw: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")


def model(shape: str) -> Any:
    """The model, untrained."""
    torch.manual_seed(0)
    if shape == "llama":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**COMMON, **LLAMA))
    made = transformers.DeepseekV3ForCausalLM(transformers.DeepseekV3Config(**COMMON, **DSV3))
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if name.endswith("gate.weight"):  # the class leaves them zero: then all tokens have the same experts
                weight.normal_(0, 0.02)
    return made


def reward(completions: list[str], **_: Any) -> list[float]:
    """The share of even character values."""
    return [sum(ord(char) % 2 == 0 for char in text) / max(1, len(text)) for text in completions]


class Turns(TrainerCallback):
    """Waits for a line before every step, and tells its CPU seconds after it."""

    def __init__(self) -> None:
        self.started = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Wait for the first turn."""
        self._wait()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Tell what the step cost, and wait for the next turn."""
        print(json.dumps({"cpu_seconds": time.process_time() - self.started}), flush=True)
        self._wait()

    def _wait(self) -> None:
        if not sys.stdin.readline():
            sys.exit(0)
        self.started = time.process_time()


def main() -> None:
    """Steps until standard input ends."""
    torch.set_num_threads(1)
    rows = [{"prompt": f"{number:04d} {BASE}"[:PROMPT]} for number in range(256)]
    with tempfile.TemporaryDirectory() as folder:
        made = model(sys.argv[1])
        # The reference is loaded by name.
        made.save_pretrained(f"{folder}/start")
        tokenizer().save_pretrained(f"{folder}/start")
        config = GRPOConfig(
            output_dir=folder,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=PROMPTS * SAMPLES,
            gradient_accumulation_steps=1,
            steps_per_generation=1,
            num_generations=SAMPLES,
            max_completion_length=ANSWER,
            generation_kwargs={"min_new_tokens": ANSWER},
            temperature=1.0,
            top_p=1.0,
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            max_steps=10_000,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=0,
            dataloader_num_workers=0,
            loss_type="grpo",
            beta=0.04,
            use_bias_correction_kl=True,
            off_policy_mask_threshold=0.1,
            scale_rewards="none",
        )
        trainer = GRPOTrainer(
            model=type(made).from_pretrained(f"{folder}/start", dtype=torch.float32),
            reward_funcs=reward,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer(),
            callbacks=[Turns()],
        )
        print(json.dumps({"trl": trl.__version__, "parameters": made.num_parameters()}), flush=True)
        trainer.train()


main()
