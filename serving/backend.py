"""Backend: validates requests against model and limits, and streams completions from the engine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from core.document import counted
from model.chat import Chat, PromptTooLong
from model.engine import EngineService, Request, SamplingParams
from model.errors import ModelError
from serving.admission import Ticket
from serving.config import ServeConfig
from serving.errors import ApiError
from serving.fields import BaseRequest, ChatRequest, CompletionRequest
from serving.merging import merged
from serving.messages import for_template
from serving.metrics import RequestTimer, ServerMetrics


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt with its sampling parameters, and the format of its completions.

    ``opened``: the prompt ends inside the reasoning. ``max_calls``: tool calls with which an answer may end (None: any
    number). ``echo``: text of the prompt, to be returned before the completion.
    """

    ids: Sequence[int]
    sampling: SamplingParams
    opened: bool = False
    max_calls: int | None = 0
    echo: str | None = None


class Backend:
    """Serves one model."""

    def __init__(self, service: EngineService, chat: Chat, config: ServeConfig, name: str) -> None:
        self.service, self.chat, self.config, self.name = service, chat, config, name
        self.closing = False
        self.metrics = ServerMetrics()

    @property
    def max_model_len(self) -> int:
        """Maximum number of tokens of a prompt with its completion."""
        return self.service.engine.max_model_len

    @property
    def card(self) -> dict[str, Any]:
        """The model's entry in OpenAI's list of models."""
        entry = {"id": self.name, "object": "model", "created": 0, "owned_by": "lemmata"}
        return entry | {"max_model_len": self.max_model_len}

    def check_name(self, name: str) -> None:
        """Raises ApiError if a model of another name is requested."""
        if name != self.name:
            message = f"model {name[:100]!r} is not served here; use {self.name!r}"
            raise ApiError(404, message, param="model", code="model_not_found")

    async def chat_job(self, params: ChatRequest, ticket: Ticket) -> Job:
        """Prepares a chat. Raises ApiError for an invalid request."""
        sampling = self._sampling(params, ticket, prompts=1)
        return await asyncio.to_thread(self._chat_job, params, sampling)

    def _chat_job(self, params: ChatRequest, sampling: SamplingParams) -> Job:
        requested = params.chat_template_kwargs and params.chat_template_kwargs.requested
        tools = [] if params.tool_choice == "none" else params.tools or []
        try:
            ids = self.chat.render(
                [for_template(message) for message in params.messages],
                tools=[tool.model_dump(exclude_none=True) for tool in tools],
                thinking=self.config.thinking if requested is None else requested,
                limit=self.max_model_len - 1,
                discard=self.config.on_overflow == "discard_tools",
            )
        except PromptTooLong as error:
            raise self._too_long(str(error), "messages") from error
        except ModelError as error:
            raise ApiError(400, str(error), param="messages") from error
        max_calls = 0 if not tools else 1 if params.parallel_tool_calls is False else None
        return self._checked(Job(ids, sampling, self.chat.opens_thinking(ids), max_calls))

    async def plain_jobs(self, params: CompletionRequest, ticket: Ticket) -> list[Job]:
        """Prepares the plain completions of each prompt. Raises ApiError for an invalid request."""
        sampling = self._sampling(params, ticket, len(params.prompts))
        if params.echo:
            sampling = replace(sampling, prompt_logprobs=params.logprobs)

        def prepare() -> list[Job]:
            return [self._plain_job(params, prompt, sampling) for prompt in params.prompts]

        return await asyncio.to_thread(prepare)

    def _plain_job(self, params: CompletionRequest, prompt: str | Sequence[int], sampling: SamplingParams) -> Job:
        limit = self.max_model_len - 1
        special = params.add_special_tokens is not False
        ids = self.chat.encode(prompt, limit, special=special) if isinstance(prompt, str) else prompt
        if len(ids) > limit:
            raise self._too_long(f"the prompt has more than {limit} tokens; shorten it", "prompt")
        job = self._checked(Job(ids, sampling))
        if not params.echo:
            return job
        return replace(job, echo=prompt if isinstance(prompt, str) else str(self.chat.tokenizer.decode(list(ids))))

    def _too_long(self, message: str, field: str) -> ApiError:
        message = f"{message} (the context of this model is {self.max_model_len} tokens, completion included)"
        return ApiError(400, message, param=field, code="context_length_exceeded")

    def _sampling(self, params: BaseRequest, ticket: Ticket, prompts: int) -> SamplingParams:
        self.check_name(params.model)
        limits, n, num_top_logprobs = self.config.limits, params.n or 1, params.num_top_logprobs or 0
        if n > limits.n:
            raise ApiError(400, f"n={n} exceeds this server's limit of {limits.n}; send several requests", param="n")
        places = prompts * n * (1 + num_top_logprobs)
        if places > limits.completions:
            message = (
                f"n={n} completions of {counted(prompts, 'prompt')} with {num_top_logprobs} top log-probabilities need "
                f"{places} completion slots, and this server has {limits.completions}; request fewer"
            )
            raise ApiError(400, message, param="n")
        tokens = params.token_limit
        if tokens and limits.max_tokens and tokens > limits.max_tokens:
            message = f"max_tokens={tokens} exceeds this server's limit of {limits.max_tokens}; lower it"
            raise ApiError(400, message, param="max_tokens")
        ticket.claim(places)
        try:
            return SamplingParams(
                n=n,
                temperature=1.0 if params.temperature is None else params.temperature,
                top_p=params.top_p or 1.0,
                top_k=max(0, params.top_k or 0),  # -1 is vLLM's value for no limit
                # With max_tokens=0 the engine draws a token that is not returned.
                max_tokens=limits.max_tokens if tokens is None else max(tokens, 1),
                stop=params.stops,
                ignore_eos=bool(params.ignore_eos),
                seed=params.seed,
                top_logprobs=num_top_logprobs,
            )
        except ModelError as error:
            raise ApiError(400, str(error)) from error

    def _checked(self, job: Job) -> Job:
        try:
            self.service.engine.check(job.ids, job.sampling)
        except ModelError as error:
            raise ApiError(400, str(error)) from error
        return job

    async def stream(self, jobs: Sequence[Job], *, partial: bool) -> AsyncGenerator[tuple[int, Request], None]:
        """Yields (place of the job, its request) when one has grown, or when one is finished if not ``partial``.

        Closing the iterator cancels all. Raises ApiError if one fails.
        """
        async with merged([self._stream(job, partial) for job in jobs]) as grown:
            async for place, request in grown:
                yield place, request

    async def _stream(self, job: Job, partial: bool) -> AsyncGenerator[Request, None]:
        timer, request = RequestTimer(), None
        try:
            async with aclosing(self.service.stream(job.ids, job.sampling, partial=partial)) as requests:
                async for request in requests:
                    timer.note_progress()
                    yield request
        except Exception as error:
            if self.closing:
                raise ApiError(
                    503, "the server is shutting down; retry later", code="stopping", retry_after=1
                ) from error
            raise ApiError(500, f"the engine failed: {type(error).__name__}: {error}", code="engine_failed") from error
        finally:
            self.metrics.finish(request, timer, streamed=partial)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Returns True if the engine works, and a report of its state and load."""
        failure = "the server is shutting down" if self.closing else self.service.failure
        load = self.service.engine.load
        pages = {"available": load.pages_available, "count": load.pages}
        counts = {"running": load.running, "waiting": load.waiting, "pages": pages, "context": self.max_model_len}
        return failure is None, {"status": failure or "ok", "model": self.name, **counts}
