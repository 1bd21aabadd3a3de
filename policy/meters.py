"""Counters of a running command, for progress and for the scheduler of problems."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.records import Usage
from policy.usability import Usability


@dataclass
class Meters:
    """Mutable counters. ``arrivals`` counts calls that asked for a place at a server, ``waiting`` those that queue for
    one, ``in_flight`` those that have one, ``calls`` the finished ones, ``reused`` the samples found in the store.
    ``total`` is the number of problems, where it is known; ``resumed`` counts those that were finished before.
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
    usage: Usage = field(default_factory=Usage)
    started: float = field(default_factory=time.monotonic)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    waiting_since: dict[str, float] = field(default_factory=dict)
    usability: Usability = field(default_factory=Usability)
    total: int | None = None
    resumed: int = 0
    warnings: list[str] = field(default_factory=list)

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
        """Completion tokens per second since the start of this command."""
        return self.usage.completion_tokens / max(time.monotonic() - self.started, 1e-9)

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
            "cost": self.usage.cost,
            "tokens_per_second": round(self.tokens_per_second, 1),
        }
