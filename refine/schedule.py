"""Overlaps problems so that the servers are always full, without holding more problems in memory than that takes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

from policy.guard import Guard
from policy.interface import PolicyUnavailable, RunStopped
from policy.meters import Meters
from policy.throttle import Throttle
from proofs.records import Problem

Work = Callable[[Problem], Awaitable[None]]


async def run_problems(
    problems: Iterable[Problem], work: Work, policies: Sequence[Throttle], guard: Guard, meters: Meters
) -> list[str]:
    """Run ``work`` on every problem; returns what kept problems unfinished, one line each.

    A problem whose calls failed after all retries stays unfinished while the others go on. An error that no call can
    work around stops the run; calls in flight are finished and kept.

    Raises:
        LemmataError: such an error.
    """
    unfinished: list[str] = []
    fatal: list[BaseException] = []

    async def guarded(problem: Problem) -> None:
        try:
            await work(problem)
            meters.finished += 1
        except PolicyUnavailable as error:
            unfinished.append(f"{problem.name or problem.id}: {error}")
        except RunStopped:
            meters.unfinished += 1
        except Exception as error:  # noqa: BLE001 - raised again below, once all calls in flight have ended
            fatal.append(error)
            guard.stop(f"an error: {error}")
        finally:
            meters.touch()

    open_tasks: set[asyncio.Task[None]] = set()
    try:
        for problem in problems:
            await _room(policies, open_tasks, meters)
            if guard.reason is not None:
                break
            meters.problems += 1
            await _start(guarded(problem), open_tasks, meters)
    except Exception as error:  # a bad row far down in the problem set, say
        guard.stop(f"an error: {error}")
        raise
    finally:
        await asyncio.gather(*open_tasks)
    if fatal:
        raise fatal[0]
    meters.unfinished += len(unfinished)
    return unfinished


async def _start(work: Coroutine[None, None, None], open_tasks: set[asyncio.Task[None]], meters: Meters) -> None:
    """Start a problem; until it has asked for something or ended, nobody can tell how much room it leaves."""
    arrivals = meters.arrivals
    task = asyncio.create_task(work)
    open_tasks.add(task)
    task.add_done_callback(open_tasks.discard)
    while not task.done() and meters.arrivals == arrivals:
        await _change(meters)


async def _room(policies: Sequence[Throttle], open_tasks: set[asyncio.Task[None]], meters: Meters) -> None:
    """Wait until no call queues and some server has a free place; at most one open problem for each place there is."""
    most = sum(policy.concurrency for policy in policies)
    while (
        any(policy.backlog for policy in policies)
        or not any(policy.free for policy in policies)
        or len(open_tasks) >= most
    ):
        await _change(meters)


async def _change(meters: Meters) -> None:
    meters.changed.clear()
    await meters.changed.wait()
