"""In-process policy: a DSA model on the generation engine, with token ids and log-probabilities for training.

Importing it loads torch, so callers import it only when they build such a policy.
"""

import asyncio
import time
from collections.abc import Sequence

from typing_extensions import override

from core.errors import LemmataError
from core.ids import clean_text
from core.records import Usage
from model.chat import Chat, split_thinking
from model.engine import EngineService, LLMEngine, Request, SamplingParams
from model.errors import ModelError
from model.loading import load_model
from model.tools import split_calls
from model.transformer import DsaModel
from policy.interface import Completion, Policy, Prompt, PromptRefused, Sampled, Sampling, ToolCall
from policy.local_config import LocalConfig
from policy.request import message_body, tool_fields


class Local(Policy):
    """Policy that generates with its own engine, in its own thread, until ``close``.

    Raises LemmataError where the folder holds no model that can run, or its cache does not fit the device.
    """

    def __init__(self, name: str, config: LocalConfig) -> None:
        self.name, self.config = name, config
        folder = config.folder
        try:
            model, tokenizer = load_model(folder, config.dtype, config.device)
            self._chat = Chat(tokenizer)
            self._service = EngineService(LLMEngine(model, tokenizer, config.engine))
        except (ModelError, RuntimeError) as error:  # torch raises the latter where memory is short
            raise LemmataError(f"policy '{name}': {folder} cannot run: {error}") from error
        self._model_name = folder.resolve().name

    @property
    def module(self) -> DsaModel:
        """The model that runs: a trainer's steps on it need ``engine.weights_changed`` in the engine's thread."""
        return self._service.engine.module

    @property
    @override
    def samples_per_request(self) -> int:
        return self.config.samples_per_request

    @override
    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        return list(await asyncio.gather(*(self._sample(prompt, sampling) for prompt in prompts)))

    async def _sample(self, prompt: Prompt, sampling: Sampling) -> list[Completion]:
        started = time.monotonic()
        engine, wanted = self._service.engine, _for_engine(sampling)
        try:
            ids = await asyncio.to_thread(self._render, prompt, sampling)
            engine.check(ids, wanted)
        except ModelError as error:
            raise PromptRefused(str(error)) from error
        try:
            request = await self._service.generate(ids, wanted)
        except Exception as error:
            raise LemmataError(f"policy '{self.name}': the engine failed: {error}") from error
        return self._completions(request, round(time.monotonic() - started, 3), may_call=bool(sampling.tools))

    def _render(self, prompt: Prompt, sampling: Sampling) -> Sequence[int]:
        messages = [message_body(message) for message in prompt.messages]
        tools = tool_fields(sampling).get("tools", ()) if sampling.may_call else ()
        limit = self._service.engine.max_model_len - 1
        return self._chat.render(messages, tools=tools, thinking=self.config.thinking, limit=limit, discard=False)

    def _completions(self, request: Request, seconds: float, *, may_call: bool) -> list[Completion]:
        opened = self._chat.opens_thinking(request.prompt_ids)
        parts = [split_thinking(completion.text, opened=opened) for completion in request.completions]
        split = [split_calls(answer) if may_call else (answer, []) for _, answer in parts]
        usage = Usage(
            prompt_tokens=len(request.prompt_ids),
            cached_tokens=request.cached_tokens or 0,
            completion_tokens=sum(len(completion.token_ids) for completion in request.completions),
            reasoning_tokens=sum(
                self._chat.reasoning_tokens(completion.text, completion.token_ids, opened=opened)
                for completion in request.completions
            ),
        )
        return [
            Completion(
                text=clean_text(text),
                reasoning=clean_text(reasoning) or None,
                finish_reason=completion.finish_reason or "unknown",
                model=self._model_name,
                seconds=seconds,
                usage=usage if place == 0 else None,
                sampled=Sampled(tuple(request.prompt_ids), completion),
                tool_calls=tuple(
                    ToolCall(f"call_{number}", call.name, clean_text(call.arguments))
                    for number, call in enumerate(calls)
                ),
            )
            for place, ((reasoning, _), (text, calls), completion) in enumerate(
                zip(parts, split, request.completions, strict=True)
            )
        ]

    @override
    async def close(self) -> None:
        await asyncio.to_thread(self._service.close)


def _for_engine(sampling: Sampling) -> SamplingParams:
    """Raises LemmataError where a setting is out of the engine's range."""
    try:
        return SamplingParams(
            n=sampling.n,
            temperature=1.0 if sampling.temperature is None else sampling.temperature,
            top_p=1.0 if sampling.top_p is None else sampling.top_p,
            max_tokens=sampling.max_tokens,
            stop=sampling.stop,
            seed=sampling.seed,
        )
    except ModelError as error:
        raise LemmataError(f"sampling: {error}") from error
