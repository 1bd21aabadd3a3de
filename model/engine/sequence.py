"""Sequence: a prompt with one of its completions, its pages and its random numbers."""

from collections.abc import Collection

from model.engine.request import CompletionOutput, Request
from model.engine.sampler import DrawnToken, Uniforms
from model.engine.text import TextStream


class Sequence:
    """A prompt with one completion. The rows of its first ``num_cached_tokens`` tokens are in ``pages``.

    ``page_hashes`` are those computed so far of its full pages, the first ``num_registered_pages`` of which are
    registered for prefix caching. ``siblings`` wait for this sequence to compute the prompt that they share. ``draft``
    is the draft of the next token.
    """

    def __init__(self, request: Request, index: int, text: TextStream) -> None:
        self.request = request
        self.completion: CompletionOutput = request.completions[index]
        self.uniforms = Uniforms(self.completion.seed)
        self.text = text
        self.tokens = list(request.prompt_ids)
        self.siblings: list[Sequence] = []
        self.draft: int | None = None
        self.pages: list[int] = []
        self.page_hashes: list[bytes] = []
        self.num_registered_pages = 0
        self.num_cached_tokens = 0

    @property
    def num_uncached_tokens(self) -> int:
        """Number of tokens whose rows are not computed yet."""
        return len(self.tokens) - self.num_cached_tokens

    @property
    def is_decoding(self) -> bool:
        """True if only the row of the last token is missing, and that token is a generated one.

        The last token of a prompt counts as prefill, because siblings wait for it.
        """
        return self.num_uncached_tokens == 1 and self.num_generated_tokens > 0

    @property
    def num_generated_tokens(self) -> int:
        """Number of generated tokens."""
        return len(self.completion.token_ids)

    @property
    def num_remaining_tokens(self) -> int:
        """Number of tokens that may still be generated."""
        return self.request.limit - self.num_generated_tokens

    def append(self, drawn: DrawnToken, ends: Collection[int]) -> None:
        """Appends a token, and sets the finish reason if the completion ends with it."""
        completion, sampling = self.completion, self.request.sampling
        self.tokens.append(drawn.token)
        completion.token_ids.append(drawn.token)
        completion.logprobs.append(drawn.logprob)
        completion.model_logprobs.append(drawn.model_logprob)
        if sampling.top_logprobs:
            completion.top_logprobs.append(drawn.likeliest[: sampling.top_logprobs])
        if sampling.record_sampling_masks:
            completion.masks.append(drawn.kept)
        ended = drawn.token in ends and not sampling.ignore_eos
        if not ended:
            self.text.add(drawn.token)
        if ended or self.text.stopped:
            completion.finish_reason = "stop"
        elif not self.num_remaining_tokens:
            completion.finish_reason = "length"
        completion.text = self.text.text if completion.finish_reason else self.text.released
