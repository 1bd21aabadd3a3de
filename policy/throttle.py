"""Throttle: a policy behind a limit on concurrent calls, checked by the guard and counted by the meters."""

import asyncio
from collections.abc import Sequence

from typing_extensions import override

from core.records import ToolOutput, Usage
from policy.guard import Guard
from policy.interface import Completion, Policy, PolicyUnavailable, Prompt, PromptRefused, Sampling
from policy.meters import Meters
from policy.replay import Replay


class Throttle(Policy):
    """Policy with at most ``concurrency`` calls in flight; the others queue in order."""

    def __init__(self, policy: Policy, concurrency: int, guard: Guard, meters: Meters) -> None:
        self.policy = policy
        self.name = policy.name
        self.concurrency = concurrency
        self._guard = guard
        self._meters = meters
        self._slots = asyncio.Semaphore(concurrency)
        self._in_flight = 0
        self._waiting = 0

    @property
    @override
    def samples_per_request(self) -> int:
        return self.policy.samples_per_request

    @property
    def backlog(self) -> int:
        """Calls that queue."""
        return self._waiting

    @property
    def free(self) -> int:
        """Further calls that could start now."""
        return self.concurrency - self._in_flight

    def recorded_output(self, record_id: str) -> ToolOutput | None:
        """The output of a tool in the run that the policy replays; None where it replays none."""
        return self.policy.recorded_output(record_id) if isinstance(self.policy, Replay) else None

    @override
    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        self._meters.arrivals += 1
        self._count(waiting=1)
        try:
            await self._slots.acquire()
        finally:
            self._count(waiting=-1)
        try:
            self._guard.check()
            self._count(in_flight=1)
            try:
                return self._count_answers(await self.policy.sample(prompts, sampling))
            finally:
                self._count(in_flight=-1)
        except PromptRefused:
            raise  # one prompt alone: the others go on
        except PolicyUnavailable as error:
            self._guard.failed(error)
            raise
        except Exception as error:
            # At once, before the error reaches the caller through the other calls of the problem.
            self._guard.stop(f"an error: {error}")
            raise
        finally:
            self._slots.release()

    def _count_answers(self, answers: list[list[Completion]]) -> list[list[Completion]]:
        usages = [completion.usage for group in answers for completion in group if completion.usage is not None]
        usage = sum(usages, start=Usage()) if usages else None
        self._meters.calls += 1
        self._meters.samples += sum(map(len, answers))
        self._meters.usage += usage or Usage()
        self._guard.succeeded(usage)
        return answers

    def _count(self, waiting: int = 0, in_flight: int = 0) -> None:
        self._waiting += waiting
        self._in_flight += in_flight
        self._meters.waiting += waiting
        self._meters.in_flight += in_flight
        self._meters.touch()

    @override
    async def close(self) -> None:
        await self.policy.close()
