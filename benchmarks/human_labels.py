"""A verifier trained on labels by people for a short time: loss, and score accuracy on held-out problems.

    python -m benchmarks.human_labels MODEL SOURCE [SOURCE ...] --seconds 600 --max-tokens 512

MODEL is the folder of an ordinary Hugging Face causal model or of a DSA model; SOURCE is as `data.proofs` of `lemmata
train`. Prompts, answers to learn (the label alone) and the split by problem are those of `lemmata train role=verifier
stage=sft`, with the loss on the score alone. Proofs whose prompt has more than ``--max-tokens`` tokens are left out and
counted. The score of a held-out proof is the likeliest of 0, 0.5 and 1 after the sentence that announces it. Beside it
stands the constant that is most frequent in training. ``--seconds`` are of the processor, for training alone. Prints
one JSON line.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.config import read_config
from core.statistics import Observation, share
from lab.prompts import templates
from lemmata.training import compose_train
from model.chat import Chat
from model.packed import pack
from rl.models.kinds import load_policy
from rl.tasks.build import DataConfig, make_task
from rl.tasks.roles import RoleTask
from rl.tasks.table_roles import VERDICT
from rl.tasks.tables import Case, RepeatedTable

Logits = Callable[[list[int]], Tensor]  # token ids to [tokens, vocabulary]
BEFORE_SCORE = VERDICT.partition("%s")[0]
HELD_OUT = 0.25  # of the problems


class Encoder:
    """Prompts and answers as tokens, within ``limit`` tokens."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self._tokenizer, self._chat, self._limit = tokenizer, Chat(tokenizer), limit

    def prompt(self, case: Case) -> list[int]:
        """The tokens of the verifier's prompt about a case."""
        text = templates().verification(case.statement, case.proof)
        return list(self._chat.render([{"role": "user", "content": text}], thinking=False))

    def text(self, text: str) -> list[int]:
        """The tokens of a part of an answer."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def fitting(self, cases: Sequence[Case]) -> list[Case]:
        """The cases whose prompt is within the limit."""
        return [case for case in cases if len(self.prompt(case)) <= self._limit]


def load(folder: Path) -> tuple[Any, Any, Logits]:
    """Module, tokenizer and forward pass of a DSA model, or of any causal model that transformers knows."""
    module, tokenizer = load_policy(folder, "float32", "cpu")
    return module, tokenizer, lambda ids: module.logits(module.packed(pack([ids]))[0])


def cases_of(sources: Sequence[str], split: str) -> list[Case]:
    """The labeled proofs of a split, as `lemmata train` has them."""
    overrides = ["data.lab=none", f"data.proofs=[{','.join(sources)}]", f"data.validation.share={HELD_OUT}"]
    data = read_config(DataConfig, compose_train("role=verifier", "stage=sft", *overrides).data, "data")
    task = make_task("verifier", data, templates(), split, 0)
    assert isinstance(task, RoleTask)
    assert isinstance(task.cases, RepeatedTable)
    return list(task.cases.rows)


def losses(logits_of: Logits, encoder: Encoder, cases: Sequence[Case], end: int) -> Iterator[Tensor]:
    """The loss on the score of each case in turn, without end: the answer's tokens from the score on."""
    for case in cycle(cases):
        given = encoder.prompt(case) + encoder.text(BEFORE_SCORE)
        target = [*encoder.text(f"{case.label:g}}}"), end]
        logits_TV = logits_of(given + target[:-1])[len(given) - 1 :]
        yield functional.cross_entropy(logits_TV, torch.tensor(target))


def train(module: Any, steps: Iterator[Tensor], seconds: float, batch: int, lr: float) -> list[float]:
    """Trains for some seconds of the processor; returns the mean loss of each step."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.0)
    found, started = [], time.process_time()
    while time.process_time() - started < seconds:
        total = 0.0
        for _ in range(batch):
            loss = next(steps) / batch
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found.append(total)
    return found


@torch.no_grad()
def score(logits_of: Logits, encoder: Encoder, case: Case) -> float:
    """The likeliest score: of the tokens of "0}", "0.5}" and "1}", which a digit begins."""
    zero, half, one = (encoder.text(f"{value}}}") for value in ("0", "0.5", "1"))
    assert zero[0] == half[0] != one[0]
    given = encoder.prompt(case) + encoder.text(BEFORE_SCORE)
    first_V, second_V = logits_of([*given, zero[0]])[-2:].log_softmax(-1)
    likely = {
        0.0: first_V[zero[0]] + second_V[zero[1]],
        0.5: first_V[zero[0]] + second_V[half[1]],
        1.0: first_V[one[0]],
    }
    return max(likely, key=lambda value: float(likely[value]))


def accuracy(scores: Sequence[float], cases: Sequence[Case]) -> dict[str, float | None]:
    """The fraction of scores equal to the label, with its interval by problem."""
    rows = zip(scores, cases, strict=True)
    found = share(Observation(case.statement, float(value == case.label)) for value, case in rows)
    return {"value": found.value, "low": found.low, "high": found.high}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Trains and measures; returns the figures."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module, tokenizer, logits_of = load(options.model)
    encoder = Encoder(tokenizer, options.max_tokens)
    found = {split: cases_of(options.sources, split) for split in ("train", "validation")}
    fitting = {split: encoder.fitting(cases) for split, cases in found.items()}
    held_out = fitting["validation"][: options.items]
    constant = Counter(case.label for case in fitting["train"]).most_common(1)[0][0] or 0.0
    module.eval()  # neither model has dropout
    before = [score(logits_of, encoder, case) for case in held_out]
    started = time.process_time()
    steps = losses(logits_of, encoder, fitting["train"], tokenizer.eos_token_id)
    loss = train(module, steps, options.seconds, options.batch, options.lr)
    cpu = time.process_time() - started
    after = [score(logits_of, encoder, case) for case in held_out]
    return {
        "model": options.model.name,
        "proofs": {split: [len(fitting[split]), len(found[split])] for split in found},
        "held_out": len(held_out),
        "labels": Counter(str(case.label) for case in held_out),
        "steps": len(loss),
        "examples": len(loss) * options.batch,
        "cpu_seconds": round(cpu),
        "loss": [round(value, 3) for value in loss],
        "before": accuracy(before, held_out),
        "after": accuracy(after, held_out),
        "scores_after": Counter(map(str, after)),
        "constant": {"score": constant, **accuracy([constant] * len(held_out), held_out)},
    }


def main() -> None:
    """Parses the arguments and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=2e-5)
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
