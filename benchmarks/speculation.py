"""Speculative decoding: CPU seconds with and without the MTP layer's drafts, for a model trained here on real text.

    python -m benchmarks.speculation [minutes of training] [repeats]

The text are the sources of Python's standard library (every tenth file held out), in a byte-level BPE of 1,024 tokens.
Prompts are 64 tokens of held-out files; 128 new tokens each, same seeds, so that both ways write the same text.
Printed: the acceptance rate of drafts, CPU seconds in turns, and their ratio. The last line is JSON.
"""

import sys
import sysconfig
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.side_by_side import in_turns, ratio, report  # isort: skip  sets variables that torch reads

import torch

from benchmarks.small_model import CONFIG
from model import new_model
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.tokenizer import train_tokenizer
from model.training import mtp_losses
from model.transformer import DsaModel

VOCABULARY, LAYERS, BATCH, LENGTH = 1024, 8, 16, 128
PROMPT, NEW = 64, 128
WAYS = {"plain": False, "speculating": True}


def main() -> None:
    """Train, then measure at several numbers of sequences and temperatures."""
    torch.set_num_threads(1)
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 6
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    texts = [path.read_text(errors="replace") for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))]
    train, held_out = [text for i, text in enumerate(texts) if i % 10], texts[::10]
    tokenizer = train_tokenizer(train, VOCABULARY)
    shape = {"vocab_size": VOCABULARY, "num_hidden_layers": LAYERS, "num_nextn_predict_layers": 1}
    model = new_model(replace(CONFIG, **shape), seed=0)
    ids = torch.tensor([token for text in train for token in tokenizer(text)["input_ids"]])
    trained = fit(model, ids, minutes)
    engines = {name: LLMEngine(model, tokenizer, EngineConfig(speculate=speculate)) for name, speculate in WAYS.items()}
    windows = [tokenizer(text)["input_ids"] for text in held_out]
    prompts = [window[200 : 200 + PROMPT] for window in windows if len(window) > 200 + PROMPT]
    results = {
        f"{count} sequences, temperature {temperature}": beside(engines, prompts[:count], temperature, repeats)
        for count in (1, 4, 16)
        for temperature in (1.0, 0.0)
    }
    report("speculation", {"training": trained, **results})


def fit(model: DsaModel, ids: torch.Tensor, minutes: float) -> dict[str, float]:
    """AdamW on random windows for some time; the last losses."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    end, step = time.monotonic() + 60 * minutes, 0
    losses = torch.zeros(2)
    while time.monotonic() < end:
        starts = torch.randint(len(ids) - LENGTH, (BATCH, 1), generator=generator)
        main_loss, (mtp_loss,) = mtp_losses(model, ids[starts + torch.arange(LENGTH)])
        optimizer.zero_grad()
        (main_loss + 0.3 * mtp_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses, step = torch.stack((main_loss.detach(), mtp_loss.detach())), step + 1
        if step % 100 == 0:
            print(f"step {step}: loss {losses[0]:.3f}, of the MTP layer {losses[1]:.3f}", flush=True)
    model.eval()
    return {"steps": step, "loss": round(losses[0].item(), 3), "mtp_loss": round(losses[1].item(), 3)}


def beside(
    engines: dict[str, LLMEngine], prompts: list[list[int]], temperature: float, repeats: int
) -> dict[str, float]:
    """CPU seconds of both engines on the same prompts and seeds."""
    sampling = SamplingParams(temperature=temperature, max_tokens=NEW, ignore_eos=True, seed=0)
    steps = {name: passes(engine, prompts, sampling) for name, engine in engines.items()}
    ways = {name: partial(passes, engine, prompts, sampling) for name, engine in engines.items()}
    seconds = in_turns(ways, repeats)
    result = ratio(seconds["plain"], seconds["speculating"])
    right = NEW * len(prompts) / steps["speculating"] - 1
    name = f"{len(prompts)} sequences, temperature {temperature}"
    print(f"{name}: {right:.0%} of the drafts accepted, {result}", flush=True)
    return {"right": round(right, 3), **result}


def passes(engine: LLMEngine, prompts: list[list[int]], sampling: SamplingParams) -> int:
    """Generates; returns the number of forward passes of sequences, prompts included."""
    engine.weights_changed()
    requests = [engine.add(prompt, sampling) for prompt in prompts]
    grown = 0
    while not all(request.finished for request in requests):
        grown += len(engine.step())
    return grown


if __name__ == "__main__":
    main()
