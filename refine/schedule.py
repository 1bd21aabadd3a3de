"""Scheduler of problems: overlaps as many as keep the servers full, and holds no more of them in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from policy.guard import Guard
from policy.interface import PolicyUnavailable, PromptRefused, RunStopped
from policy.meters import Meters
from policy.throttle import Throttle


class Named(Protocol):
    """A problem, or one attempt at it, with the name that messages use."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)
Work = Callable[[T], Awaitable[None]]


async def run_problems(
    problems: Iterable[T], work: Work[T], policies: Sequence[Throttle], guard: Guard, meters: Meters
) -> list[str]:
    """Runs ``work`` on every problem; returns the errors of unfinished problems, one line each.

    A problem whose calls failed after all retries, or whose prompts were all set aside, stays unfinished while the
    others go on. An error that affects every call stops the run; calls in flight are finished and kept. Only canceling
    drops them.

    Raises:
        LemmataError: such an error, or one of reading ``problems``.
    """
    return await _Schedule(work, policies, guard, meters).run(problems)


class _Schedule(Generic[T]):
    """Open problems, and the errors of those that ended without a result."""

    def __init__(self, work: Work[T], policies: Sequence[Throttle], guard: Guard, meters: Meters) -> None:
        self._work = work
        self._policies = policies
        self._guard = guard
        self._meters = meters
        self._open: set[asyncio.Task[None]] = set()
        self._unfinished: list[str] = []
        self._fatal: list[Exception] = []

    async def run(self, problems: Iterable[T]) -> list[str]:
        try:
            await self._start_all(problems)
            await asyncio.gather(*self._open)
        except asyncio.CancelledError:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            raise
        if self._fatal:
            raise self._fatal[0]
        return self._unfinished

    async def _start_all(self, problems: Iterable[T]) -> None:
        rest = iter(problems)
        while True:
            await self._wait_for_slot()
            if self._guard.reason is not None:
                return
            try:
                problem = next(rest)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 - e.g. a bad row late in the file; raised once all calls have ended
                self._stop(error)
                return
            await self._start(problem)

    async def _wait_for_slot(self) -> None:
        """Waits until no call queues and a server has a free slot; at most one open problem for each slot."""
        slots = sum(policy.concurrency for policy in self._policies)
        while (
            any(policy.backlog for policy in self._policies)
            or not any(policy.free for policy in self._policies)
            or len(self._open) >= slots
        ):
            await self._change()

    async def _start(self, problem: T) -> None:
        """Starts a problem and waits until it has made a call or ended: before that, its load is unknown."""
        self._meters.problems += 1
        arrivals = self._meters.arrivals
        task = asyncio.create_task(self._guarded(problem))
        self._open.add(task)
        task.add_done_callback(self._ended)
        while not task.done() and self._meters.arrivals == arrivals:
            await self._change()
        self._meters.resumed += task.done() and self._meters.arrivals == arrivals

    async def _guarded(self, problem: T) -> None:
        try:
            await self._work(problem)
            self._meters.finished += 1
        except PolicyUnavailable as error:
            self._meters.unfinished += 1
            self._unfinished.append(f"{problem.name or problem.id}: {error}")
        except PromptRefused as error:
            self._meters.set_aside += 1
            self._unfinished.append(f"{problem.name or problem.id}: set aside: {error}")
        except RunStopped:
            self._meters.unfinished += 1
        except Exception as error:  # noqa: BLE001 - raised once all calls in flight have ended
            self._stop(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Wakes `_wait_for_slot` only now: a problem that is about to end still counts as open.
        self._open.discard(task)
        self._meters.touch()

    def _stop(self, error: Exception) -> None:
        self._fatal.append(error)
        self._guard.stop(f"an error: {error}")

    async def _change(self) -> None:
        self._meters.changed.clear()
        await self._meters.changed.wait()
