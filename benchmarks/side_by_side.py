"""Timing of two alternatives in turns in one process: medians and the spread of their ratio."""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping

# Before torch is imported: threads that spin while they wait cost others their core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Timed = Mapping[str, Callable[[], object]]


def cpu_seconds(call: Callable[[], object]) -> float:
    """Processor time of this process for one call: what other processes take does not count."""
    start = time.process_time()
    call()
    return time.process_time() - start


def in_turns(ways: Timed, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each way, ``repeats`` times in turns, after one call of each that does not count."""
    for call in ways.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, call in ways.items():
            seconds[name].append(cpu_seconds(call))
    return seconds


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Returns the speedup of ``fast``: median, lowest and highest over neighbors in time."""
    ratios = [one / other for one, other in zip(slow, fast, strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 2),
        "lowest": round(min(ratios), 2),
        "highest": round(max(ratios), 2),
    }


def report(name: str, results: object) -> None:
    """The last line of a benchmark: JSON with what it ran on."""
    import torch  # noqa: PLC0415  after the environment variable

    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "load": round(os.getloadavg()[0], 2)}
    print(json.dumps({"benchmark": name, "machine": machine, "results": results}))
