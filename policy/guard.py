"""Guard of a run: stops it at a budget, at the user's request, or after too many failures."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from core.config import STRICT, settings
from core.records import Usage
from policy.interface import RunStopped


@settings(frozen=True, config=STRICT)
class BudgetConfig:
    """Limits of a run over all its resumptions (``seconds``: of this command alone). None: no limit.

    Calls in flight when a limit is reached are finished and kept, so the last few may exceed it. ``cost`` is in the
    currency of the policy's prices. ``max_consecutive_failures``: calls in a row that failed after all retries.
    """

    tokens: int | None
    cost: float | None
    seconds: float | None
    max_consecutive_failures: int


class Guard:
    """Checks before every call that it may start; raises RunStopped at a limit or after a stop by the user.

    ``clock``: seconds since any fixed moment, which the time budget goes by.
    """

    def __init__(
        self, budget: BudgetConfig, spent: Usage | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.budget = budget
        self.spent = spent or Usage()
        self._clock = clock
        self._started = clock()
        self._failures = 0
        self._reason: str | None = None
        self._stopped = asyncio.Event()
        self._on_stop: list[Callable[[], None]] = []

    @property
    def reason(self) -> str | None:
        """The reason why the run stops; None while it goes on."""
        return self._reason

    def stop(self, reason: str) -> None:
        """Let no further call start; the first reason stays."""
        self._reason = self._reason or reason
        self._stopped.set()
        for call in self._on_stop:
            call()

    def on_stop(self, call: Callable[[], None]) -> None:
        """Run ``call`` when the run stops."""
        self._on_stop.append(call)

    def spend(self, usage: Usage) -> None:
        """Count tokens of an attempt that gave no answer."""
        self.spent += usage

    def check(self) -> None:
        """Raise RunStopped when no further call may start."""
        for name, limit, spent, unit in (
            ("token", self.budget.tokens, self.spent.total_tokens, ""),
            ("cost", self.budget.cost, self.spent.cost, ""),
            ("time", self.budget.seconds, self._clock() - self._started, " s"),
        ):
            if limit is not None and spent >= limit:
                self.stop(f"the {name} budget of {limit:g}{unit} is used up")
        if self._reason is not None:
            raise RunStopped(self._reason)

    def succeeded(self, usage: Usage | None) -> None:
        """Count a finished request."""
        self._failures = 0
        if usage is not None:
            self.spent += usage
        elif self.budget.tokens is not None or self.budget.cost is not None:
            self.stop(
                "the server reports no token usage, so budget.tokens and budget.cost cannot be kept; use budget.seconds"
            )

    def failed(self, error: Exception) -> None:
        """Count a call that failed after all retries; too many in a row stop the run."""
        self._failures += 1
        if self._failures >= self.budget.max_consecutive_failures:
            self.stop(f"{self._failures} calls failed in a row, the last one: {error}")

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait, at most until ``wake`` is set, the run stops, or its time is used up (then raise RunStopped).

        ``wake`` must be set when the run stops (`on_stop`).
        """
        left = seconds if self.budget.seconds is None else self._started + self.budget.seconds - self._clock()
        with suppress(TimeoutError):
            await asyncio.wait_for((wake or self._stopped).wait(), max(0.0, min(seconds, left)))
        self.check()
