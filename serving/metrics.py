"""Metrics of the server in Prometheus's text format, with vLLM's names after ``lemmata:``."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from model.engine import Request
from model.engine.engine import EngineLoad

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Histogram:
    """Counts of observed seconds by upper bound."""

    def __init__(self, name: str, about: str) -> None:
        self._name, self._about = name, about
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Adds one observation."""
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def lines(self) -> Iterator[str]:
        """Yields the lines of the text format; each count includes those of lower bounds."""
        yield from _head(self._name, "histogram", self._about)
        for bound, count in zip((*SECONDS, "+Inf"), accumulate(self._counts), strict=True):
            yield f'{self._name}_bucket{{le="{bound}"}} {count}'
        yield f"{self._name}_sum {self._sum!r}"
        yield f"{self._name}_count {sum(self._counts)}"


class RequestTimer:
    """Times of one request from its arrival; ``ServerMetrics.finish`` takes it when the request ends."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.first_token: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the request's arrival."""
        return time.monotonic() - self._start

    def note_progress(self) -> None:
        """Notes that tokens have arrived; the first time is kept."""
        if self.first_token is None:
            self.first_token = self.elapsed


class ServerMetrics:
    """Counters and histograms of the requests since the start. All methods run in the server's event loop."""

    def __init__(self) -> None:
        self._tokens = Counter[str]()
        self._finished = Counter[str]()
        self._first_token = Histogram(
            "lemmata:time_to_first_token_seconds", "Time from a request's arrival to the first tokens of its stream."
        )
        self._latency = Histogram("lemmata:e2e_request_latency_seconds", "Time from a request's arrival to its end.")

    def finish(self, request: Request | None, timer: RequestTimer, *, streamed: bool) -> None:
        """Counts a request that has ended; None: it was canceled or failed before it could be added."""
        reasons = ["abort"] if request is None else [part.finish_reason or "abort" for part in request.completions]
        self._finished.update(reasons)
        if request is not None:
            self._tokens["prompt"] += len(request.prompt_ids)
            self._tokens["cached"] += request.cached_tokens or 0
            self._tokens["generated"] += sum(len(part.token_ids) for part in request.completions)
        if "abort" not in reasons:
            self._latency.observe(timer.elapsed)
        if streamed and timer.first_token is not None:
            self._first_token.observe(timer.first_token)

    def render(self, load: EngineLoad, requests: int) -> str:
        """Returns the text of all metrics. ``requests``: those that the server is answering now."""
        used = (load.pages - load.pages_available) / load.pages
        lines = [
            *_gauge("num_requests_running", "Completions that the engine computes.", load.running),
            *_gauge("num_requests_waiting", "Completions that wait for room in the engine.", load.waiting),
            *_gauge("num_http_requests", "Requests that the server is answering.", requests),
            *_gauge("kv_cache_usage_perc", "Used part of the KV cache, 1 for all of it.", used),
            *_counter("prompt_tokens", "Tokens of prompts of ended requests.", [("", self._tokens["prompt"])]),
            *_counter("prefix_cache_hits", "Those found in the prefix cache.", [("", self._tokens["cached"])]),
            *_counter("generation_tokens", "Generated tokens of ended requests.", [("", self._tokens["generated"])]),
            *_counter(
                "request_success",
                "Ended completions by reason; abort: canceled or failed.",
                [(f'{{finished_reason="{key}"}}', self._finished[key]) for key in ("stop", "length", "abort")],
            ),
            *self._first_token.lines(),
            *self._latency.lines(),
        ]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def _gauge(name: str, about: str, value: float) -> Iterator[str]:
    yield from _head(f"lemmata:{name}", "gauge", about)
    yield f"lemmata:{name} {value!r}"


def _counter(name: str, about: str, values: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield from _head(f"lemmata:{name}_total", "counter", about)
    for labels, value in values:
        yield f"lemmata:{name}_total{labels} {value}"
