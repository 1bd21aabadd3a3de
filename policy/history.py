"""History of an answer with tools: the prompt, then turns of calls and their outputs, as messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from policy.interface import Message

CHARACTERS_PER_TOKEN = 3  # of an estimate that is rather too high: text of mathematics, in common tokenizers
SUMMARY_HEADING = "Summary of your work so far, in place of the messages that held it:"
_MESSAGE_TOKENS = 4  # that a template adds to each message


@dataclass(frozen=True, slots=True)
class HistoryTurn:
    """An assistant's message with calls, and the tools' messages that answer it. ``id``: its record."""

    id: str
    message: Message
    outputs: tuple[Message, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """Its messages in order."""
        return (self.message, *self.outputs)


@dataclass(frozen=True, slots=True)
class History:
    """A conversation so far. ``start``: the prompt; ``turns``: those that the model still sees.

    ``summary``: of the turns before them, by the model; it is shown at the end of the prompt's last message.
    """

    start: tuple[Message, ...]
    turns: tuple[HistoryTurn, ...] = ()
    summary: str | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages, as they are sent."""
        start, later = self.start, (message for turn in self.turns for message in turn.messages)
        if self.summary is not None:
            last = replace(start[-1], content=f"{start[-1].content}\n\n{SUMMARY_HEADING}\n{self.summary}")
            start = (*start[:-1], last)
        return without_old_thinking((*start, *later))


def without_old_thinking(messages: Sequence[Message]) -> tuple[Message, ...]:
    """``messages`` without the reasoning before the last user message: it is kept within a tool loop alone.

    DeepSeek-V3.2's rule; tool calls and their outputs stay.
    """
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    return tuple(
        replace(message, reasoning=None) if place < last else message for place, message in enumerate(messages)
    )


def estimated_tokens(messages: Iterable[Message]) -> int:
    """An estimate of the tokens of messages by their length."""
    return sum(
        sum(map(len, message.identity)) // CHARACTERS_PER_TOKEN + _MESSAGE_TOKENS for message in messages
    )  # fmt: skip
