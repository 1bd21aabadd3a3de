"""Requests to the engine: sampling parameters, completions, and the request that holds both."""

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from model.errors import ModelError

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Sampling parameters of the ``n`` completions of one prompt.

    ``temperature`` 0 takes the likeliest token. ``top_k`` 0 and ``top_p`` 1 switch truncation off; ``top_k`` is applied
    first. ``max_tokens`` None: up to the context's end. A completion ends before the first of the ``stop`` strings, or
    with an end-of-text token unless ``ignore_eos``. Completion i is drawn with ``seed`` + i, so that n completions of
    one request equal those of n requests with successive seeds; None: a random seed. ``top_logprobs``: number of
    likeliest tokens to report with each sampled one. ``record_sampling_masks``: report the tokens that could be drawn.
    ``prompt_logprobs``: number of likeliest tokens to report with each token of the prompt; None: report nothing of it.
    Raises ModelError if a number is out of range.
    """

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    seed: int | None = None
    top_logprobs: int = 0
    record_sampling_masks: bool = False
    prompt_logprobs: int | None = None

    def __post_init__(self) -> None:
        problems = {
            "n must be at least 1": self.n < 1,
            "temperature must be a number of at least 0": not 0 <= self.temperature < float("inf"),
            "top_p must be above 0 and at most 1": not 0 < self.top_p <= 1,
            "top_k must be at least 0": self.top_k < 0,
            "max_tokens must be at least 1": self.max_tokens is not None and self.max_tokens < 1,
            "top_logprobs must be at least 0": self.top_logprobs < 0,
            "prompt_logprobs must be at least 0": (self.prompt_logprobs or 0) < 0,
            "a stop string must not be empty": "" in self.stop,
        }
        if found := [problem for problem, present in problems.items() if present]:
            raise ModelError("; ".join(found))


@dataclass(slots=True)
class CompletionOutput:
    """One sampled completion; the engine appends to it at every step.

    Per token: ``logprobs`` under the distribution that it was drawn from (after temperature, top-k and top-p),
    ``model_logprobs`` under the model's own (temperature 1, no truncation), ``top_logprobs`` the likeliest (token,
    log-probability) of the latter, ``masks`` the ids that could be drawn (int32; None: all).
    ``token_ids`` include the end-of-text token or the tokens of a stop string, ``text`` does not; in an unfinished
    completion, ``text`` ends before anything that may be the beginning of a stop string.
    ``routing`` [prompt + completion - 1 tokens, MoE layers, experts of a token] (int16): the experts of every token fed
    to the model, with ``EngineConfig.capture_routing``. ``selection`` [such tokens, layers, index_topk] (int32): the
    positions that each attended to, ascending, then -1, with ``EngineConfig.capture_selection``.
    """

    seed: int
    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    model_logprobs: list[float] = field(default_factory=list)
    top_logprobs: list[list[tuple[int, float]]] = field(default_factory=list)
    masks: list[Tensor | None] = field(default_factory=list)
    routing: Tensor | None = None
    selection: Tensor | None = None
    finish_reason: FinishReason | None = None


@dataclass(slots=True)
class Request:
    """A prompt with its completions, each of at most ``limit`` tokens.

    ``cached_tokens``: tokens of the prompt that were found in the prefix cache when it was scheduled (None: it waits).
    ``prompt_logprobs``: of every token of the prompt but the first, its log-probability under the model's own
    distribution and the likeliest tokens with theirs, if requested.
    ``failure``: the error of one of its completions, with which the request has ended.
    """

    id: int
    prompt_ids: list[int]
    sampling: SamplingParams
    limit: int
    completions: list[CompletionOutput]
    cached_tokens: int | None = None
    prompt_logprobs: list[tuple[float, list[tuple[int, float]]]] = field(default_factory=list)
    failure: Exception | None = None

    @property
    def awaits_prompt_logprobs(self) -> bool:
        """True if log-probabilities of the prompt are requested and not all computed."""
        return self.sampling.prompt_logprobs is not None and len(self.prompt_logprobs) < len(self.prompt_ids) - 1

    @property
    def finished(self) -> bool:
        """True if every completion is finished."""
        return all(completion.finish_reason for completion in self.completions)
