"""Server pool: admits calls to the least-loaded server of one model, and pauses servers that fail or are busy."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from policy.faults import Busy, NotConnected, ServerFault, message_of
from policy.gate import ServerGate, Window
from policy.guard import Guard
from policy.meters import Meters
from policy.retry import Backoff, RetryConfig
from policy.transport import Transport

FAILED = 3  # failures in a row after which a server without a substitute is down


@dataclass(eq=False)
class Server:
    """One address with its load. ``last_reply``: its last error report, or how its last response broke off."""

    url: str
    transport: Transport
    gate: ServerGate
    calls: int = 0
    last_reply: str = ""


@dataclass(frozen=True, eq=False)
class ServerSlot:
    """A call's place at a server; ``window`` is what the server's gate counts it by."""

    server: Server
    window: Window


class Pool:
    """Distributes calls among servers, in the order in which they arrive.

    ``clock``: seconds since any fixed moment.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[Server],
        retry: RetryConfig,
        guard: Guard,
        meters: Meters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.servers = servers
        self.retry = retry
        self.answered_at: float | None = None  # by `clock`
        self.clock = clock
        self._guard = guard
        self._meters = meters
        self._backoff = Backoff(retry, seed=1)
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._silent_since: float | None = None  # first failure since the last answer
        guard.on_stop(self._changed.set)

    async def admit(self, avoided: Collection[Server] = ()) -> ServerSlot:
        """A place at a server, once one takes calls; ``avoided`` servers only where there is no other.

        Raises:
            RunStopped: the run stops before.
        """
        server = None if self._turn.locked() else self._ready(avoided)
        if server is None:
            async with self._turn:
                while (server := self._ready(avoided)) is None:
                    self._guard.check()
                    self._changed.clear()
                    await self._guard.sleep(min(self._delay(), 3600.0), self._changed)
        server.calls += 1
        return ServerSlot(server, server.gate.start(self.clock()))

    def _ready(self, avoided: Collection[Server]) -> Server | None:
        """Of the servers that take a call now: the one with the fewest calls in flight, then with the fewest so far."""
        now = self.clock()
        ready = [server for server in self.servers if server.gate.delay(now) <= 0]
        preferred = [server for server in ready if server not in avoided] or ready
        return min(preferred, key=lambda server: (server.gate.in_flight, server.calls), default=None)

    def _delay(self) -> float:
        now = self.clock()
        return min(server.gate.delay(now) for server in self.servers)

    def release(self, place: ServerSlot) -> None:
        """Give back a place."""
        place.server.gate.end()
        self._changed.set()

    def accepted(self, place: ServerSlot) -> None:
        """The server took a call and begins to answer."""
        place.server.gate.accept(place.window)
        self._silent_since = None
        self._meters.waiting_since.pop(self.name, None)

    def answered(self, place: ServerSlot) -> None:
        """The server gave a whole answer."""
        self.accepted(place)
        self.answered_at = self.clock()

    def busy(self, place: ServerSlot, fault: Busy) -> None:
        """Slow a server down that took no call."""
        gate = place.server.gate
        gate.reject(place.window, self.clock(), self._backoff.wait(max(1, gate.rejections), fault.wait))
        self._note_silence(fault)

    def failed(self, place: ServerSlot, fault: ServerFault) -> None:
        """Pause a server that failed: at once where it is down for certain, or others take its calls; else after a few.

        Calls that fail during a pause belong to the failure that it began with.
        """
        gate, now = place.server.gate, self.clock()
        if gate.paused_until <= now:
            gate.failures += 1
            is_down = isinstance(fault, NotConnected) or fault.wait is not None
            if is_down or len(self.servers) > 1 or gate.pauses or gate.failures >= FAILED:
                gate.fail(now, self._backoff.wait(gate.pauses + 1, fault.wait))
        self._note_silence(fault)

    def _note_silence(self, fault: ServerFault) -> None:
        """Stop the run where no server has answered for longer than the run's patience."""
        now = self.clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        silent = now - self._silent_since
        if all(server.gate.paused_until > now for server in self.servers):
            self._meters.waiting_since.setdefault(self.name, time.time() - silent)
        if silent >= self.retry.patience:
            urls = ", ".join(server.url for server in self.servers)
            self._guard.stop(
                f"no answer from {urls} for {silent:.0f} s (policy.retry.patience={self.retry.patience:g}), "
                f"the last error: {message_of(fault)}{_last_replies(self.servers, fault)}"
            )

    async def close(self) -> None:
        """Close the connections."""
        for server in self.servers:
            await server.transport.client.close()


def _last_replies(servers: Sequence[Server], fault: ServerFault) -> str:
    """The last replies of servers that take no connection now; empty where ``fault`` is a reply itself."""
    known = [server for server in servers if server.last_reply] if isinstance(fault, NotConnected) else []
    return "".join(f"; {server.url} answered last: {server.last_reply}" for server in known)
