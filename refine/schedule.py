"""Overlaps problems so that the servers are always full, without holding more problems in memory than that takes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from policy.guard import Guard
from policy.interface import PolicyUnavailable, RunStopped
from policy.meters import Meters
from policy.throttle import Throttle


class Named(Protocol):
    """A problem, or one attempt at it: what the messages call it."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)
Work = Callable[[T], Awaitable[None]]


async def run_problems(
    problems: Iterable[T], work: Work[T], policies: Sequence[Throttle], guard: Guard, meters: Meters
) -> list[str]:
    """Run ``work`` on every problem; returns what kept problems unfinished, one line each.

    A problem whose calls failed after all retries stays unfinished while the others go on. An error that no call can
    work around stops the run; calls in flight are finished and kept. Only canceling drops them.

    Raises:
        LemmataError: such an error, or one of reading ``problems``.
    """
    return await _Schedule(work, policies, guard, meters).run(problems)


class _Schedule(Generic[T]):
    """The problems that are open, and what became of the others."""

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
            await self._room()
            if self._guard.reason is not None:
                return
            try:
                problem = next(rest)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001 - a bad row far down, say; raised once all calls have ended
                self._stop(error)
                return
            await self._start(problem)

    async def _room(self) -> None:
        """Wait until no call queues and a server has a free place; at most one open problem for each place there is."""
        most = sum(policy.concurrency for policy in self._policies)
        while (
            any(policy.backlog for policy in self._policies)
            or not any(policy.free for policy in self._policies)
            or len(self._open) >= most
        ):
            await self._change()

    async def _start(self, problem: T) -> None:
        """Start a problem; until it has asked for something or ended, nobody can tell how much room it leaves."""
        self._meters.problems += 1
        arrivals = self._meters.arrivals
        task = asyncio.create_task(self._guarded(problem))
        self._open.add(task)
        task.add_done_callback(self._ended)
        while not task.done() and self._meters.arrivals == arrivals:
            await self._change()

    async def _guarded(self, problem: T) -> None:
        try:
            await self._work(problem)
            self._meters.finished += 1
        except PolicyUnavailable as error:
            self._meters.unfinished += 1
            self._unfinished.append(f"{problem.name or problem.id}: {error}")
        except RunStopped:
            self._meters.unfinished += 1
        except Exception as error:  # noqa: BLE001 - raised once all calls in flight have ended
            self._stop(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Wakes `_room` only now: a problem that is about to end still counts as open.
        self._open.discard(task)
        self._meters.touch()

    def _stop(self, error: Exception) -> None:
        self._fatal.append(error)
        self._guard.stop(f"an error: {error}")

    async def _change(self) -> None:
        self._meters.changed.clear()
        await self._meters.changed.wait()
