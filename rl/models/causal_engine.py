"""Rollouts of a causal model by transformers' own ``generate``, in batches, with the random numbers of each row.

A logits processor draws the next token of every row, records it as the engine of DSA models does, and leaves
``generate`` no other choice; a stopping criterion ends the rows that are finished.

Shape suffixes: B rows of a batch, V vocabulary, T tokens.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerFast,
    StoppingCriteria,
    StoppingCriteriaList,
)
from typing_extensions import override

from model.engine import CompletionOutput, EngineConfig, Request, SamplingParams
from model.engine.engine import check_weights
from model.engine.sampler import draw
from model.engine.sequence import Sequence as Row
from model.engine.text import TextStream
from model.errors import ModelError
from rl.models.causal import CausalLM

UNSUPPORTED = ("stop", "top_logprobs", "prompt_logprobs")  # settings of sampling that rollouts do not need


class CausalEngine:
    """Generates with ``module``, in batches of at most ``config.max_num_seqs`` rows.

    Rows of the longest prompt and answer of a batch fit in ``config.cache_tokens`` tokens, or it has one row.
    """

    def __init__(self, module: CausalLM, tokenizer: PreTrainedTokenizerFast, config: EngineConfig) -> None:
        self.module, self.tokenizer, self.config = module, tokenizer, config
        self.max_model_len = min(module.config.max_position_embeddings, config.cache_tokens)
        self._ends = end_tokens(module, tokenizer)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sequence[SamplingParams],
        finished: Callable[[int, list[CompletionOutput]], None] = lambda number, completions: None,
    ) -> list[list[CompletionOutput]]:
        """Returns the completions of each prompt, as `model.engine.LLMEngine` does.

        Raises ModelError for a prompt that leaves no room, and for a setting of sampling that is not supported.
        """
        requests = [self._request(*each) for each in zip(range(len(prompts)), prompts, sampling, strict=True)]
        open_requests = list(requests)
        for batch in self._batches(requests):
            self._run(batch)
            for request in [request for request in open_requests if request.finished]:
                open_requests.remove(request)
                finished(request.id, request.completions)
        return [request.completions for request in requests]

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copies a state dict into the module, in place, and calls ``weights_changed``."""
        self.module.load_state_dict(weights)
        self.weights_changed()

    def weights_changed(self) -> None:
        """Raises ModelError if the new weights are not finite. No state between two calls depends on them."""
        check_weights(self.module)

    def _request(self, number: int, prompt: Sequence[int], sampling: SamplingParams) -> Request:
        if wanted := [name for name in UNSUPPORTED if getattr(sampling, name) not in ((), 0, None)]:
            raise ModelError(f"{', '.join(wanted)}: not supported with a causal model of transformers")
        room = self.max_model_len - len(prompt)
        if not prompt or room < 1:
            raise ModelError(
                f"the prompt has {len(prompt)} tokens, and the context is {self.max_model_len}: it must have at least "
                "one token and leave room for a completion"
            )
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        limit = min(room, sampling.max_tokens or room)
        completions = [CompletionOutput(seed + index) for index in range(sampling.n)]
        return Request(number, list(prompt), sampling, limit, completions)

    def _batches(self, requests: Sequence[Request]) -> Iterator[list[Row]]:
        """Batches rows of similar length."""
        batch: list[Row] = []
        longest = 0
        for request in sorted(requests, key=lambda one: (len(one.prompt_ids) + one.limit, one.id)):
            for index in range(request.sampling.n):
                longest_now = max(longest, len(request.prompt_ids) + request.limit)
                full = len(batch) == self.config.max_num_seqs
                if batch and (full or (len(batch) + 1) * longest_now > self.config.cache_tokens):
                    yield batch
                    batch, longest_now = [], len(request.prompt_ids) + request.limit
                batch.append(Row(request, index, TextStream(self.tokenizer.backend_tokenizer, ())))
                longest = longest_now
        if batch:
            yield batch

    @torch.no_grad()
    def _run(self, rows: Sequence[Row]) -> None:
        """Generates the completions of a batch, whose prompts are padded on the left."""
        longest = max(len(row.tokens) for row in rows)
        prompts = [[0] * (longest - len(row.tokens)) + row.tokens for row in rows]
        real = [[0] * (longest - len(row.tokens)) + [1] * len(row.tokens) for row in rows]
        device, lm = self.module.lm.device, self.module.lm
        of_folder = lm.generation_config  # its defaults for sampling would change the distribution
        lm.generation_config = GenerationConfig()
        try:
            lm.generate(
                input_ids=torch.tensor(prompts, device=device),
                attention_mask=torch.tensor(real, device=device),
                generation_config=GenerationConfig(
                    do_sample=False, max_new_tokens=max(row.request.limit for row in rows), pad_token_id=0
                ),
                logits_processor=LogitsProcessorList([_Draw(rows, self._ends)]),
                stopping_criteria=StoppingCriteriaList([_Finished(rows)]),
            )
        finally:
            lm.generation_config = of_folder


class _Draw(LogitsProcessor):
    """Draws and records the next token of every row, and leaves its logit alone above all others."""

    def __init__(self, rows: Sequence[Row], ends: frozenset[int]) -> None:
        self._rows, self._ends = rows, ends

    @override
    def __call__(self, input_ids: Any, scores: Any) -> Any:
        open_rows = [place for place, row in enumerate(self._rows) if not row.completion.finish_reason]
        drawn = draw(
            scores[open_rows],
            [self._rows[place].request.sampling for place in open_rows],
            [self._rows[place].uniforms[self._rows[place].num_generated_tokens] for place in open_rows],
        )
        forced_BV = torch.full_like(scores, -torch.inf)
        forced_BV[:, 0] = 0.0  # of finished rows
        for number, place in enumerate(open_rows):
            self._rows[place].append(drawn.row(number), self._ends)
            forced_BV[place, 0] = -torch.inf
            forced_BV[place, drawn.tokens[number]] = 0.0
        return forced_BV


class _Finished(StoppingCriteria):
    """Ends the rows whose completion is whole."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    @override
    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        return torch.tensor([bool(row.completion.finish_reason) for row in self._rows], device=input_ids.device)


def end_tokens(module: CausalLM, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """Returns the tokens that end a text: those of the model's two configurations and the tokenizer's."""
    named: list[Any] = [tokenizer.eos_token_id]
    for config in (module.config, module.lm.generation_config):
        own = getattr(config, "eos_token_id", None)
        named += own if isinstance(own, list | tuple) else [own]
    return frozenset(token for token in named if isinstance(token, int))
