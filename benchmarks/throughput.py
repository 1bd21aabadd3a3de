"""Tokens per CPU second of the engine beside transformers' ``generate`` and vLLM's CPU build, same weights, in turns.

    LEMMATA_VLLM_PYTHON=vllm/bin/python python -m benchmarks.throughput [repeats [sequences ...]]

1, 16 and 64 sequences of 64 prompt and 64 new tokens; contexts within top-k (2,048) and beyond it (32); plain sampling
and top-p 0.95. Without LEMMATA_VLLM_PYTHON vLLM is left out. Each way's CPU seconds are those of its own process with
one thread, so that other load counts little; ratios are those of neighbors in time: median, lowest and highest. The
last line is JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from benchmarks.side_by_side import cpu_seconds, ratio, report  # isort: skip  sets variables that torch reads

import torch

from benchmarks.small_model import CONFIG, random_prompts, same_in_transformers
from model import new_model, save_pretrained
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.tokenizer import byte_tokenizer
from model.transformer import DsaModel
from serving.vllm_server import plugin_path

PROMPT, NEW = 64, 64
SEQUENCES = (1, 16, 64)
TOPK = {"within": 2048, "beyond": 32}
Way = Callable[[list[list[int]], float], float]  # CPU seconds for prompts and top-p


def main() -> None:
    """Measures and prints each combination."""
    torch.set_num_threads(1)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    sequences = [int(number) for number in sys.argv[2:]] or SEQUENCES
    results: dict[str, Any] = {}
    for name, topk in TOPK.items():
        model = new_model(replace(CONFIG, index_topk=topk), seed=0).eval()
        with all_ways(model) as ways:
            for count in sequences:
                for top_p in (1.0, 0.95):
                    results[f"{name} top-k, {count}, top-p {top_p}"] = row = measure(ways, count, top_p, repeats)
                    print(f"{name} top-k, {count:2} sequences, top-p {top_p}: {row}", flush=True)
    report("throughput", results)


def measure(ways: dict[str, Way], count: int, top_p: float, repeats: int) -> dict[str, Any]:
    """Returns tokens per CPU second of each way, and the ratios of the engine's to the others'."""
    prompts = random_prompts(count, PROMPT)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            taken = way(prompts, top_p)
            if turn:  # the first does not count
                seconds[name].append(taken)
    rates = {name: round(count * NEW / sorted(times)[len(times) // 2]) for name, times in seconds.items()}
    ratios = {f"engine / {name}": ratio(seconds[name], seconds["engine"]) for name in ways if name != "engine"}
    return {"tokens/s": rates, **ratios}


@contextmanager
def all_ways(model: DsaModel) -> Iterator[dict[str, Way]]:
    """Provides each way to generate with ``model``."""
    engine = LLMEngine(model, byte_tokenizer(), EngineConfig(cache_tokens=64 * 1024))
    peer = same_in_transformers(model)

    def own(prompts: list[list[int]], top_p: float) -> float:
        engine.weights_changed()  # no prompt is found in the cache
        sampling = SamplingParams(max_tokens=NEW, ignore_eos=True, seed=0, top_p=top_p)
        return cpu_seconds(lambda: engine.generate(prompts, sampling))

    @torch.inference_mode()
    def transformers(prompts: list[list[int]], top_p: float) -> float:
        ids = torch.tensor(prompts)
        limits = {"max_new_tokens": NEW, "min_new_tokens": NEW}
        arguments = {"attention_mask": torch.ones_like(ids), "do_sample": True, "top_k": 0, "top_p": top_p, **limits}
        return cpu_seconds(lambda: peer.generate(inputs=ids, **arguments))  # pyright: ignore[reportCallIssue]

    ways: dict[str, Way] = {"engine": own, "transformers": transformers}
    if python := os.environ.get("LEMMATA_VLLM_PYTHON"):
        with vllm_worker(python, model) as vllm:
            yield {**ways, "vllm": vllm}
    else:
        yield ways


@contextmanager
def vllm_worker(python: str, model: DsaModel) -> Iterator[Way]:
    """Provides vLLM in a process of its own environment."""
    with tempfile.TemporaryDirectory() as folder, plugin_path() as path:
        save_pretrained(model, Path(folder, "model"), byte_tokenizer())
        command = [python, "-P", str(Path(__file__).with_name("vllm_worker.py")), f"{folder}/model"]
        given = {"PYTHONPATH": str(path), "VLLM_PLUGINS": "lemmata", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | given
        )
        assert process.stdin is not None
        assert process.stdout is not None
        answer(process.stdout)  # ready
        sent, received = process.stdin, process.stdout

        def vllm(prompts: list[list[int]], top_p: float) -> float:
            print(json.dumps({"prompts": prompts, "new": NEW, "top_p": top_p}), file=sent, flush=True)
            return answer(received)["cpu_seconds"]

        yield vllm
        process.stdin.close()
        process.wait()


def answer(lines: IO[str]) -> dict[str, Any]:
    """Returns the next line of JSON; other lines are skipped. Ends the program if there is none."""
    for line in lines:
        if line.startswith("{"):
            return json.loads(line)
    raise SystemExit("vLLM's process has ended; its messages above say why")


if __name__ == "__main__":
    main()
