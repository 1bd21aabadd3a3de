"""The generation engine: continuous batching over a paged latent cache.

``step`` is: schedule, run, sample, finish. Shape suffixes: B sequences, S new tokens, M model width, N rows sampled.
"""

import secrets
from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from model.engine.drafter import Drafter, guess, guessed_right
from model.engine.page_allocator import PageAllocator
from model.engine.paged_kv_cache import PagedKVCache
from model.engine.request import Completion, Request, SamplingParams
from model.engine.runner import Runner
from model.engine.sampler import draw
from model.engine.scheduler import Scheduler
from model.engine.sequence import Sequence
from model.engine.text import TextStream, end_tokens, fast_tokenizer
from model.engine_config import EngineConfig
from model.errors import ModelError
from model.shards import listed
from model.transformer import DsaModel

Prompt = str | Rows[int]


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """Completions that run and prompts that wait; pages of the cache, and those that nobody uses at the moment."""

    running: int
    waiting: int
    pages_available: int
    pages: int


class Engine:
    """Generates with ``module``. Not for several threads at once: ``model.engine.service`` is.

    Same seed, same random numbers, whatever runs beside a request. Its logits can still differ in their last bits: a
    matrix product of another batch size, or a prompt in other chunks, rounds otherwise, and a token whose probability
    ends within that error of its random number may then fall to its neighbor.
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
        kept = {"routing": self.config.capture_routing, "selection": self.config.capture_selection}
        self._kv_cache = PagedKVCache(module.config, layers, pages.count, size, limit, like, **kept)
        self._runner = Runner(module, self._kv_cache)
        self._drafter = Drafter(self._runner) if self.config.speculate else None
        self._scheduler = Scheduler(pages, self.config.max_num_seqs, self.config.max_prefill_tokens)
        self._requests: dict[int, Request] = {}
        self._ids = count()

    @property
    def max_model_len(self) -> int:
        """Tokens that a prompt and its completion may have together."""
        return self._kv_cache.limit

    @property
    def pages_available(self) -> int:
        """PageAllocator that no request uses."""
        return self._scheduler.pages.available

    @property
    def idle(self) -> bool:
        """Whether nothing is in work."""
        return not self._requests

    @property
    def load(self) -> EngineLoad:
        """How busy the engine is. Any thread may ask; during a step the counts are of its middle."""
        scheduler = self._scheduler
        pages = scheduler.pages
        return EngineLoad(len(scheduler.running), len(scheduler.waiting), pages.available, pages.count)

    def generate(
        self, prompts: Rows[Prompt], sampling: SamplingParams | Rows[SamplingParams] | None = None
    ) -> list[list[Completion]]:
        """The ``n`` completions of each prompt (text, or token ids). ``sampling``: of all, or of each.

        Raises ModelError where a prompt cannot be taken.
        """
        one = sampling or SamplingParams()
        each = [one] * len(prompts) if isinstance(one, SamplingParams) else one
        requests: list[Request] = []
        try:
            requests.extend(self.add(prompt, own) for prompt, own in zip(prompts, each, strict=True))
            while not all(request.finished for request in requests):
                self.step()
        finally:
            for request in requests:
                self.cancel(request)
        return [request.completions for request in requests]

    def add(self, prompt: Prompt, sampling: SamplingParams) -> Request:
        """Queue a prompt. Raises ModelError where it is empty, too long, or no text of this model."""
        ids = self.encode(prompt)
        self.check(ids, sampling)
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        completions = [Completion(seed + index) for index in range(sampling.n)]
        room = self.max_model_len - len(ids)
        limit = min(room, sampling.max_tokens or room)
        request = Request(next(self._ids), ids, sampling, limit, completions)
        texts = [TextStream(self._fast_tokenizer, sampling.stop) for _ in completions]
        self._scheduler.add([Sequence(request, index, text) for index, text in enumerate(texts)])
        self._requests[request.id] = request
        return request

    def encode(self, prompt: Prompt) -> list[int]:
        """Token ids of a prompt; those of a text have no tokens added but what the tokenizer adds to any text."""
        return list(self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt)

    def check(self, ids: Rows[int], sampling: SamplingParams) -> None:
        """Raise ModelError where ``add`` would. Reads nothing that changes, so that any thread may ask."""
        vocabulary = self.module.config.vocab_size
        if not ids:
            raise ModelError("the prompt is empty")
        if len(ids) >= self.max_model_len:
            raise ModelError(
                f"the prompt has {len(ids)} tokens, and the context is {self.max_model_len} with the completion"
            )
        if not all(0 <= token < vocabulary for token in ids):
            raise ModelError(f"the prompt holds token ids outside of the model's 0 to {vocabulary - 1}")
        if sampling.top_logprobs > vocabulary:
            raise ModelError(f"top_logprobs={sampling.top_logprobs} is more than the vocabulary's {vocabulary} tokens")

    def cancel(self, request: Request) -> None:
        """Stop working on a request and give its pages back. What it has so far stays in it."""
        if self._requests.pop(request.id, None):
            for sequence in [*self._scheduler.running, *self._scheduler.waiting]:
                if sequence.request is request:
                    self._scheduler.finish(sequence)

    def cancel_all(self) -> None:
        """Stop working on every request."""
        for request in list(self._requests.values()):
            self.cancel(request)

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy a state dict into the module, in place. Raises RuntimeError, as torch does, where it does not fit.

        As ``weights_changed``.
        """
        self.module.load_state_dict(weights)
        self.weights_changed()

    def weights_changed(self) -> None:
        """Forget what old weights have computed. What is in work goes on with the new ones from the token it has.

        Raises ModelError where the new weights are not finite.
        """
        for sequence in reversed(list(self._scheduler.running)):
            self._scheduler.preempt(sequence)
        self._scheduler.pages.reset_prefix_cache()
        check_weights(self.module)

    @torch.inference_mode()
    def step(self) -> list[Request]:
        """One token, or two, for every decoding sequence, and one chunk of waiting prompts. The requests that grew.

        Raises ModelError where the model's logits are not finite; then nothing of the step counts.
        """
        try:
            return list({request.id: request for request in [*self._decode(), *self._prefill()]}.values())
        except Exception:
            self._scheduler.pages.reset_prefix_cache()  # what the step wrote must not be found again
            raise

    def _decode(self) -> list[Request]:
        sequences = self._scheduler.schedule_decode(ahead=int(self.config.speculate))
        if not sequences:
            return []
        chunks = [[sequence.tokens[-1], *guess(sequence)] for sequence in sequences]
        hidden_BSM = self._runner.hidden(sequences, chunks)
        logits_BSV = self.module.logits(hidden_BSM)
        self._sample(sequences, logits_BSV[:, 0])
        right = [place for place, sequence in enumerate(sequences) if guessed_right(sequence)]
        if right:
            self._sample([sequences[place] for place in right], logits_BSV[right, 1])
        self._settle(sequences, [1 + (place in right) for place in range(len(sequences))], hidden_BSM)
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
            self._drafter.follow(sequences, [len(part) for part in tokens], hidden_BSM)
        ready: list[Sequence] = []
        lasts: list[Tensor] = []
        for place, (sequence, length) in enumerate(chunks):
            self._scheduler.advance(sequence, sequence.num_cached_tokens + length)
            if not sequence.num_uncached_tokens:
                group = [sequence, *self._fork(sequence)]
                ready += group
                lasts += [hidden_BSM[place, length - 1]] * len(group)
        if ready:
            hidden_N1M = torch.stack(lasts).unsqueeze(1)
            self._sample(ready, self.module.logits(hidden_N1M).squeeze(1))
            self._settle(ready, [1] * len(ready), hidden_N1M)
        return [sequence.request for sequence in ready]

    def _fork(self, leader: Sequence) -> list[Sequence]:
        joined = self._scheduler.fork(leader)
        for _, page, copy in joined:
            self._kv_cache.copy(page, copy)
        return [sibling for sibling, _, _ in joined]

    def _sample(self, sequences: Rows[Sequence], logits_NV: Tensor) -> None:
        """Give each sequence its next token."""
        settings = [sequence.request.sampling for sequence in sequences]
        drawn = draw(logits_NV, settings, [sequence.uniforms[sequence.num_generated_tokens] for sequence in sequences])
        for row, sequence in enumerate(sequences):
            sequence.append(drawn.row(row), self._ends)

    def _settle(self, sequences: Rows[Sequence], grown: Rows[int], hidden_BSM: Tensor) -> None:
        """Note what is cached, let finished sequences go, and draft for the others, which grew by ``grown`` tokens."""
        going = []
        for place, sequence in enumerate(sequences):
            self._scheduler.advance(sequence, len(sequence.tokens) - 1)
            if sequence.completion.finish_reason:
                self._leave(sequence)
            else:
                going.append(place)
        if self._drafter and going:
            staying = [sequences[place] for place in going]
            self._drafter.draft(staying, [grown[place] for place in going], hidden_BSM[going])

    def _leave(self, sequence: Sequence) -> None:
        if self.config.capture_routing:
            sequence.completion.routing = self._kv_cache.experts(sequence.pages, sequence.num_cached_tokens)
        if self.config.capture_selection:
            sequence.completion.selection = self._kv_cache.selection(sequence.pages, sequence.num_cached_tokens)
        self._scheduler.finish(sequence)
        if sequence.request.finished:
            self._requests.pop(sequence.request.id, None)


@torch.no_grad()
def check_weights(module: DsaModel) -> None:
    """Raise ModelError where weights are NaN or infinite.

    Logits would not always tell: a token whose score is NaN is not selected, and what it holds is never seen.
    """
    bad = [name for name, weight in module.named_parameters() if not weight.isfinite().all()]
    if bad:
        raise ModelError(f"weights are NaN or infinite, by damage or by training that diverged: {listed(bad)}")
