"""Stages on SFT examples: supervised fine-tuning, the indexers' warm-up, and the sparse stage.

Shape suffixes: N packed tokens, P predicted tokens, n of them, M model width, V vocabulary, L layers.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from core.errors import LemmataError
from core.ids import digest
from model.packed import pack
from model.packed_attention import IndexerStage
from model.tokenizer import END_THINK
from model.training import train_indexers_only
from model.transformer import DsaModel
from policy.interface import Message
from rl.config import NextTokenConfig, SupervisedConfig
from rl.head import by_rows
from rl.learner import Learner
from rl.task import Example

MAX_LEFT_OUT = 200  # examples in a row that exceed the context, after which the stage stops with an error
INDEXER: dict[str, IndexerStage] = {"sft": "off", "warmup": "dense", "sparse": "sparse"}


class Encoded(NamedTuple):
    """An example as tokens. ``targets``: positions of the tokens to predict, never the first."""

    ids: list[int]
    targets: list[int]


class Supervised:
    """A stage: ``step`` computes the gradients of whole examples with at least ``config.tokens`` tokens.

    Examples are packed without padding, and do not attend to each other. One that exceeds the context is left out,
    counted and named.
    """

    def __init__(self, name: str, learner: Learner, config: SupervisedConfig) -> None:
        self.name, self.learner, self.config = name, learner, config
        self.indexer: IndexerStage = INDEXER[name]
        self.train_on_prompts = isinstance(config, NextTokenConfig) and config.train_on_prompts
        self.cursor = 0  # examples used so far by all processes
        self.batch: list[Encoded] = []
        self._named: set[str] = set()  # examples that were too long
        if name == "warmup":
            assert isinstance(learner.module, DsaModel)
            train_indexers_only(learner.module)
        else:
            learner.module.requires_grad_(True)

    def step(self) -> dict[str, float]:
        """Computes the gradients of the next batch; returns its metrics.

        Raises LemmataError where `MAX_LEFT_OUT` examples in a row exceed the context.
        """
        parallel = self.learner.parallel
        examples, left_out = self._next_batch()
        self.batch = examples[parallel.rank :: parallel.world_size]
        tokens = sum(len(one.targets) for one in examples)
        fed = sum(len(one.ids) - 1 for one in examples)
        parts = self.learner.accumulate(
            list(micro_batches(self.batch, self.config.micro_batch_tokens)),
            lambda batch: self._loss(batch, tokens, fed),
            self.indexer,
        )
        counts = {"target_tokens": tokens, "tokens": fed, "computed_tokens": fed, "examples": len(examples)}
        counts["examples_too_long"] = left_out
        return parts | counts

    @torch.no_grad()
    def validate(self, items: int) -> dict[str, float]:
        """Returns the loss on the first ``items`` examples of the validation stream, but for those that are too long.

        Without any the loss is left out.
        """
        parallel = self.learner.parallel
        encoded = [(number, encode(self.learner, self.learner.validation.example(number))) for number in range(items)]
        examples = [one for number, one in encoded if self._fits("validation", number, one)]
        if not examples:
            return {}
        tokens = sum(len(one.targets) for one in examples)
        fed = sum(len(one.ids) - 1 for one in examples)
        own = list(micro_batches(examples[parallel.rank :: parallel.world_size], self.config.micro_batch_tokens))
        return self.learner.measure(own, lambda batch: self._loss(batch, tokens, fed)[1], self.indexer)

    def failed_batch(self) -> dict[str, Any]:
        """The batch of the latest step, saved where its loss or gradient is not finite."""
        return {"examples": [one._asdict() for one in self.batch]}

    def state(self) -> dict[str, Any]:
        """The state that resuming needs."""
        return {"cursor": self.cursor}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores ``state``."""
        self.cursor = state["cursor"]

    def weights_changed(self) -> None:
        """Does nothing: no state depends on the weights."""

    def close(self) -> None:
        """Makes every weight trainable again."""
        self.learner.module.requires_grad_(True)

    def _next_batch(self) -> tuple[list[Encoded], int]:
        """The next examples that fit the context, and the number of those between them that do not."""
        batch: list[Encoded] = []
        total = left_out = in_a_row = 0
        while total < self.config.tokens or len(batch) < self.learner.parallel.world_size:
            number, self.cursor = self.cursor, self.cursor + 1
            one = encode(self.learner, self.learner.training.example(number), self.train_on_prompts)
            if self._fits("training", number, one):
                batch.append(one)
                total += len(one.ids)
                in_a_row = 0
                continue
            left_out, in_a_row = left_out + 1, in_a_row + 1
            if in_a_row == MAX_LEFT_OUT:
                raise LemmataError(
                    f"stage {self.name}: {in_a_row} examples in a row exceed the context of {self.context} tokens. Use "
                    "shorter examples, or a model of a longer context (new_model.shape.max_position_embeddings)"
                )
        return batch, left_out

    @property
    def context(self) -> int:
        """The most tokens of an example: its last token is predicted, and is no input."""
        return self.learner.module.config.max_position_embeddings + 1

    def _fits(self, purpose: str, number: int, one: Encoded) -> bool:
        """False for an example that exceeds the context, which is named once."""
        if len(one.ids) <= self.context:
            return True
        key = digest(str(one.ids))
        if key not in self._named and self.learner.parallel.is_main:
            self._named.add(key)
            self.learner.notice(
                f"left out: {purpose} example {number} has {len(one.ids)} tokens, and the context is {self.context}; "
                f"it begins {self.learner.tokenizer.decode(one.ids[:30], skip_special_tokens=True)[:80]!r}"
            )
        return False

    def _loss(self, batch: Sequence[Encoded], tokens: int, fed: int) -> tuple[Tensor, dict[str, float]]:
        """This micro-batch's part of the loss; the whole batch has ``tokens`` targets and ``fed`` input tokens."""
        module = self.learner.module
        packed = pack([one.ids[:-1] for one in batch], self.learner.device)
        hidden_NM, kl_L = module.packed(packed, self.indexer)
        kl = kl_L.mean() / fed
        parts = {} if self.indexer == "off" else {"indexer_kl": kl.item()}
        if self.indexer == "dense":
            return kl, {**parts, "loss": kl.item()}
        places = [
            branch.own.places[target - 1]
            for one, branch in zip(batch, packed.branches, strict=True)
            for target in one.targets
        ]
        places_P = torch.tensor(places, device=self.learner.device)
        targets_P = torch.tensor([one.ids[place] for one in batch for place in one.targets], device=places_P.device)

        def of_rows(hidden_nM: Tensor, targets_n: Tensor) -> tuple[Tensor, Tensor]:
            logits_nV = module.logits(hidden_nM)
            losses_n = functional.cross_entropy(logits_nV, targets_n, reduction="none")
            return losses_n, logits_nV.detach().argmax(-1) == targets_n

        states_PM = hidden_NM.index_select(0, places_P)
        losses_P, correct_P = by_rows(of_rows, module.config.vocab_size, states_PM, targets_P)
        cross_entropy, correct = losses_P.sum() / tokens, correct_P.sum().item() / tokens
        loss = cross_entropy + kl if self.indexer == "sparse" else cross_entropy
        return loss, {**parts, "loss": loss.item(), "cross_entropy": cross_entropy.item(), "token_accuracy": correct}


