"""Waits of repeated calls: how long, how often, and for how long servers that do not answer are waited for."""

import random

from core.config import STRICT, Positive, settings


@settings(frozen=True, config=STRICT)
class RetryConfig:
    """``attempts`` of a call that fails while other calls are answered; then its prompt is set aside.

    Waits double from ``first_wait`` to ``max_backoff`` seconds, with jitter. A wait that the server asks for is honored
    up to ``max_retry_after`` seconds. Where no server answers at all, they are probed for ``patience`` seconds; then
    the run stops cleanly. Before a server's first response, a refused connection is attempted ``connect_attempts``
    times only, so that a wrong address is reported at once.
    """

    attempts: Positive
    connect_attempts: Positive
    first_wait: float
    max_backoff: float
    max_retry_after: float
    patience: float


class Backoff:
    """Waiting times with jitter from a seeded generator, which is separate from that of sampling."""

    def __init__(self, config: RetryConfig, seed: int = 0) -> None:
        self.config = config
        self._random = random.Random(seed)

    def wait(self, attempt: int, asked: float | None = None) -> float:
        """Seconds to wait after the failed ``attempt`` (counted from 1); ``asked``: the server's own wish."""
        if asked is not None:
            return min(asked, self.config.max_retry_after) * self._random.uniform(1.0, 1.05)
        longest = min(self.config.max_backoff, self.config.first_wait * 2 ** min(attempt - 1, 60))
        return self._random.uniform(0.5, 1.0) * longest
