"""Admission of calls to one server: pauses, a paced rate, and a limit on concurrent calls that adapts (AIMD).

A server that takes no more calls (HTTP 429) pauses as a whole. Its rate is then paced at a share of the rate that it
has accepted, pause included, and the limit on concurrent calls falls to a share of those that it holds; both grow again
with every accepted call, the limit also with time. A server that fails is paused too, and probed with one call at a
time. Times are seconds of any monotonic clock.
"""

from dataclasses import dataclass, field
from math import inf

DECREASE = 0.8  # share of the measured rate, and of the calls held, after a rejection
INCREASE = 0.01  # share of the measured rate by which every accepted call raises the pace
PATIENT = 40  # accepted calls after which the pace grows by FAST of itself with each: there is more capacity
FAST = 0.05
MAX_GROWTH = 60.0  # seconds in which the limit grows by 1, at most
START = 8  # concurrent calls at the start; doubles with every RAMP seconds without a rejection
RAMP = 0.1  # seconds
PROBE_GAP = 10.0  # seconds after which a failed server that keeps a probe waiting gets another one


@dataclass(eq=False)
class Window:
    """Calls that started between two decreases, and the window before."""

    start: float
    before: "Window | None" = None
    sent: int = 0
    rejected: int = 0

    @property
    def accepted(self) -> int:
        """Calls not rejected; those in flight are presumed accepted."""
        return self.sent - self.rejected


@dataclass
class ServerGate:
    """State of one server. ``most``: the configured limit on concurrent calls."""

    most: int
    in_flight: int = 0
    limit: float = field(init=False)
    rate: float = inf  # calls per second
    paused_until: float = -inf
    rejections: int = 0  # in a row
    failures: int = 0  # in a row
    pauses: int = 0  # in a row, because of failures
    _current: Window = field(default_factory=lambda: Window(inf))
    _measured: Window | None = None  # where the rate was measured; None before the first rejection
    _peak: float = inf  # rate at the last rejection
    _since: int = 0  # calls accepted since
    _next: float = -inf  # earliest start of the next call
    _started: float = -inf  # start of the latest call
    _held: int = 0  # calls that the server held at the last rejection
    _growth: float = 1.0  # seconds in which the limit grows by 1

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    def delay(self, now: float) -> float:
        """Seconds until a call may start; 0: now; infinity: once another call ends."""
        wait = max(self.paused_until, self._next) - now
        if wait > 0:
            return wait
        if self.pauses and self.in_flight:
            return max(0.0, self._started + PROBE_GAP - now)
        if self._measured is None:
            return self._ramp(now)
        if self.in_flight < self.limit:
            return 0.0
        if self.in_flight >= self.most:
            return inf
        return max(0.0, self._current.start + (self.in_flight + 1 - self.limit) * self._growth - now)

    def _ramp(self, now: float) -> float:
        """Calls start in steps: a burst would be rejected as a whole by a server with a limit on its rate."""
        if self.in_flight >= self.most:
            return inf
        steps = (self.in_flight // START).bit_length()
        return max(0.0, self._current.start + steps * RAMP - now) if steps else 0.0

    def start(self, now: float) -> Window:
        """Count a call that starts; returns the window that `accept` and `reject` take."""
        if self._current.start == inf:
            self._current.start = now
        self.in_flight += 1
        self._current.sent += 1
        self._started = now
        self._next = now + 1 / self.rate
        return self._current

    def end(self) -> None:
        """Count a call that has ended."""
        self.in_flight -= 1

    def accept(self, window: Window) -> None:
        """The server took a call."""
        self.failures = self.pauses = 0
        if self._measured is None or window is not self._current:
            return
        self.rejections = 0
        self._since += 1
        self.rate += INCREASE * self._peak if self._since <= PATIENT else FAST * self.rate
        self.limit = min(self.most, self.limit + 1 / self.limit)

    def reject(self, window: Window, now: float, wait: float) -> None:
        """The server did not take a call of ``window``: pause it for ``wait`` seconds and slow down.

        Rejections of calls that started before the last decrease belong to that one.
        """
        window.rejected += 1
        self.paused_until = max(self.paused_until, now + wait)
        self._next = min(self._next, now + wait)
        if window is self._current:
            self._decrease(now, wait)
        else:
            self._held -= 1
            self.limit = max(1.0, min(self.limit, DECREASE * self._held))
        measured = self._measured
        while measured is not None and measured.accepted <= 0 and measured.before is not None:
            measured = measured.before
        if measured is not None:
            self._measured = measured
            self._peak = max(measured.accepted, 1) / max(now + wait - measured.start, 1e-6)
            self.rate = DECREASE * self._peak

    def _decrease(self, now: float, wait: float) -> None:
        held = self.in_flight - 1
        # As many calls as last time: the limit is on concurrent calls, so that the next trial comes later.
        is_same = self._measured is not None and abs(held - self._held) <= 1
        self._growth = min(MAX_GROWTH, 2 * self._growth) if is_same else max(1.0, min(wait, MAX_GROWTH))
        self._held = held
        self.limit = max(1.0, DECREASE * min(self.limit, held))
        if self._measured is None or self._current.accepted > 0:
            self._current.before = self._measured
            if self._measured is not None:
                self._measured.before = None
            self._measured = self._current
        self._current = Window(now)
        self._since = 0
        self.rejections += 1

    def fail(self, now: float, wait: float) -> None:
        """The server failed: start no call for ``wait`` seconds, and probe it then with one call at a time."""
        self.pauses += 1
        self.paused_until = max(self.paused_until, now + wait)
