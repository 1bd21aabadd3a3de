"""Pool of interpreters: at most so many sandboxes at a time, each of which serves one conversation after the other.

A conversation has a kernel from its first call to its end. Where all sandboxes are in use, the kernel that was idle for
longest is ended, and its conversation gets a fresh one at its next call, in which its earlier calls run once more,
unseen, to have its variables again. So a call must follow from those before it: what depends on the clock or on chance
may come out differently there. Recorded outputs are never made again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tools.config import InterpreterConfig
from tools.interpreter import Interpreter, InterpreterFault, Output
from tools.sandbox import SandboxLaunch, launch_of


@dataclass(eq=False)
class _Place:
    """The kernel of one conversation. ``ran``: the calls that it holds the variables of."""

    interpreter: Interpreter
    ran: int = 0
    in_use: bool = True


@dataclass
class PoolCounts:
    """Counts: sandboxes started, kernels in them, kernels ended for others, calls, and earlier calls that ran again."""

    sandboxes: int = 0
    kernels: int = 0
    evicted: int = 0
    calls: int = 0
    repeated: int = 0


class InterpreterPool:
    """Interpreters by conversation.

    Raises LemmataError where no sandbox works.
    """

    def __init__(self, config: InterpreterConfig) -> None:
        self.config = config
        self.launch: SandboxLaunch = launch_of(config)
        self.counts = PoolCounts()
        self._places: dict[str, _Place] = {}  # the one used longest ago first
        self._free: list[Interpreter] = []  # sandboxes without a kernel
        self._starting = 0
        self._changed = asyncio.Condition()
        self._turns: dict[str, asyncio.Lock] = {}

    @property
    def size(self) -> int:
        """Number of sandboxes that exist or start."""
        return len(self._places) + len(self._free) + self._starting

    async def run(self, conversation: str, earlier: Sequence[str], code: str) -> Output:
        """The output of ``code`` after ``earlier`` codes, all those since the variables were last lost.

        The calls of one conversation run one after the other.
        """
        async with self._turns.setdefault(conversation, asyncio.Lock()):
            try:
                place = await self._place(conversation)
            except InterpreterFault as error:
                return Output("died", f"[{error}]", 0.0)
            try:
                return await self._run(place, earlier, code)
            finally:
                await self._give_back(conversation, place)

    async def _run(self, place: _Place, earlier: Sequence[str], code: str) -> Output:
        for past in earlier[place.ran :]:
            self.counts.repeated += 1
            output = await place.interpreter.run(past, self.config.seconds)
            if output.lost:
                return Output("died", "[the variables of the earlier calls could not be made again]", 0.0)
        self.counts.calls += 1
        output = await place.interpreter.run(code, self.config.seconds)
        place.ran = len(earlier) + 1
        return output

    async def _place(self, conversation: str) -> _Place:
        """The place of a conversation, taken; a new one where it has none, once there is room."""
        async with self._changed:
            place = self._places.pop(conversation, None)
            if place is not None:
                place.in_use = True
                self._places[conversation] = place  # used last
                return place
            await self._changed.wait_for(
                lambda: self._free or self.size < self.config.kernels or self._idle() is not None
            )
            taken = self._free.pop() if self._free else None
            idle = self._idle() if taken is None and self.size >= self.config.kernels else None
            evicted = self._places.pop(idle) if idle is not None else None
            self._starting += 1
        try:
            if evicted is not None:
                self.counts.evicted += 1
                taken = evicted.interpreter
            place = _Place(await self._fresh(taken, has_kernel=evicted is not None))
            self._places[conversation] = place
            return place
        finally:
            async with self._changed:
                self._starting -= 1
                self._changed.notify_all()

    async def _fresh(self, taken: Interpreter | None, *, has_kernel: bool) -> Interpreter:
        """A sandbox with a fresh kernel: ``taken``, or another one where it is None or does not go on."""
        if taken is not None:
            try:
                if has_kernel:
                    await taken.end()
                return await self._begun(taken)
            except InterpreterFault:
                pass  # it is closed
        self.counts.sandboxes += 1
        return await self._begun(await Interpreter.start(self.launch, self.config))

    async def _begun(self, interpreter: Interpreter) -> Interpreter:
        await interpreter.begin()
        self.counts.kernels += 1
        return interpreter

    def _idle(self) -> str | None:
        return next((name for name, place in self._places.items() if not place.in_use), None)

    async def _give_back(self, conversation: str, place: _Place) -> None:
        async with self._changed:
            place.in_use = False
            if place.interpreter.closed:
                self._places.pop(conversation, None)
            self._changed.notify_all()

    async def end(self, conversation: str) -> None:
        """End the kernel of a conversation that needs it no more; its sandbox is free for another one."""
        self._turns.pop(conversation, None)
        async with self._changed:
            place = self._places.pop(conversation, None)
            if place is None:
                return
            self._starting += 1  # it is no conversation's while its kernel ends
        try:
            if place.in_use:
                await place.interpreter.close()  # a call that was given up: its answer may still arrive
            elif not place.interpreter.closed:
                await place.interpreter.end()
                self._free.append(place.interpreter)
        except InterpreterFault:
            pass  # closed, and another one takes its place
        finally:
            async with self._changed:
                self._starting -= 1
                self._changed.notify_all()

    async def close(self) -> None:
        """End all sandboxes."""
        await asyncio.gather(*(place.interpreter.close() for place in self._places.values()))
        await asyncio.gather(*(interpreter.close() for interpreter in self._free))
        self._places.clear()
        self._free.clear()
