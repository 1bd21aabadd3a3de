"""Decides whether another call may start: budgets, a stop asked for by the user, a server that fails every time."""

import asyncio
import time
from contextlib import suppress

from core.config import STRICT, settings
from core.records import Usage
from policy.interface import RunStopped


@settings(frozen=True, config=STRICT)
class BudgetConfig:
    """What a run may spend, all its resumptions together (``seconds``: this command alone). None: no limit.

    Calls in flight when a limit is reached are finished and kept, so the last few may exceed it.
    """

    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    failures_in_a_row: int = 20


class Guard:
    """Asked before every call. Raises RunStopped once a limit is reached or the user asked to stop."""

    def __init__(self, budget: BudgetConfig, spent: Usage | None = None) -> None:
        self.budget = budget
        self.spent = spent or Usage()
        self._started = time.monotonic()
        self._failures = 0
        self._reason: str | None = None
        self._stopped = asyncio.Event()

    @property
    def reason(self) -> str | None:
        """Why the run stops; None while it goes on."""
        return self._reason

    def stop(self, reason: str) -> None:
        """Let no further call start; the first reason stays."""
        self._reason = self._reason or reason
        self._stopped.set()

    def check(self) -> None:
        """Raise RunStopped when no further call may start."""
        for limit, spent, unit in (
            (self.budget.tokens, self.spent.total_tokens, "tokens"),
            (self.budget.money, self.spent.cost, "of money"),
            (self.budget.seconds, time.monotonic() - self._started, "seconds"),
        ):
            if limit is not None and spent >= limit:
                self.stop(f"the budget of {limit:g} {unit} is spent")
        if self._reason is not None:
            raise RunStopped(self._reason)

    def succeeded(self, usage: Usage | None) -> None:
        """Book a finished request."""
        self._failures = 0
        if usage is not None:
            self.spent += usage
        elif self.budget.tokens is not None or self.budget.money is not None:
            self.stop(
                "the server reports no token usage, so a budget of tokens or money cannot be kept; use budget.seconds"
            )

    def failed(self, error: Exception) -> None:
        """Book a call that failed for good; too many in a row stop the run."""
        self._failures += 1
        if self._failures >= self.budget.failures_in_a_row:
            self.stop(f"{self._failures} calls failed in a row, the last one: {error}")

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the run stops or its time is spent (then raise RunStopped)."""
        left = seconds if self.budget.seconds is None else self._started + self.budget.seconds - time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), max(0.0, min(seconds, left)))
        self.check()
