"""Responses in OpenAI's format: chats and plain completions, as one object or as stream chunks."""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from model.chat import Chat, settled_thinking, split_thinking
from model.engine import CompletionOutput, Request
from model.tokenizer import token_bytes
from model.tools import FunctionCall, before_calls, split_calls
from serving.backend import Job
from serving.fields import BaseRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of a completion. Each text of an unfinished completion is a prefix of the final one."""

    reasoning: str
    content: str
    calls: Sequence[FunctionCall] = ()


def parse(completion: CompletionOutput, job: Job) -> Parts:
    """Parses a completion, finished or not."""
    finished = completion.finish_reason is not None
    reasoning, content = (split_thinking if finished else settled_thinking)(completion.text, opened=job.opened)
    if job.max_calls == 0:
        return Parts(reasoning, content)
    if not finished:
        return Parts(reasoning, before_calls(content))
    answer, calls = split_calls(content)
    return Parts(reasoning, answer, calls[: job.max_calls])


def usage(requests: Sequence[Request], job: Job, chat: Chat) -> Json:
    """Returns the token counts of requests; a prompt counts once for all its completions."""
    completions = [completion for request in requests for completion in request.completions]
    prompt = sum(len(request.prompt_ids) for request in requests)
    completion = sum(len(completion.token_ids) for completion in completions)
    reasoning = sum(
        chat.reasoning_tokens(completion.text, completion.token_ids, opened=job.opened) for completion in completions
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sum(request.cached_tokens or 0 for request in requests)},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@dataclass
class ResponseBuilder:
    """Builds the response to the requests of ``jobs``, one per prompt.

    ``sent``: the part of each completion already streamed.
    """

    params: BaseRequest
    jobs: Sequence[Job]
    chat: Chat
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))
    sent: dict[int, Json] = field(default_factory=dict)
    KIND = CHUNK_KIND = PREFIX = ""

    def full(self, requests: Sequence[Request]) -> Json:
        """Returns the response to finished requests, in the order of the jobs."""
        choices = [
            self.choice(index, request, completion)
            for place, request in enumerate(requests)
            for index, completion in enumerate(request.completions, place * len(request.completions))
        ]
        return self._head(self.KIND) | {"choices": choices, "usage": usage(requests, self.jobs[0], self.chat)}

    def chunks(self, place: int, request: Request) -> Iterator[Json]:
        """Yields one chunk per completion of a job's request that has grown or finished since the last call."""
        for index, completion in enumerate(request.completions, place * len(request.completions)):
            if choice := self.delta(index, request, completion):
                yield self._chunk([choice])

    def usage_chunk(self, requests: Sequence[Request]) -> Iterator[Json]:
        """Yields the last chunk, with the usage, if it was requested."""
        if self.params.include_usage:
            yield self._chunk([]) | {"usage": usage(requests, self.jobs[0], self.chat)}

    def choice(self, index: int, request: Request, completion: CompletionOutput) -> Json:
        """Returns the choice of a finished completion."""
        raise NotImplementedError

    def delta(self, index: int, request: Request, completion: CompletionOutput) -> Json | None:
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

    def _token_logprobs(self, completion: CompletionOutput, start: int = 0) -> Iterator[Json]:
        """Yields every token from ``start`` on with its log-probability under the model's own distribution."""
        for place in range(start, len(completion.token_ids)):
            likeliest = completion.top_logprobs[place] if completion.top_logprobs else []
            yield self._with_top(completion.token_ids[place], completion.model_logprobs[place], likeliest)

    def _with_top(self, token: int, logprob: float, likeliest: Sequence[tuple[int, float]]) -> Json:
        return self._token(token, logprob) | {"top_logprobs": [self._token(*top) for top in likeliest]}

    def _token(self, token: int, logprob: float | None) -> Json:
        raw = token_bytes(self.chat.tokenizer, token)
        return {"token": raw.decode(errors="replace"), "logprob": logprob, "bytes": list(raw)}


class ChatResponseBuilder(ResponseBuilder):
    """Responses of /v1/chat/completions. ``logprobs`` cover all generated tokens, reasoning and end markers too."""

    KIND, CHUNK_KIND, PREFIX = "chat.completion", "chat.completion.chunk", "chatcmpl"

    @override
    def choice(self, index: int, request: Request, completion: CompletionOutput) -> Json:
        parts = parse(completion, self.jobs[0])
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
    def delta(self, index: int, request: Request, completion: CompletionOutput) -> Json | None:
        parts = parse(completion, self.jobs[0])
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

    def _calls(self, calls: Sequence[FunctionCall]) -> list[Json]:
        return [
            {
                "id": f"call_{self.id}_{place}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for place, call in enumerate(calls)
        ]


def _finish_reason(completion: CompletionOutput, parts: Parts) -> str | None:
    return "tool_calls" if parts.calls else completion.finish_reason


class CompletionResponseBuilder(ResponseBuilder):
    """Responses of /v1/completions; the completions of several prompts follow each other."""

    KIND, CHUNK_KIND, PREFIX = "text_completion", "text_completion", "cmpl"

    @override
    def choice(self, index: int, request: Request, completion: CompletionOutput) -> Json:
        return self._choice(index, request, completion, completion.text, 0)

    @override
    def delta(self, index: int, request: Request, completion: CompletionOutput) -> Json | None:
        sent = self.sent.setdefault(index, {"text": 0, "tokens": 0, "finished": False})
        text, reason = completion.text[sent["text"] :], completion.finish_reason
        if sent["finished"] or not (text or reason):
            return None
        self.sent[index] = {
            "text": len(completion.text),
            "tokens": len(completion.token_ids),
            "finished": reason is not None,
        }
        return self._choice(index, request, completion, text, sent["tokens"])

    def _choice(self, index: int, request: Request, completion: CompletionOutput, text: str, start: int) -> Json:
        """Returns the choice with the text since token ``start``; the prompt precedes the first if it is echoed."""
        echo = self.jobs[index // len(request.completions)].echo
        tokens: list[Json] = []
        if self.params.num_top_logprobs is not None:
            tokens = self._prompt_logprobs(request) if echo is not None and not start else []
            tokens += self._token_logprobs(completion, start)
        finish_reason = completion.finish_reason
        if self.params.token_limit == 0:  # the one token of the completion was not requested
            tokens, text, finish_reason = tokens[:-1], "", "length" if finish_reason else None
        return {
            "index": index,
            "text": (echo or "") + text if not start else text,
            "logprobs": None if self.params.num_top_logprobs is None else _columns(tokens),
            "finish_reason": finish_reason,
        }

    def _prompt_logprobs(self, request: Request) -> list[Json]:
        """Returns the tokens of the prompt; the first has no log-probability."""
        first = self._token(request.prompt_ids[0], None) | {"top_logprobs": None}
        rest = zip(request.prompt_ids[1:], request.prompt_logprobs, strict=True)
        return [first, *(self._with_top(token, value, likeliest) for token, (value, likeliest) in rest)]


def _columns(tokens: Sequence[Json]) -> Json:
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [
            None if token["top_logprobs"] is None else {top["token"]: top["logprob"] for top in token["top_logprobs"]}
            for token in tokens
        ],
    }
