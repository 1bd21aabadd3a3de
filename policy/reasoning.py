"""Parts of a message: the answer, the reasoning, and a refusal, in the shapes that servers send them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.faults import MalformedAnswer

# Reasoning inside the text, where it opens the text.
_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("◁think▷", "◁/think▷"),
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
_MARKER = re.compile(r"<\|(?:start|end|return|call)\|>(?:assistant)?")
_BARE_CHANNELS = re.compile(r"\s*analysis(.*?)assistant\s*final(.*)", re.DOTALL)  # the markers were stripped
_REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
_THOUGHTS = ("thinking", "reasoning", "thought", "reasoning.text", "reasoning.summary", "redacted_thinking",
             "reasoning.encrypted")  # fmt: skip


@dataclass
class AnswerParts:
    """``text`` of the answer, ``reasoning`` apart from it, and ``refusal`` in the model's words; empty where absent.

    ``calls``: the tool calls as the server sends them; in a stream, pieces with the index of their call.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Any] = field(default_factory=list)


def read_message(message: Mapping[str, Any]) -> AnswerParts:
    """The parts of a chat message, with reasoning inside its text taken apart.

    Raises:
        MalformedAnswer: the content is neither text nor a list of known parts.
    """
    parts = read_parts(message)
    if not parts.reasoning:
        parts.text, parts.reasoning = split_reasoning(parts.text)
    return parts


def read_parts(message: Mapping[str, Any]) -> AnswerParts:
    """The parts of a message, or of a piece of one in a stream: its text as it is."""
    parts = AnswerParts()
    _add(parts, message.get("content"))
    fields = (message.get(name) for name in _REASONING)
    reasoning = next((text for field in fields if field and (text := _plain(field))), "")
    parts.reasoning = reasoning or parts.reasoning
    refusal = message.get("refusal")
    parts.refusal = refusal if isinstance(refusal, str) and refusal else parts.refusal
    calls = message.get("tool_calls")
    parts.calls = list(calls) if isinstance(calls, list) else []
    return parts


def _add(parts: AnswerParts, content: Any) -> None:
    """Add the content of a message: text, one part, or a list of parts."""
    if content is None:
        return
    if isinstance(content, str):
        parts.text += content
    elif isinstance(content, list):
        for part in content:
            _add(parts, part)
    elif isinstance(content, Mapping):
        _add_part(parts, content)
    else:
        raise MalformedAnswer(f"the content of a message is no text: {str(content)[:80]!r}")


def _add_part(parts: AnswerParts, part: Mapping[str, Any]) -> None:
    kind = part.get("type")
    if kind in _THOUGHTS:
        parts.reasoning += _plain(part)
    elif kind == "refusal":
        parts.refusal += _plain(part.get("refusal"))
    elif kind in (None, "text", "output_text") and isinstance(part.get("text"), str | Mapping):
        parts.text += _plain(part["text"])
    else:
        raise MalformedAnswer(f"the content of a message has a part of unknown type {str(kind)[:40]!r}")


def _plain(value: Any) -> str:
    """The text in a value of any shape; encrypted reasoning has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_plain, value))
    if isinstance(value, Mapping):
        for name in ("text", "thinking", "reasoning", "summary", "content", "value"):
            if value.get(name):
                return _plain(value[name])
        return "" if "data" in value or "signature" in value or "type" in value else json.dumps(value)
    return "" if value is None else str(value)


def split_reasoning(text: str) -> tuple[str, str]:
    """The answer and the reasoning of a text that holds both.

    Reasoning is a block at the beginning, or everything before a closing tag that nothing opens (the chat template
    did), or the channels other than ``final`` of a text in OpenAI's harmony format. A tag elsewhere is prose. Where the
    block never closes, all is reasoning.
    """
    if "<|channel|>" in text:
        return _channels(text)
    start = text.lstrip()
    for opening, closing in _TAGS:
        if start.startswith(opening):
            reasoning, _, answer = start[len(opening) :].partition(closing)
            return answer.lstrip("\n"), reasoning.strip()
        if closing in text and opening not in text:
            reasoning, _, answer = text.rpartition(closing)
            return answer.lstrip("\n"), reasoning.strip()
    if bare := _BARE_CHANNELS.fullmatch(text):
        return bare[2].lstrip("\n"), bare[1].strip()
    return text, ""


def _channels(text: str) -> tuple[str, str]:
    pieces = _CHANNEL.split(text)
    answer, reasoning = "", _MARKER.sub("", pieces[0])
    for name, content in zip(pieces[1::2], pieces[2::2], strict=True):
        plain = _MARKER.sub("", content)
        if name == "final":
            answer += plain
        else:
            reasoning += plain
    return answer.strip("\n"), reasoning.strip()
