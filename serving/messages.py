"""Chat messages as clients send them. Unknown fields are refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Base of all request parts: no unknown fields, no type coercion."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class TextPart(Strict):
    """A text part of a message. Images and audio are not supported."""

    type: Literal["text"]
    text: str


Content = str | list[TextPart]


class SystemMessage(Strict):
    """A message with instructions."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Strict):
    """A message of the user."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class ToolMessage(Strict):
    """The result of a tool call."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str | None = None
    name: str | None = None


class Function(Strict):
    """A called function, with its arguments as JSON text."""

    name: str
    arguments: str


class RequestToolCall(Strict):
    """A call of a function."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: Function
    index: int | None = None


class AssistantMessage(Strict):
    """An earlier answer. Clients send back the fields that are always empty."""

    role: Literal["assistant"]
    content: Content | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[RequestToolCall] | None = None
    name: str | None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None


ChatMessage = Annotated[SystemMessage | UserMessage | ToolMessage | AssistantMessage, Field(discriminator="role")]


class FunctionSchema(Strict):
    """A function that the model may call."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: Literal[False] | None = None


class Tool(Strict):
    """A tool: always a function."""

    type: Literal["function"]
    function: FunctionSchema


def for_template(message: ChatMessage) -> Mapping[str, Any]:
    """Converts a message for the chat template: parts joined, empty fields dropped."""
    value = message.model_dump(exclude_none=True)
    if isinstance(message.content, list):
        value["content"] = "".join(part.text for part in message.content)
    if isinstance(message, AssistantMessage):
        value.setdefault("content", "")
        if message.reasoning and not message.reasoning_content:
            value["reasoning_content"] = message.reasoning
    return value
