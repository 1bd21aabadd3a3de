"""A toolbox in memory, and a server that calls its tool a number of times before it answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.records import ToolOutput
from policy.interface import ToolCall, ToolSpec
from policy.tool_loop import ContextPolicy, ToolUseConfig
from tests.fake_server import (
    DONE,
    FakeServer,
    Reply,
    Streamed,
    answer_text,
    chunk,
    completion,
    event,
    json_reply,
    role_of,
    streamed,
)
from tests.presets import tool_use_config
from tools.context import context_policy
from tools.toolbox import DESCRIPTION, SCHEMA

SPEC = ToolSpec("python", DESCRIPTION.format(seconds=1.0, memory=1), SCHEMA)


def use(**changes: Any) -> ToolUseConfig:
    """The default ``tool_use`` with changes."""
    return tool_use_config(**changes)


@dataclass
class Counting:
    """Answers each call by its number and its arguments; ``ran`` lists the calls, ``earlier`` what came before each."""

    config: ToolUseConfig = field(default_factory=use)
    status: str = "ok"
    seconds: float = 1.0
    size: int = 0  # characters added to each output
    ran: list[tuple[str, str]] = field(default_factory=list)
    earlier: list[list[str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    specs: tuple[ToolSpec, ...] = (SPEC,)
    overflow: ContextPolicy = field(default_factory=lambda: context_policy("discard_all"))
    context: ContextPolicy = field(init=False)

    def __post_init__(self) -> None:
        self.context = context_policy(self.config.context)

    async def run(self, conversation: str, earlier: Sequence[ToolOutput], call: ToolCall) -> tuple[str, str, float]:
        """The scripted output."""
        self.ran.append((conversation, call.arguments))
        self.earlier.append([output.text for output in earlier])
        return self.status, f"output of {call.arguments}{'.' * self.size}", self.seconds

    async def end(self, conversation: str) -> None:
        """Note the end."""
        self.ended.append(conversation)


@dataclass
class Calling:
    """Behavior of a server whose model makes ``turns`` turns of ``calls`` calls, then answers as its role.

    Its answer holds the last output that it was shown. ``stream``: in pieces. ``stubborn``: it calls for ever.
    """

    turns: int = 2
    calls: int = 1
    stream: bool = False
    stubborn: bool = False
    reasoning: str = "I think."

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        """The reply to a request."""
        messages = body["messages"]
        text = "".join(message["content"] for message in messages)
        turn = sum(message["role"] == "assistant" for message in messages)
        if not self.stubborn and (turn >= self.turns or body.get("tool_choice") != "auto"):
            shown = [message["content"] for message in messages if message["role"] == "tool"]
            answer = answer_text(role_of(text), f"{text}|{body.get('seed')}").replace(
                "\n", f"\nSeen: {shown[-1:]}\n", 1
            )
            value = completion(body, [answer])
            return streamed(value) if self.stream and body.get("stream") else json_reply(value)
        value = completion(body, [f"Turn {turn}."], finish_reason="tool_calls")
        message = value["choices"][0]["message"]
        message["reasoning_content"] = f"{self.reasoning} ({turn})"
        message["tool_calls"] = [
            call_of(f"c{turn}-{place}", json.dumps({"code": f"step {turn}.{place}"})) for place in range(self.calls)
        ]
        return _in_pieces(value) if self.stream and body.get("stream") else json_reply(value)


def call_of(name: str, arguments: str, tool: str = "python") -> dict[str, Any]:
    """A tool call in the form of the API."""
    return {"id": name, "type": "function", "function": {"name": tool, "arguments": arguments}}


def _in_pieces(value: Mapping[str, Any]) -> Reply:
    """A response with tool calls as a stream, whose arguments come in pieces of five characters."""
    [choice] = value["choices"]
    message = choice["message"]
    chunks = [chunk(message["content"], role="assistant"), chunk(None, reasoning_content=message["reasoning_content"])]
    for index, call in enumerate(message["tool_calls"]):
        function = {"name": call["function"]["name"], "arguments": ""}
        chunks.append(chunk(None, tool_calls=[{"index": index, "id": call["id"], "function": function}]))
        text = call["function"]["arguments"]
        for start in range(0, len(text), 5):
            piece = {"index": index, "function": {"arguments": text[start : start + 5]}}
            chunks.append(chunk(None, tool_calls=[piece]))
    chunks.append(chunk(None, reason="tool_calls"))
    chunks.append({"model": "m", "choices": [], "usage": value["usage"]})
    return Streamed([*map(event, chunks), DONE])


CODES = ("n = 41", "print(n + 1)", "1 / 0")


@dataclass
class PythonCalling:
    """Behavior of a server whose model runs the codes of `CODES`, one a turn, then answers as its role."""

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        """The reply to a request."""
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if turn >= len(CODES):
            return await Calling(turns=0)(body, server)
        value = completion(body, [""], finish_reason="tool_calls")
        call = call_of(f"c{turn}", json.dumps({"code": CODES[turn]}))
        value["choices"][0]["message"]["tool_calls"] = [call]
        return json_reply(value)
