"""Policy interface: prompts and sampling settings in, completions out; roles and loops know no more about models."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from core.errors import LemmataError
from core.ids import digest
from core.plain_text import answer_text
from core.records import Usage

if TYPE_CHECKING:  # the engine loads torch, which no other policy needs
    from model.engine import CompletionOutput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool by a model. ``arguments`` should be a JSON object, but is what the model wrote."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it; ``parameters`` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message.

    ``tool_calls`` and ``reasoning`` are an assistant's; ``tool_call_id`` names the call that a tool's message answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """The parts by which a prompt is named; those of a plain message are its role and content alone."""
        calls = [part for call in self.tool_calls for part in (call.id, call.name, call.arguments)]
        extra = (self.reasoning or "", self.tool_call_id or "", *calls)
        return (self.role, self.content, *(extra if any(extra) else ()))


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages of one call."""

    messages: tuple[Message, ...]

    @property
    def digest(self) -> str:
        """Names the prompt by its content."""
        return digest(*(part for message in self.messages for part in message.identity))


def user_prompt(text: str) -> Prompt:
    """A prompt of one user message."""
    return Prompt((Message("user", text),))


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings: ``n`` completions of at most ``max_tokens`` tokens each (None: the server's limit).

    ``seed`` is that of the first completion; the others of the request follow from it. None for ``temperature`` or
    ``top_p`` leaves it to the server. ``choices``: the only answers that the server may give, where the field
    ``constrain`` of its requests can say so (`policy.constraint`). ``tools``: the tools that the model may call, where
    ``may_call`` is set; without it the model is told of them and must answer.
    """

    n: int = 1
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    choices: tuple[str, ...] = ()
    constrain: str = "none"
    tools: tuple[ToolSpec, ...] = ()
    may_call: bool = True


@dataclass(frozen=True, slots=True)
class Sampled:
    """The tokens of a completion by an in-process model, with log-probabilities, experts and sampling masks."""

    prompt_ids: tuple[int, ...]
    completion: "CompletionOutput"


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion. ``usage`` is that of the whole request, on its first completion only (None on the others).

    ``lost``: the tokens of failed attempts before this answer, which are counted already. ``sampled`` is None unless
    the policy runs the model in this process.
    """

    text: str
    finish_reason: str
    model: str
    seconds: float
    usage: Usage | None = None
    reasoning: str | None = None
    lost: Usage | None = None
    sampled: Sampled | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def answer(self) -> str:
        """The text as parsers take it: a ``<think>`` in it is prose where the reasoning arrived apart."""
        return answer_text(self.text, self.reasoning)

    @property
    def paid(self) -> Usage | None:
        """The usage with the tokens of failed attempts before; None where the server reported none."""
        parts = [usage for usage in (self.usage, self.lost) if usage is not None]
        return sum(parts, start=Usage()) if parts else None


class Policy(Protocol):
    """Source of completions. ``name`` is its name in the run, ``samples_per_request`` the largest useful ``n``."""

    name: str

    @property
    def samples_per_request(self) -> int: ...

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """Between 1 and ``sampling.n`` completions for each prompt.

        Raises:
            PromptRefused: the model refuses this prompt permanently.
            PolicyUnavailable: no response after all retries; a later call may succeed.
            LemmataError: the policy cannot work as configured.
        """
        ...

    async def close(self) -> None: ...


class PolicyUnavailable(Exception):
    """No usable response after all retries. The problem stays unfinished; the next run resumes it.

    ``usage``: the tokens that the attempts used all the same.
    """

    usage: Usage | None = None


class PromptRefused(Exception):
    """A prompt that is set aside: the server refuses it (context too long, content filter), or no attempt succeeded.

    ``usage``: the tokens that the attempts used all the same.
    """

    usage: Usage | None = None


class RunStopped(LemmataError):
    """End of the run by a budget, by the user, or by servers that do not answer; every finished call is in the store.

    ``usage``: the tokens that attempts without an answer used.
    """

    usage: Usage | None = None


async def gather_all(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Results of all, in order. All finish before the first error is raised: calls in flight are paid for."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        # A programming error must not be hidden by an expected stop.
        raise next((error for error in errors if not isinstance(error, RunStopped | PolicyUnavailable)), errors[0])
    return [result for result in results if not isinstance(result, BaseException)]
