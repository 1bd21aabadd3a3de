"""Sparse against dense attention of the same trained model: quality and cost as the context grows.

    python -m benchmarks.dsa_quality [model folder] [theorems]

The context grows by the number of earlier proofs, each with an analysis, that a refinement prompt shows. Quality is the
cross-entropy, in nats a token, of the right answer to follow, and the share of complete proofs among sampled answers;
cost is the time of sampling them, in turns. Each top-k is that of the attention alone: the weights are the same.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.measured_model import measured_model  # isort: skip
from benchmarks.side_by_side import report  # isort: skip  sets variables that torch reads

import torch
from torch.nn.functional import cross_entropy

from core.ids import clean_text
from core.sections import split_proof
from lab import check
from lab.items import Item, Stream
from lab.prompts import templates
from model import load_pretrained
from model.chat import Chat
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.initialize import empty_model
from model.tokenizer import load_tokenizer
from model.transformer import DsaModel

SHOWN = (1, 2, 3, 4)  # eight would not leave room for an answer in the context of the shipped model
TOP_KS = (32, 64, 128, 256)
SAMPLED = SamplingParams(max_tokens=256, temperature=0.6)


def main() -> None:
    """Measure every context and top-k, and print a table."""
    torch.set_num_threads(1)
    folder, domain = measured_model()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    trained, tokenizer = load_pretrained(folder), load_tokenizer(folder)
    ways = {str(top_k): with_top_k(trained, top_k) for top_k in TOP_KS}
    ways["dense"] = with_top_k(trained, trained.config.max_position_embeddings)
    stream = Stream("verify", domain.families, domain.levels, "test", seed=0)
    items = [stream.item(number) for number in range(count * max(SHOWN))]
    chat, results = Chat(tokenizer), []
    print(f"{'shown':>5} {'tokens':>6} {'top-k':>6} {'nats':>7} {'complete':>8} {'seconds':>8}")
    for shown in SHOWN:
        groups = [items[first : first + shown] for first in range(0, count * shown, shown)]
        prompts = [chat.render([{"role": "user", "content": prompt_of(group)}], thinking=False) for group in groups]
        tokens = sum(map(len, prompts)) / len(prompts)
        for name, module in ways.items():
            nats = answer_nats(module, tokenizer, groups, prompts)
            complete, seconds = sampled(module, tokenizer, groups, prompts)
            print(f"{shown:5} {tokens:6.0f} {name:>6} {nats:7.4f} {complete:8.3f} {seconds:8.2f}", flush=True)
            results.append(
                {"shown": shown, "tokens": tokens, "top_k": name, "nats": nats, "complete": complete, "cpu_s": seconds}
            )
    report("dsa_quality", {"model": folder.name, "trained_top_k": trained.config.index_topk, "rows": results})


def with_top_k(trained: DsaModel, top_k: int) -> DsaModel:
    """The same weights, attending to so many tokens."""
    module = empty_model(replace(trained.config, index_topk=top_k), torch.float32)
    module.load_state_dict(trained.state_dict())
    return module.eval()


def prompt_of(group: list[Item]) -> str:
    """Refinement of the first item's proof, beside proofs of other theorems: what is to be found among distractors."""
    shown = [(item.proof.text, [item.answer]) for item in (*group[1:], group[0])]
    return templates().refinement(group[0].theorem.statement, shown)


@torch.no_grad()
def answer_nats(module: DsaModel, tokenizer: object, groups: list[list[Item]], prompts: list[Sequence[int]]) -> float:
    """Cross-entropy of the right proofs, in nats a token."""
    total, tokens = 0.0, 0
    for group, prompt in zip(groups, prompts, strict=True):
        answer = tokenizer(f"## Solution\n{group[0].proof.source}", add_special_tokens=False)["input_ids"]  # pyright: ignore[reportCallIssue]
        logits_TV = module(torch.tensor([[*prompt, *answer]]))[0, len(prompt) - 1 : -1]
        total += cross_entropy(logits_TV, torch.tensor(answer), reduction="sum").item()
        tokens += len(answer)
    return total / tokens


def sampled(
    module: DsaModel, tokenizer: object, groups: list[list[Item]], prompts: list[Sequence[int]]
) -> tuple[float, float]:
    """Share of complete proofs among one sampled answer each, and CPU seconds of sampling them all."""
    engine = LLMEngine(module, tokenizer, EngineConfig(cache_tokens=131072, max_num_seqs=64))  # pyright: ignore[reportArgumentType]
    started = time.process_time()
    answers = engine.generate(prompts, [replace(SAMPLED, seed=place) for place in range(len(prompts))])
    seconds = time.process_time() - started
    bodies = [split_proof(clean_text(completions[0].text)).body for completions in answers]
    complete = [
        body is not None and check(group[0].theorem, body).score == 1
        for group, body in zip(groups, bodies, strict=True)
    ]
    return sum(complete) / len(complete), seconds


if __name__ == "__main__":
    main()
