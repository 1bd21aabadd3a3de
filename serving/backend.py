"""The model behind the server: prompts and sampling of requests, and the engine that answers them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from model.chat import Chat, PromptTooLong
from model.engine import EngineService, Request, SamplingParams
from model.errors import ModelError
from serving.config import ServeConfig
from serving.errors import ApiError
from serving.fields import Asked, ChatRequest, CompletionRequest
from serving.gate import Ticket
from serving.messages import for_template


@dataclass(frozen=True, slots=True)
class Job:
    """What the engine is to do, and how its completions are to be read.

    ``opened``: the prompt ends inside of the reasoning. ``tools``: an answer may end with calls.
    """

    ids: Sequence[int]
    sampling: SamplingParams
    opened: bool = False
    tools: bool = False


class Backend:
    """Answers requests for one model."""

    def __init__(self, service: EngineService, chat: Chat, config: ServeConfig, name: str) -> None:
        self.service, self.chat, self.config, self.name = service, chat, config, name
        self.closing = False

    @property
    def max_model_len(self) -> int:
        """Tokens of a prompt with its completion."""
        return self.service.engine.max_model_len

    async def chat_job(self, asked: ChatRequest, ticket: Ticket) -> Job:
        """What a chat asks for. Raises ApiError where it cannot be done."""
        sampling = self._sampling(asked, ticket)
        return await asyncio.to_thread(self._chat_job, asked, sampling)

    def _chat_job(self, asked: ChatRequest, sampling: SamplingParams) -> Job:
        own = asked.chat_template_kwargs and asked.chat_template_kwargs.enable_thinking
        tools = [] if asked.tool_choice == "none" else asked.tools or []
        try:
            ids = self.chat.render(
                [for_template(message) for message in asked.messages],
                tools=[tool.model_dump(exclude_none=True) for tool in tools],
                thinking=self.config.thinking if own is None else own,
                limit=self.max_model_len - 1,
                discard=self.config.on_overflow == "discard_tools",
            )
        except PromptTooLong as error:
            raise self._too_long(str(error), "messages") from error
        except ModelError as error:
            raise ApiError(400, str(error), param="messages") from error
        return self._checked(Job(ids, sampling, self.chat.opens_thinking(ids), tools=bool(tools)))

    async def plain_job(self, asked: CompletionRequest, ticket: Ticket) -> Job:
        """What a plain completion asks for. Raises ApiError where it cannot be done."""
        sampling = self._sampling(asked, ticket)
        return await asyncio.to_thread(self._plain_job, asked, sampling)

    def _plain_job(self, asked: CompletionRequest, sampling: SamplingParams) -> Job:
        ids = self.chat.encode(asked.prompt, self.max_model_len - 1) if isinstance(asked.prompt, str) else asked.prompt
        if len(ids) >= self.max_model_len:
            raise self._too_long(f"the prompt has more tokens than {self.max_model_len - 1}; shorten it", "prompt")
        return self._checked(Job(ids, sampling))

    def _too_long(self, message: str, field: str) -> ApiError:
        said = f"{message} (the context of this model is {self.max_model_len} tokens, answer included)"
        return ApiError(400, said, param=field, code="context_length_exceeded")

    def _sampling(self, asked: Asked, ticket: Ticket) -> SamplingParams:
        if asked.model != self.name:
            said = f"there is no model {asked.model[:100]!r} here, but {self.name!r}"
            raise ApiError(404, said, param="model", code="model_not_found")
        limits, n, likeliest = self.config.limits, asked.n or 1, asked.likeliest or 0
        if n > limits.n:
            raise ApiError(
                400, f"n={n} is more than the {limits.n} that this server gives; ask several times", param="n"
            )
        places = n * (1 + likeliest)
        if places > limits.completions:
            said = f"n={n} completions with {likeliest} top log-probabilities are too many at once; ask for fewer"
            raise ApiError(400, said, param="n")
        tokens = asked.token_limit
        if tokens and limits.max_tokens and tokens > limits.max_tokens:
            said = f"max_tokens={tokens} is more than the {limits.max_tokens} that this server gives"
            raise ApiError(400, said, param="max_tokens")
        ticket.claim(places)
        try:
            return SamplingParams(
                n=n,
                temperature=1.0 if asked.temperature is None else asked.temperature,
                top_p=asked.top_p or 1.0,
                top_k=max(0, asked.top_k or 0),  # -1 means the same elsewhere
                max_tokens=tokens or limits.max_tokens,
                stop=asked.stops,
                ignore_eos=bool(asked.ignore_eos),
                seed=asked.seed,
                top_logprobs=likeliest,
            )
        except ModelError as error:
            raise ApiError(400, str(error)) from error

    def _checked(self, job: Job) -> Job:
        try:
            self.service.engine.check(job.ids, job.sampling)
        except ModelError as error:
            raise ApiError(400, str(error)) from error
        return job

    async def stream(self, job: Job) -> AsyncGenerator[Request, None]:
        """The request each time that it has grown; leaving cancels it. Raises ApiError where the engine fails."""
        try:
            async with aclosing(self.service.stream(job.ids, job.sampling)) as requests:
                async for request in requests:
                    yield request
        except Exception as error:
            if self.closing:
                raise ApiError(503, "the server is being stopped", code="stopping", retry_after=1) from error
            raise ApiError(500, f"the engine failed: {type(error).__name__}: {error}", code="engine_failed") from error

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the engine works, and how busy it is."""
        failure = "the server is being stopped" if self.closing else self.service.failure
        load = self.service.engine.load
        pages = {"available": load.pages_available, "count": load.pages}
        counts = {"running": load.running, "waiting": load.waiting, "pages": pages, "context": self.max_model_len}
        return failure is None, {"status": failure or "ok", "model": self.name, **counts}
