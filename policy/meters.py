"""Counters of a running command, for progress and for the scheduler of problems."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.records import Usage
from policy.usability import Usability

CHARACTERS_PER_TOKEN = 4  # of English and formulas, until a server has stated the tokens of an answer


@dataclass
class Meters:
    """Mutable counters. ``arrivals`` counts calls that asked for a place at a server, ``waiting`` those that queue for
    one, ``in_flight`` those that have one, ``calls`` the finished ones, ``reused`` the samples found in the store.
    ``total`` is the number of problems, where it is known; ``resumed`` counts those that were finished before.
    ``arriving_characters``: of streamed answers that are not whole yet.
    ``waiting_since``: since when (seconds since 1970) no server of a policy answers, by the policy's name.
    """

    problems: int = 0
    finished: int = 0
    unfinished: int = 0
    set_aside: int = 0
    accepted: int = 0
    in_flight: int = 0
    waiting: int = 0
    arrivals: int = 0
    calls: int = 0
    samples: int = 0
    reused: int = 0
    parse_failures: int = 0
    refusals: int = 0
    retries: int = 0
    tool_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    started: float = field(default_factory=time.monotonic)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    waiting_since: dict[str, float] = field(default_factory=dict)
    usability: Usability = field(default_factory=Usability)
    total: int | None = None
    resumed: int = 0
    warnings: list[str] = field(default_factory=list)
    arriving_characters: int = 0
    streamed_characters: int = 0  # of whole answers whose tokens are known
    streamed_tokens: int = 0

    @contextmanager
    def arriving(self) -> Iterator["Arrival"]:
        """Counts the characters of one streamed answer while the block runs."""
        arrival = Arrival(self)
        try:
            yield arrival
        finally:
            self.arriving_characters -= arrival.characters

    @property
    def arriving_tokens(self) -> int:
        """Estimate of the tokens of answers that are not whole yet, by the characters per token of whole ones."""
        tokens, characters = self.streamed_tokens, self.streamed_characters
        share = tokens / characters if tokens and characters else 1 / CHARACTERS_PER_TOKEN
        return round(self.arriving_characters * share)

    def warn(self, text: str) -> None:
        """Add a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def touch(self) -> None:
        """Wake the scheduler that waits for a free place."""
        self.changed.set()

    @property
    def remaining_seconds(self) -> float | None:
        """Estimate of the time until all problems are done, by those that this command has worked on; None: unknown."""
        done = self.finished + self.unfinished + self.set_aside
        if self.total is None or done <= self.resumed:
            return None
        return (time.monotonic() - self.started) * (self.total - done) / (done - self.resumed)

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens per second since the start of this command, those of answers on their way included."""
        tokens = self.usage.completion_tokens + self.arriving_tokens
        return tokens / max(time.monotonic() - self.started, 1e-9)

    def snapshot(self) -> Mapping[str, float | None]:
        """The counters as plain numbers."""
        names = ("problems", "finished", "unfinished", "set_aside", "accepted", "in_flight", "waiting", "calls",
                 "samples", "reused", "parse_failures", "refusals", "retries")  # fmt: skip
        return {
            **{name: getattr(self, name) for name in names},
            "total": self.total,
            "usable": self.usability.usable,
            "unusable": self.usability.unusable,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "arriving_tokens": self.arriving_tokens,
            "cost": self.usage.cost,
            "tokens_per_second": round(self.tokens_per_second, 1),
        }


@dataclass
class Arrival:
    """One streamed answer on its way. ``characters``: those that have arrived."""

    meters: Meters
    characters: int = 0

    def add(self, characters: int) -> None:
        """Count the characters of a piece."""
        self.characters += characters
        self.meters.arriving_characters += characters

    def end(self, usage: Usage | None) -> None:
        """The answer is whole; ``usage`` tells how many tokens its characters are."""
        if usage is not None and usage.completion_tokens and self.characters:
            self.meters.streamed_characters += self.characters
            self.meters.streamed_tokens += usage.completion_tokens
