"""CPU per call of the whole loop and of a bare ``openai`` client, plain and streamed, in turns in one process.

    python -m benchmarks.client_overhead [problems=N] [repeats=N]

Each problem gets one proof and one analysis, through the loop with its store; beside it a bare client sends the same
prompts with the same concurrency and keeps nothing. The server is a process of its own. The last line is JSON.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import openai

from benchmarks.overhead import CONCURRENCY, start_server
from benchmarks.side_by_side import ratio
from core.templates import Templates
from lemmata.api import arefine_many
from tests.scripted import many_problems

FEW = 20  # problems of a run whose CPU (settings, templates, the client) is subtracted
SETTINGS = {
    "refine.proofs": 1,
    "refine.rounds": 1,
    "judge.analyses": 1,
    "judge.reviews": 0,
    "judge.acceptance.min_verdicts": 1,
    "policy.concurrency": CONCURRENCY,
}


async def run_loop(url: str, count: int, *, stream: bool) -> int:
    """The whole loop; returns the number of calls."""
    with tempfile.TemporaryDirectory() as folder:
        config = {**SETTINGS, "policy.stream": stream}
        await arefine_many(many_problems(count), policy=url, model="fake", config=config, run=Path(folder) / "run")
    return 2 * count


async def run_bare(url: str, count: int, *, stream: bool) -> int:
    """A client that only sends; returns the number of calls."""
    client = openai.AsyncOpenAI(base_url=url, api_key="none")
    places = asyncio.Semaphore(CONCURRENCY)
    templates = Templates.load()

    async def ask(prompt: str) -> None:
        async with places:
            message = {"role": "user", "content": prompt}
            if not stream:
                await client.chat.completions.create(model="fake", messages=[message])  # type: ignore[list-item]
                return
            usage = {"include_usage": True}
            chunks = await client.chat.completions.create(
                model="fake", messages=[message], stream=True, stream_options=usage  # type: ignore[list-item, arg-type]
            )  # fmt: skip
            _ = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])

    prompts = [templates.proof(problem.statement) for problem in many_problems(count) for _ in range(2)]
    await asyncio.gather(*map(ask, prompts))
    await client.close()
    return len(prompts)


def milliseconds_a_call(way: Callable[..., Coroutine[Any, Any, int]], url: str, count: int, *, stream: bool) -> float:
    """CPU of this process for one call, in milliseconds, without what a run of ``FEW`` problems takes."""
    seconds, calls = [], []
    for problems in (FEW, count):
        before = time.process_time()
        calls.append(asyncio.run(way(url, problems, stream=stream)))
        seconds.append(time.process_time() - before)
    return 1000 * (seconds[1] - seconds[0]) / (calls[1] - calls[0])


def main() -> None:
    """Measure both in turns and print the ratios."""
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    count, repeats = int(options.get("problems", 500)), int(options.get("repeats", 5))
    server, url = start_server()
    results = {}
    try:
        for stream in (False, True):
            for way in (run_loop, run_bare):
                asyncio.run(way(url, FEW, stream=stream))  # loads what is loaded once
            loops, bares = [], []
            for _ in range(repeats):
                loops.append(milliseconds_a_call(run_loop, url, count, stream=stream))
                bares.append(milliseconds_a_call(run_bare, url, count, stream=stream))
            name = "streamed" if stream else "plain"
            results[name] = {
                "loop_ms": [round(value, 2) for value in loops],
                "bare_ms": [round(value, 2) for value in bares],
                "loop_over_bare": ratio(loops, bares),
            }
            print(name, results[name])
    finally:
        server.kill()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
