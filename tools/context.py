"""Context policies: pure functions from history to history, for a context that is nearly full.

| name | what the model still sees |
|---|---|
| none | everything; a context that is too long refuses the answer |
| discard_all | the prompt alone |
| discard_75 | the prompt and the last quarter of the turns, but not all of them |
| summary | the prompt, and a summary that the model wrote of its turns |

The first three and their names: DeepSeek-V3.2, section on context management. Whatever is left out stays in the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.errors import LemmataError
from policy.history import History
from policy.tool_loop import ContextPolicy

KEPT_SHARE = 4  # a quarter of the turns


@dataclass(frozen=True)
class KeepAll(ContextPolicy):
    """Leaves everything."""

    name: str = "none"
    asks: bool = False

    def __call__(self, history: History, summary: str | None = None) -> History:
        """``history`` itself."""
        return history


@dataclass(frozen=True)
class DiscardAll(ContextPolicy):
    """Discards every turn."""

    name: str = "discard_all"
    asks: bool = False

    def __call__(self, history: History, summary: str | None = None) -> History:
        """``history`` without turns."""
        return replace(history, turns=())


@dataclass(frozen=True)
class Discard75(ContextPolicy):
    """Discards the first three quarters of the turns, at least one."""

    name: str = "discard_75"
    asks: bool = False

    def __call__(self, history: History, summary: str | None = None) -> History:
        """``history`` with the last quarter of its turns, rounded down."""
        return replace(history, turns=history.turns[len(history.turns) - len(history.turns) // KEPT_SHARE :])


@dataclass(frozen=True)
class SummarizeTurns(ContextPolicy):
    """Puts a summary by the model in place of every turn, and of an earlier summary."""

    name: str = "summary"
    asks: bool = True

    def __call__(self, history: History, summary: str | None = None) -> History:
        """``history`` without turns, with ``summary``."""
        return replace(history, turns=(), summary=summary)


POLICIES: Mapping[str, ContextPolicy] = {
    one.name: one for one in (KeepAll(), DiscardAll(), Discard75(), SummarizeTurns())
}


def context_policy(name: str) -> ContextPolicy:
    """The policy of a name. Raises LemmataError for an unknown one."""
    if name not in POLICIES:
        raise LemmataError(f"tool_use.context={name!r}: known are {', '.join(POLICIES)}")
    return POLICIES[name]
