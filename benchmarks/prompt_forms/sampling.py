"""Samples of a small causal model with transformers: one prompt is read once, and its samples share the cache."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer; ``whole``: it ended by itself before the token limit."""

    text: str
    whole: bool


class Sampler:
    """Samples answers to chat messages. N samples, T tokens, V vocabulary."""

    def __init__(self, folder: str) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def tokens(self, prompt: str) -> list[int]:
        """The token ids of a user message, up to the start of the answer."""
        chat = [{"role": "user", "content": prompt}]
        return self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]

    @torch.inference_mode()
    def sample(self, prompt: str, n: int, max_tokens: int, temperature: float, seed: int) -> list[Sample]:
        """``n`` answers to one prompt."""
        generator = torch.Generator().manual_seed(seed)
        first = self.model(torch.tensor([self.tokens(prompt)]), use_cache=True, logits_to_keep=1)
        cache = first.past_key_values
        cache.batch_repeat_interleave(n)
        logits_NV = first.logits[:, -1].expand(n, -1)
        tokens: list[torch.Tensor] = []
        open_N = torch.ones(n, dtype=torch.bool)
        for _ in range(max_tokens):
            chosen_N = torch.multinomial((logits_NV / temperature).softmax(-1), 1, generator=generator)[:, 0]
            chosen_N = torch.where(open_N, chosen_N, self.tokenizer.eos_token_id)
            open_N &= chosen_N != self.tokenizer.eos_token_id
            tokens.append(chosen_N)
            if not open_N.any():
                break
            logits_NV = self.model(chosen_N[:, None], past_key_values=cache, use_cache=True).logits[:, -1]
        rows_NT = torch.stack(tokens, 1)
        texts = self.tokenizer.batch_decode(rows_NT, skip_special_tokens=True)
        return [Sample(text, not still) for text, still in zip(texts, open_N.tolist(), strict=True)]
