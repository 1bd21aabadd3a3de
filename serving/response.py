"""Responses in OpenAI's format: chats and plain completions, as one object or as stream chunks."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from model.chat import Chat, settled_thinking, split_thinking
from model.engine import Completion, Request
from model.tokenizer import token_bytes
from model.tools import Call, before_calls, split_calls
from serving.backend import Job
from serving.fields import BaseRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of a completion. Each text of an unfinished completion is a prefix of the final one."""

    reasoning: str
    content: str
    calls: Sequence[Call] = ()


def parse(completion: Completion, job: Job) -> Parts:
    """Parses a completion, finished or not."""
    finished = completion.finish_reason is not None
    reasoning, content = (split_thinking if finished else settled_thinking)(completion.text, opened=job.opened)
    if not job.tools:
        return Parts(reasoning, content)
    if not finished:
        return Parts(reasoning, before_calls(content))
    return Parts(reasoning, *split_calls(content))


def usage(request: Request, job: Job, chat: Chat) -> Json:
    """Returns the token counts of a request; the prompt counts once for all completions."""
    completion = sum(len(completion.token_ids) for completion in request.completions)
    reasoning = sum(
        chat.reasoning_tokens(completion.text, completion.token_ids, opened=job.opened)
        for completion in request.completions
    )
    return {
        "prompt_tokens": len(request.prompt_ids),
        "completion_tokens": completion,
        "total_tokens": len(request.prompt_ids) + completion,
        "prompt_tokens_details": {"cached_tokens": request.cached_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@dataclass
class ResponseBuilder:
    """Builds the responses to one request. ``sent``: the part of each completion already streamed."""

    params: BaseRequest
    job: Job
    chat: Chat
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))
    sent: dict[int, Json] = field(default_factory=dict)
    KIND = CHUNK_KIND = PREFIX = ""

    def full(self, request: Request) -> Json:
        """Returns the response to a finished request."""
        choices = [self.choice(index, completion) for index, completion in enumerate(request.completions)]
        return self._head(self.KIND) | {"choices": choices, "usage": usage(request, self.job, self.chat)}

    def chunks(self, request: Request) -> Iterator[Json]:
        """Yields one chunk per completion that has grown or finished since the last call."""
        for index, completion in enumerate(request.completions):
            if choice := self.delta(index, completion):
                yield self._chunk([choice])

    def usage_chunk(self, request: Request) -> Iterator[Json]:
        """Yields the last chunk, with the usage, if it was requested."""
        if self.params.include_usage:
            yield self._chunk([]) | {"usage": usage(request, self.job, self.chat)}

    def choice(self, index: int, completion: Completion) -> Json:
        """Returns the choice of a finished completion."""
        raise NotImplementedError

    def delta(self, index: int, completion: Completion) -> Json | None:
        """Returns the new part of a completion since the last call, or None."""
        raise NotImplementedError

    def _chunk(self, choices: list[Json]) -> Json:
        empty = {"usage": None} if self.params.include_usage else {}
        return self._head(self.CHUNK_KIND) | {"choices": choices} | empty

    def _head(self, kind: str) -> Json:
        return {
            "id": f"{self.PREFIX}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.params.model,
        }

    def _token_logprobs(self, completion: Completion, start: int = 0) -> Iterator[Json]:
        """Yields every token from ``start`` on with its log-probability under the model's own distribution."""
        for place in range(start, len(completion.token_ids)):
            likeliest = completion.top_logprobs[place] if completion.top_logprobs else []
            top = [self._token(token, value) for token, value in likeliest]
            own = self._token(completion.token_ids[place], completion.model_logprobs[place])
            yield own | {"top_logprobs": top}

    def _token(self, token: int, logprob: float) -> Json:
        raw = token_bytes(self.chat.tokenizer, token)
        return {"token": raw.decode(errors="replace"), "logprob": logprob, "bytes": list(raw)}


class ChatResponseBuilder(ResponseBuilder):
    """Responses of /v1/chat/completions. ``logprobs`` cover all generated tokens, reasoning and end markers too."""

    KIND, CHUNK_KIND, PREFIX = "chat.completion", "chat.completion.chunk", "chatcmpl"

    @override
    def choice(self, index: int, completion: Completion) -> Json:
        parts = parse(completion, self.job)
        message: Json = {"role": "assistant", "content": parts.content}
        if parts.reasoning:
            message["reasoning_content"] = parts.reasoning
        if parts.calls:
            message["tool_calls"] = self._calls(parts.calls)
        return {
            "index": index,
            "message": message,
            "logprobs": None
            if self.params.num_top_logprobs is None
            else {"content": list(self._token_logprobs(completion))},
            "finish_reason": _finish_reason(completion, parts),
        }

    @override
    def delta(self, index: int, completion: Completion) -> Json | None:
        parts = parse(completion, self.job)
        sent = self.sent.setdefault(index, {"reasoning": 0, "content": 0, "tokens": 0, "finished": False})
        if sent["finished"]:
            return None
        first = not sent["tokens"]
        texts = {"reasoning_content": parts.reasoning[sent["reasoning"] :], "content": parts.content[sent["content"] :]}
        delta: Json = {"role": "assistant", "content": ""} if first else {}
        delta |= {name: text for name, text in texts.items() if text}
        if parts.calls:
            delta["tool_calls"] = [{"index": place} | call for place, call in enumerate(self._calls(parts.calls))]
        reason = _finish_reason(completion, parts)
        if not delta and not reason:
            return None
        choice: Json = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        if self.params.num_top_logprobs is not None:
            choice["logprobs"] = {"content": list(self._token_logprobs(completion, sent["tokens"]))}
        self.sent[index] = {
            "reasoning": len(parts.reasoning),
            "content": len(parts.content),
            "tokens": len(completion.token_ids),
            "finished": reason is not None,
        }
        return choice

    def _calls(self, calls: Sequence[Call]) -> list[Json]:
        return [
            {
                "id": f"call_{self.id}_{place}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for place, call in enumerate(calls)
        ]


def _finish_reason(completion: Completion, parts: Parts) -> str | None:
    return "tool_calls" if parts.calls else completion.finish_reason


class CompletionResponseBuilder(ResponseBuilder):
    """Responses of /v1/completions."""

    KIND, CHUNK_KIND, PREFIX = "text_completion", "text_completion", "cmpl"

    @override
    def choice(self, index: int, completion: Completion) -> Json:
        return self._choice(index, completion, completion.text, 0)

    @override
    def delta(self, index: int, completion: Completion) -> Json | None:
        sent = self.sent.setdefault(index, {"text": 0, "tokens": 0, "finished": False})
        text, reason = completion.text[sent["text"] :], completion.finish_reason
        if sent["finished"] or not (text or reason):
            return None
        self.sent[index] = {
            "text": len(completion.text),
            "tokens": len(completion.token_ids),
            "finished": reason is not None,
        }
        return self._choice(index, completion, text, sent["tokens"])

    def _choice(self, index: int, completion: Completion, text: str, start: int) -> Json:
        tokens = [] if self.params.num_top_logprobs is None else list(self._token_logprobs(completion, start))
        values: Mapping[str, Any] = {
            "tokens": [token["token"] for token in tokens],
            "token_logprobs": [token["logprob"] for token in tokens],
            "top_logprobs": [{top["token"]: top["logprob"] for top in token["top_logprobs"]} for token in tokens],
        }
        logprobs = None if self.params.num_top_logprobs is None else values
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": completion.finish_reason}
