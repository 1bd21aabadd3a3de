"""Overhead of the proof loop: requests per second and memory against a server that answers immediately.

    python -m benchmarks.overhead problems=FILE [limit=N] [repeats=N]

Each problem gets one proof and one analysis, through the whole loop and command line, with its store. Beside it, in
turns, a bare script with the ``openai`` client that sends the same prompts with the same concurrency and keeps nothing.
The last line is JSON.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import openai

from core.problems import load_problems
from core.templates import Templates

CONCURRENCY = 64
SETTINGS = (
    "refine.proofs=1",
    "refine.rounds=1",
    "judge.analyses=1",
    "judge.reviews=0",
    "judge.acceptance.min_verdicts=1",
    f"policy.concurrency={CONCURRENCY}",
)


def start_server() -> tuple[subprocess.Popen[str], str]:
    """A fake server in a process of its own, and its base URL."""
    process = subprocess.Popen([sys.executable, "-m", "tests.fake_server"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{int(process.stdout.readline())}/v1"


def resident_mebibytes(pid: int) -> float:
    """Resident memory of a process now; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * 4096 / 2**20


def run_loop(problems: str, limit: int, url: str, folder: Path) -> tuple[float, list[tuple[int, float]]]:
    """Requests a second by the run's own metrics, and (problems finished, resident memory) once a second."""
    command = [sys.executable, "-m", "lemmata", "refine", f"problems={problems}", f"limit={limit}", f"run={folder}"]
    command += ["policy=endpoint", f"policy.base_url={url}", "policy.model=fake", "progress.seconds=1", *SETTINGS]
    memory: list[tuple[int, float]] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory.append((last_metrics(folder).get("finished", 0), resident_mebibytes(process.pid)))
            time.sleep(1)
    last = last_metrics(folder)
    assert last["finished"] == last["problems"], last
    seconds = last["completion_tokens"] / last["tokens_per_second"]
    return last["samples"] / seconds, [(finished, value) for finished, value in memory if value]


def last_metrics(folder: Path) -> dict[str, Any]:
    """The newest line of a run's metrics; empty before the first."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1]) if lines else {}


async def run_bare(prompts: list[str], url: str) -> float:
    """Requests a second of a script that only sends."""
    client = openai.AsyncOpenAI(base_url=url, api_key="none")
    places = asyncio.Semaphore(CONCURRENCY)

    async def ask(prompt: str) -> None:
        async with places:
            await client.chat.completions.create(model="fake", messages=[{"role": "user", "content": prompt}])

    started = time.monotonic()
    await asyncio.gather(*(ask(prompt) for prompt in prompts))
    seconds = time.monotonic() - started
    await client.close()
    return len(prompts) / seconds


def main() -> None:
    """Run both in turns and print the ratio."""
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    problems, limit, repeats = options["problems"], int(options.get("limit", 10000)), int(options.get("repeats", 3))
    templates = Templates.load()
    server, url = start_server()
    try:
        statements = [problem.statement for problem in islice(load_problems(problems), min(limit, 1000))]
        prompts = [templates.proof(statement) for statement in statements for _ in range(2)]
        loops, bares, memory = [], [], []
        for number in range(repeats):
            with tempfile.TemporaryDirectory() as folder:
                rate, memory = run_loop(problems, limit, url, Path(folder) / "run")
            loops.append(rate)
            bares.append(asyncio.run(run_bare(prompts, url)))
            print(f"turn {number + 1}: loop {loops[-1]:.0f} requests/s, bare openai script {bares[-1]:.0f} requests/s")
    finally:
        server.kill()
    ratios = [loop / bare for loop, bare in zip(loops, bares, strict=True)]
    total = memory[-1][0]
    parts = [
        next(round(value) for finished, value in memory if finished >= total * part) for part in (0.1, 0.25, 0.5, 0.75)
    ]
    result = {
        "loop_requests_per_second": [round(rate) for rate in loops],
        "bare_requests_per_second": [round(rate) for rate in bares],
        "ratio": round(statistics.median(ratios), 2),
        "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "resident_mebibytes_at_10_25_50_75_100_percent": [*parts, round(memory[-1][1])],
        "resident_mebibytes_peak": round(max(value for _, value in memory)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
