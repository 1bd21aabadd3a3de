"""Generation engine: continuous batching over a paged latent cache.

``step`` is: schedule, run, sample, finish. Shape suffixes: B sequences, S new tokens, M model width, N rows sampled.
"""

import secrets
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from model.engine.decode_graphs import DecodeGraphs
from model.engine.drafter import Drafter, draft_accepted, draft_tokens
from model.engine.page_allocator import PageAllocator
from model.engine.paged_kv_cache import PagedKVCache
from model.engine.request import CompletionOutput, Request, SamplingParams
from model.engine.runner import Runner
from model.engine.sampler import draw, score
from model.engine.scheduler import Scheduler
from model.engine.sequence import Sequence
from model.engine.text import TextStream, end_tokens, fast_tokenizer
from model.engine_config import EngineConfig
from model.errors import ModelError
from model.shards import listed
from model.transformer import DsaModel

Prompt = str | Rows[int]
SCORED_ROWS = 256  # rows of logits of a prompt at once: each is as wide as the vocabulary


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """Numbers of running completions, waiting prompts, pages of the cache, and pages that can be allocated."""

    running: int
    waiting: int
    pages_available: int
    pages: int


class LLMEngine:
    """Generates with ``module``. Not thread-safe; ``model.engine.service`` is.

    The random numbers of a request follow from its seed alone, whatever else runs. Its logits can still differ in their
    last bits, because matrix products round differently for other batch sizes and prompt chunks; where a random number
    is that close to the boundary between two tokens, the neighboring token may be drawn.
    """

    def __init__(
        self, module: DsaModel, tokenizer: PreTrainedTokenizerBase, config: EngineConfig | None = None
    ) -> None:
        self.module, self.tokenizer, self.config = module, tokenizer, config or EngineConfig()
        self._fast_tokenizer = fast_tokenizer(tokenizer)
        self._ends = end_tokens(module.config, tokenizer)
        if self.config.speculate and not module.mtp:
            raise ModelError("speculate=True needs a model with an MTP layer (num_nextn_predict_layers of at least 1)")
        check_weights(module)
        size = self.config.page_size
        pages = PageAllocator(self.config.cache_tokens // size, size)
        layers = module.config.num_hidden_layers + self.config.speculate
        like = module.model.embed_tokens.weight.detach()
        limit = min(module.config.max_position_embeddings, pages.count * size)
        self._kv_cache = PagedKVCache(
            module.config,
            layers,
            pages.count,
            size,
            limit,
            like,
            rows_format=self.config.rows_format,
            routing=self.config.capture_routing,
            selection=self.config.capture_selection,
        )
        self._runner = Runner(module, self._kv_cache, decode_graphs(module, self._kv_cache, self.config))
        self._drafter = Drafter(self._runner) if self.config.speculate else None
        self._scheduler = Scheduler(pages, self.config.max_num_seqs, self.config.max_prefill_tokens)
        self._requests: dict[int, Request] = {}
        self._ids = count()

    @property
    def max_model_len(self) -> int:
        """Maximum number of tokens of a prompt with its completion."""
        return self._kv_cache.limit

    @property
    def pages_available(self) -> int:
        """Number of pages that no request uses."""
        return self._scheduler.pages.available

    @property
    def idle(self) -> bool:
        """True if no request is running or waiting."""
        return not self._requests

    @property
    def load(self) -> EngineLoad:
        """Current load. Any thread may read it; during a step the counts may be of its middle."""
        scheduler = self._scheduler
        pages = scheduler.pages
        return EngineLoad(len(scheduler.running), len(scheduler.waiting), pages.available, pages.count)

    def generate(
        self,
        prompts: Rows[Prompt],
        sampling: SamplingParams | Rows[SamplingParams] | None = None,
        finished: Callable[[int, list[CompletionOutput]], None] = lambda number, completions: None,
    ) -> list[list[CompletionOutput]]:
        """Returns the ``n`` completions of each prompt (text, or token ids). ``sampling``: for all, or one per prompt.

        ``finished`` is called with the number of a prompt and its completions as soon as these are whole.

        Raises ModelError for a prompt that ``add`` refuses, and the error of a completion that failed.
        """
        sampling = sampling or SamplingParams()
        params = [sampling] * len(prompts) if isinstance(sampling, SamplingParams) else sampling
        requests: list[Request] = []
        try:
            requests.extend(self.add(prompt, own) for prompt, own in zip(prompts, params, strict=True))
            while not all(request.finished for request in requests):
                for request in self.step():
                    if request.finished and request.failure is None and request in requests:
                        finished(requests.index(request), request.completions)
                if failed := next((request.failure for request in requests if request.failure), None):
                    raise failed
        finally:
            for request in requests:
                self.cancel(request)
        return [request.completions for request in requests]

    def add(self, prompt: Prompt, sampling: SamplingParams) -> Request:
        """Queues a prompt. Raises ModelError if it is empty, too long, or has token ids outside the vocabulary."""
        ids = self.encode(prompt)
        self.check(ids, sampling)
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        completions = [CompletionOutput(seed + index) for index in range(sampling.n)]
        room = self.max_model_len - len(ids)
        limit = min(room, sampling.max_tokens or room)
        request = Request(next(self._ids), ids, sampling, limit, completions)
        texts = [TextStream(self._fast_tokenizer, sampling.stop) for _ in completions]
        self._scheduler.add([Sequence(request, index, text) for index, text in enumerate(texts)])
        self._requests[request.id] = request
        return request

    def encode(self, prompt: Prompt) -> list[int]:
        """Returns the token ids of a prompt; a text is tokenized without a chat template."""
        return list(self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt)

    def check(self, ids: Rows[int], sampling: SamplingParams) -> None:
        """Raises ModelError if ``add`` would. Any thread may call it: it reads only what never changes."""
        vocabulary = self.module.config.vocab_size
        if not ids:
            raise ModelError("the prompt is empty")
        if len(ids) >= self.max_model_len:
            raise ModelError(
                f"the prompt has {len(ids)} tokens and leaves no room for a completion in the context of "
                f"{self.max_model_len} tokens; shorten it"
            )
        if not all(0 <= token < vocabulary for token in ids):
            raise ModelError(f"the prompt has token ids outside the model's range 0 to {vocabulary - 1}")
        for name in ("top_logprobs", "prompt_logprobs"):
            if (getattr(sampling, name) or 0) > vocabulary:
                raise ModelError(f"{name}={getattr(sampling, name)} is more than the vocabulary's {vocabulary} tokens")

    def cancel(self, request: Request) -> None:
        """Stops a request and frees its pages. It keeps the tokens generated so far."""
        if self._requests.pop(request.id, None):
            for sequence in [*self._scheduler.running, *self._scheduler.waiting]:
                if sequence.request is request:
                    self._scheduler.finish(sequence)

    def cancel_all(self) -> None:
        """Stops every request."""
        for request in list(self._requests.values()):
            self.cancel(request)

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copies a state dict into the module, in place, and calls ``weights_changed``.

        Raises RuntimeError, as torch does, if its names or shapes do not fit.
        """
        self.module.load_state_dict(weights)
        self.weights_changed()

    def weights_changed(self) -> None:
        """Drops everything that old weights have computed. Running requests continue from their last token.

        Raises ModelError if the new weights are not finite.
        """
        for sequence in reversed(list(self._scheduler.running)):
            self._scheduler.preempt(sequence)
        self._scheduler.pages.reset_prefix_cache()
        check_weights(self.module)

    @torch.inference_mode()
    def step(self) -> list[Request]:
        """Generates one token (or two) for every decoding sequence, and computes one chunk of the waiting prompts.

        Returns the requests that have new tokens, or a ``failure``. Raises ModelError if the model's logits are not
        finite; then the step has no effect on the prefix cache.
        """
        try:
            return list({request.id: request for request in [*self._decode(), *self._prefill()]}.values())
        except Exception:
            self._scheduler.pages.reset_prefix_cache()  # rows of the failed step must not be found again
            raise

    def _decode(self) -> list[Request]:
        sequences = self._scheduler.schedule_decode(num_drafts=int(self.config.speculate))
        if not sequences:
            return []
        chunks = [[sequence.tokens[-1], *draft_tokens(sequence)] for sequence in sequences]
        hidden_BSM = self._runner.hidden(sequences, chunks)
        logits_BSV = self.module.logits(hidden_BSM)
        self._sample(sequences, logits_BSV[:, 0])
        accepted = [place for place, sequence in enumerate(sequences) if draft_accepted(sequence)]
        if accepted:
            self._sample([sequences[place] for place in accepted], logits_BSV[accepted, 1])
        self._finish_step(sequences, [1 + (place in accepted) for place in range(len(sequences))], hidden_BSM)
        return [sequence.request for sequence in sequences]

    def _prefill(self) -> list[Request]:
        chunks = self._scheduler.schedule_prefill()
        if not chunks:
            return []
        sequences = [sequence for sequence, _ in chunks]
        tokens = [
            sequence.tokens[sequence.num_cached_tokens : sequence.num_cached_tokens + length]
            for sequence, length in chunks
        ]
        hidden_BSM = self._runner.hidden(sequences, tokens)
        if self._drafter:
            self._drafter.prefill(sequences, [len(part) for part in tokens], hidden_BSM)
        ready: list[Sequence] = []
        lasts: list[Tensor] = []
        for place, (sequence, length) in enumerate(chunks):
            if sequence.request.awaits_prompt_logprobs:
                self._score_prompt(sequence, hidden_BSM[place, :length])
            self._scheduler.advance(sequence, sequence.num_cached_tokens + length)
            if not sequence.num_uncached_tokens:
                group = [sequence, *self._fork(sequence)]
                ready += group
                lasts += [hidden_BSM[place, length - 1]] * len(group)
        if ready:
            hidden_N1M = torch.stack(lasts).unsqueeze(1)
            self._sample(ready, self.module.logits(hidden_N1M).squeeze(1))
            self._finish_step(ready, [1] * len(ready), hidden_N1M)
        return [sequence.request for sequence in ready]

    def _score_prompt(self, sequence: Sequence, hidden_SM: Tensor) -> None:
        """Records the log-probabilities of the prompt's tokens that follow those of a chunk."""
        request, start = sequence.request, sequence.num_cached_tokens
        if start < len(request.prompt_logprobs):  # a preempted prompt is computed anew
            del request.prompt_logprobs[start:]
        following = request.prompt_ids[start + 1 : start + 1 + len(hidden_SM)]
        for first in range(0, len(following), SCORED_ROWS):
            tokens = following[first : first + SCORED_ROWS]
            logits_NV = self.module.logits(hidden_SM[first : first + len(tokens)])
            request.prompt_logprobs += score(logits_NV, tokens, request.sampling.prompt_logprobs or 0)

    def _fork(self, leader: Sequence) -> list[Sequence]:
        joined = self._scheduler.fork(leader)
        for _, page, copy in joined:
            self._kv_cache.copy(page, copy)
        return [sibling for sibling, _, _ in joined]

    def _sample(self, sequences: Rows[Sequence], logits_NV: Tensor) -> None:
        """Draws the next token of each sequence."""
        settings = [sequence.request.sampling for sequence in sequences]
        drawn = draw(logits_NV, settings, [sequence.uniforms[sequence.num_generated_tokens] for sequence in sequences])
        for row, sequence in enumerate(sequences):
            try:
                sequence.append(drawn.row(row), self._ends)
            except Exception as error:  # noqa: BLE001  it ends this request; the others of the batch continue
                sequence.request.failure = error

    def _finish_step(self, sequences: Rows[Sequence], grown: Rows[int], hidden_BSM: Tensor) -> None:
        """Updates the cache's records, removes finished sequences, and drafts for the others.

        ``grown``: number of new tokens of each sequence.
        """
        for sequence in sequences:
            if sequence.request.failure:
                self.cancel(sequence.request)
        running = []
        for place, sequence in enumerate(sequences):
            if sequence.request.failure:
                continue
            self._scheduler.advance(sequence, len(sequence.tokens) - 1)
            if sequence.completion.finish_reason:
                self._finish(sequence)
            else:
                running.append(place)
        if self._drafter and running:
            continuing = [sequences[place] for place in running]
            self._drafter.draft(continuing, [grown[place] for place in running], hidden_BSM[running])

    def _finish(self, sequence: Sequence) -> None:
        if self.config.capture_routing:
            sequence.completion.routing = self._kv_cache.experts(sequence.pages, sequence.num_cached_tokens)
        if self.config.capture_selection:
            sequence.completion.selection = self._kv_cache.selection(sequence.pages, sequence.num_cached_tokens)
        self._scheduler.finish(sequence)
        if sequence.request.finished:
            self._requests.pop(sequence.request.id, None)


def decode_graphs(module: DsaModel, kv_cache: PagedKVCache, config: EngineConfig) -> DecodeGraphs | None:
    """Returns the graphs of an engine's decode steps, or None if it has none.

    Raises ModelError if they are requested together with what they cannot do.
    """
    possible = not (kv_cache.captures or config.speculate)
    if config.decode_graphs and not possible:
        raise ModelError(
            "decode_graphs=true records no routing or selection and drafts nothing; switch capture_routing, "
            "capture_selection and speculate off, or set decode_graphs=false"
        )
    return DecodeGraphs(module, kv_cache) if config.decode_graphs else None


@torch.no_grad()
def check_weights(module: torch.nn.Module) -> None:
    """Raises ModelError if weights are NaN or infinite.

    Logits alone do not always show it: a token whose index score is NaN is never selected, so its rows go unread.
    """
    bad = [name for name, weight in module.named_parameters() if not weight.isfinite().all()]
    if bad:
        raise ModelError(
            f"weights are NaN or infinite (a damaged file, or training that diverged): {listed(bad)}; "
            "use an earlier checkpoint"
        )
