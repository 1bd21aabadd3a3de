"""Request bodies of an endpoint, and how they adapt to a server: samples per request, streaming, token limits."""

from collections.abc import Mapping, Sequence
from typing import Any

from policy.constraint import constraint
from policy.endpoint_config import EndpointConfig
from policy.faults import ContextTooLong, PromptRefused, may_be_samples
from policy.interface import Message, Prompt, Sampling, ToolSpec

MIN_ROOM = 16  # tokens below which an answer is not worth asking for
MAX_HALVINGS = 4


class RequestBuilder:
    """Builds bodies. ``max_samples`` and ``streams`` follow what the server has shown that it can do."""

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self.max_samples = config.samples_per_request
        self.streams = config.stream is not False
        self._sends_stream_options = True

    def body(self, prompt: Prompt, sampling: Sampling, n: int, room: int | None) -> dict[str, Any]:
        """The request for ``n`` samples of at most ``room`` tokens; what is None is not sent."""
        optional = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "n": n if n > 1 else None,
            "stop": list(sampling.stop) or None,
            "seed": sampling.seed if self.config.send_seed else None,
            self.config.token_limit_name: room,
            "stream": True if self.streams else None,
            "stream_options": {"include_usage": True} if self.streams and self._sends_stream_options else None,
        }
        return {
            "model": self.config.model,
            "messages": [message_body(message) for message in prompt.messages],
            **{key: value for key, value in optional.items() if value is not None},
            **constraint(sampling),
            **tool_fields(sampling),
            **self.config.extra_body,
        }

    def adapt(self, error: PromptRefused, body: Mapping[str, Any]) -> bool:
        """True where the same prompt is worth another request, without streaming or without its options."""
        text = str(error)
        if "stream" not in text or "stream" not in body or not may_be_samples(error):
            return False
        if "stream_options" in body and ("stream_options" in text or "include_usage" in text):
            self._sends_stream_options = False
            self.streams = self.config.stream is True  # tokens that nobody counts are worse than a plain response
            return True
        if self.config.stream == "auto":
            self.streams = False
            return True
        return False

    def note_usage(self, *, streamed: bool, reported: bool) -> None:
        """Prefer plain responses where a server reports tokens in those alone."""
        if self.config.stream == "auto" and streamed and self.streams and not reported:
            self.streams = False


def message_body(message: Message) -> dict[str, Any]:
    """A message in the form of the API. The reasoning goes under the name that DeepSeek's and vLLM's servers read."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    optional = {
        "reasoning_content": message.reasoning,
        "tool_calls": calls or None,
        "tool_call_id": message.tool_call_id,
    }
    return {
        "role": message.role,
        "content": message.content,
        **{key: value for key, value in optional.items() if value is not None},
    }


def tool_fields(sampling: Sampling) -> dict[str, Any]:
    """The fields of a request that offers tools; none without tools."""
    if not sampling.tools:
        return {}
    return {"tools": tool_bodies(sampling.tools), "tool_choice": "auto" if sampling.may_call else "none"}


def tool_bodies(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools in the form of the API."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]


def smaller_room(error: ContextTooLong, room: int | None, halvings: int) -> int | None:
    """The number of tokens to try next after a context error; None where the prompt itself is too long."""
    if error.room is not None:
        if error.room < MIN_ROOM or (room is not None and error.room >= room):
            return None
        return error.room
    if room is None or halvings >= MAX_HALVINGS or room // 2 < MIN_ROOM:
        return None
    return room // 2
