"""Tokens per CPU second of the engine against transformers' ``generate``, and with and without shared prompts.

    python -m benchmarks.engine [repeats]

- generate: 64 prompt and 128 new tokens of 1, 16, 32 and 64 sequences, same weights, sampled at temperature 1. The
  32 are the shape of TRL's GRPO rollout (4 prompts, 8 samples each), which calls this ``generate``.
- shared prompt: 16 samples of one prompt of 1,024 tokens, as one request and as 16 requests one after the other that
  find nothing in the cache.
- top-p: 16 and 64 sequences drawn with top-p 0.95 beside the same without it.

CPU seconds of the process, in turns. The last line is JSON.
"""

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.side_by_side import in_turns, ratio, report  # isort: skip  sets variables that torch reads

import torch

from benchmarks.small_model import random_prompts, same_in_transformers, small_model
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.tokenizer import byte_tokenizer

PROMPT, NEW = 64, 128
LONG_PROMPT, SAMPLES = 1024, 16


def main() -> None:
    """Run all parts and print their tables."""
    torch.set_num_threads(1)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    model = small_model()
    engine = LLMEngine(model, byte_tokenizer(), EngineConfig(cache_tokens=64 * 1024))
    peer = same_in_transformers(model)
    generate = {count: beside_generate(engine, peer, count, repeats) for count in (1, 16, 32, 64)}
    shared = {new: shared_prompt(engine, new, repeats) for new in (16, 64, 128)}
    nucleus = {count: beside_plain(engine, count, repeats) for count in (16, 64)}
    report("engine", {"generate": generate, "shared_prompt": shared, "top_p": nucleus})


def beside_generate(engine: LLMEngine, peer: Any, count: int, repeats: int) -> dict[str, float]:
    """Tokens a CPU second of both for ``count`` sequences."""
    prompts = random_prompts(count, PROMPT)
    ids = torch.tensor(prompts)
    sampling = SamplingParams(max_tokens=NEW, ignore_eos=True, seed=0)

    def own_engine() -> None:
        engine.weights_changed()  # no prompt is found in the cache
        assert all(len(one.token_ids) == NEW for (one,) in engine.generate(prompts, sampling))

    @torch.inference_mode()
    def theirs() -> None:
        mask = torch.ones_like(ids)
        limits = {"max_new_tokens": NEW, "min_new_tokens": NEW}
        out = peer.generate(inputs=ids, attention_mask=mask, do_sample=True, top_k=0, top_p=1.0, **limits)
        assert out.shape == (count, PROMPT + NEW)

    seconds = in_turns({"generate": theirs, "engine": own_engine}, repeats)
    result = ratio(seconds["generate"], seconds["engine"])
    rates = {name: round(count * NEW / sorted(times)[len(times) // 2]) for name, times in seconds.items()}
    print(f"{count:3} sequences: tokens a second {rates}, {result}", flush=True)
    return {**rates, **result}


def shared_prompt(engine: LLMEngine, new: int, repeats: int) -> dict[str, float]:
    """CPU seconds of 16 samples of one prompt with ``new`` tokens each, together and apart."""
    (prompt,) = random_prompts(1, LONG_PROMPT)

    def sample(n: int, seed: int) -> None:
        engine.weights_changed()
        engine.generate([prompt], SamplingParams(n=n, max_tokens=new, ignore_eos=True, seed=seed))

    ways: dict[str, Callable[[], object]] = {
        "apart": lambda: [sample(1, seed) for seed in range(SAMPLES)],
        "together": lambda: sample(SAMPLES, 0),
    }
    seconds = in_turns(ways, repeats)
    result = ratio(seconds["apart"], seconds["together"])
    print(f"{SAMPLES} samples of {new} tokens, prompt of {LONG_PROMPT}: together {result}", flush=True)
    return result


def beside_plain(engine: LLMEngine, count: int, repeats: int) -> dict[str, float]:
    """CPU seconds of ``count`` sequences with top-p 0.95 over those of plain sampling."""
    prompts = random_prompts(count, PROMPT)

    def sample(top_p: float) -> None:
        engine.weights_changed()
        engine.generate(prompts, SamplingParams(max_tokens=NEW, ignore_eos=True, seed=0, top_p=top_p))

    seconds = in_turns({"plain": lambda: sample(1.0), "top_p": lambda: sample(0.95)}, repeats)
    result = ratio(seconds["top_p"], seconds["plain"])
    print(f"{count:3} sequences: top-p 0.95 over plain sampling {result}", flush=True)
    return result


if __name__ == "__main__":
    main()