def encode(learner: Learner, example: Example, train_on_prompt: bool = False) -> Encoded:
    """Encodes an example without its ``rest``; an answer without ``rest`` ends with the end-of-text token.

    Of turns with calls, the model's text and calls are targets; the tools' outputs and descriptions never are.
    """
    prompt, called = _encode_turns(learner, example)
    # An answer without reasoning ends that which the prompt has opened.
    ends = learner.opens_thinking(prompt) and END_THINK not in example.whole
    given = learner.encode(f"{END_THINK}\n{example.given}" if ends else example.given)
    answer = [*learner.encode(example.answer), *([] if example.rest else [learner.end])]
    ids = [*prompt, *given, *answer]
    first = called[0] if called else len(prompt)
    targets = [*(range(1, first) if train_on_prompt else ()), *called, *range(len(ids) - len(answer), len(ids))]
    return Encoded(ids, targets)


def _encode_turns(learner: Learner, example: Example) -> tuple[list[int], list[int]]:
    """The prompt of an example's answer, with the turns before it, and the positions of their targets."""
    messages, called = [Message("user", example.prompt)], list[int]()
    prompt = learner.render_chat(messages, example.tools) if example.tools else learner.render(example.prompt)
    for turn in example.turns:
        messages.append(Message("assistant", turn.text, tool_calls=turn.calls))
        messages += [Message("tool", output, tool_call_id=call.id)
                     for call, output in zip(turn.calls, turn.outputs, strict=True)]  # fmt: skip
        own = learner.encode_calls(turn.text, turn.calls)
        start, longer = len(prompt), learner.render_chat(messages, example.tools)
        # In a chat an answer stands as it was generated: it closes the reasoning, if any.
        if learner.opens_thinking(prompt) or longer[: start + len(own)] != [*prompt, *own]:
            raise LemmataError(
                "SFT examples with tool turns need a chat template that continues a prompt by the answer to it, and "
                "prompts without reasoning (thinking=false)"
            )
        called += range(start, start + len(own))
        prompt = longer
    return prompt, called


def micro_batches(batch: Sequence[Encoded], tokens: int) -> Iterator[list[Encoded]]:
    """Batches examples of similar length, at most ``tokens`` tokens each; a longer one is alone in its batch."""
    part: list[Encoded] = []
    total = 0
    for one in sorted(batch, key=lambda one: -len(one.ids)):
        if part and total + len(one.ids) > tokens:
            yield part
            part, total = [], 0
        part.append(one)
        total += len(one.ids)
    if part:
        yield part
