"""All that roles, refinement and evaluation know about a model."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from core.errors import LemmataError
from core.ids import digest
from core.records import Usage

if TYPE_CHECKING:  # the engine loads torch, which no other policy needs
    from model.engine import Completion as TokenRecord

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages of one call."""

    messages: tuple[Message, ...]

    @property
    def digest(self) -> str:
        """Names the prompt by its content."""
        return digest(*(part for message in self.messages for part in (message.role, message.content)))


def user_prompt(text: str) -> Prompt:
    """A prompt of one user message."""
    return Prompt((Message("user", text),))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample: ``n`` completions of at most ``max_tokens`` tokens each (None: the server's limit).

    ``seed`` is that of the first completion; the others of the request follow from it.
    """

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    """An answer as the tokens that a model of ours drew, with their log-probabilities, experts and sampling masks."""

    prompt_ids: tuple[int, ...]
    completion: "TokenRecord"


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer. ``usage`` is that of the whole request and stands on its first completion only (None elsewhere).

    ``sampled`` is there where the policy runs the model itself.
    """

    text: str
    finish_reason: str
    model: str
    seconds: float
    usage: Usage | None = None
    reasoning: str | None = None
    sampled: Sampled | None = None


class Policy(Protocol):
    """Writes text. ``name`` is its name in the run, ``samples_per_request`` the largest ``n`` worth asking for."""

    name: str

    @property
    def samples_per_request(self) -> int: ...

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """Between 1 and ``sampling.n`` completions for each prompt.

        Raises:
            PromptRefused: the model declines this prompt for good.
            PolicyUnavailable: no answer after all retries; asking again later may work.
            LemmataError: the policy cannot work as configured.
        """
        ...

    async def close(self) -> None: ...


class PolicyUnavailable(Exception):
    """No usable answer after all retries. The problem stays unfinished and is taken up again by the next run."""


class PromptRefused(Exception):
    """The server declines this one prompt for good (context too long, content filter)."""


class RunStopped(LemmataError):
    """The run ends here by budget or by the user; everything paid for is in the store."""


async def gather_all(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Results of all, in order. Every one finishes before the first error is raised: a call in flight is paid for."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        # A fault of ours must not hide behind an expected stop.
        raise next((error for error in errors if not isinstance(error, RunStopped | PolicyUnavailable)), errors[0])
    return [result for result in results if not isinstance(result, BaseException)]
