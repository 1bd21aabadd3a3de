"""Counters of a running command, for progress and for the scheduler of problems."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.records import Usage


@dataclass
class Meters:
    """Mutable counters. ``arrivals`` counts calls that asked for a place at a server, ``waiting`` those that queue for
    one, ``in_flight`` those that have one, ``calls`` the finished ones, ``reused`` the samples found in the store.
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

    def touch(self) -> None:
        """Wake the scheduler that waits for a free place."""
        self.changed.set()

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens per second since the start of this command."""
        return self.usage.completion_tokens / max(time.monotonic() - self.started, 1e-9)

    def snapshot(self) -> Mapping[str, float]:
        """The counters as plain numbers."""
        names = ("problems", "finished", "unfinished", "set_aside", "accepted", "in_flight", "waiting", "calls",
                 "samples", "reused", "parse_failures", "refusals", "retries")  # fmt: skip
        return {
            **{name: getattr(self, name) for name in names},
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "cost": self.usage.cost,
            "tokens_per_second": round(self.tokens_per_second, 1),
        }
