"""Pool of interpreters under many conversations: latency of calls, memory of this process, sandboxes started.

    python -m benchmarks.tool_pool [conversations] [conversations at a time]

Each conversation makes three calls, of which the later ones need the variables of the earlier ones; all answers are
checked. Memory is the resident set of this process, without the sandboxes.
"""

import asyncio
import sys
import time
from pathlib import Path
from statistics import quantiles

from core.config import read_config
from lemmata.compose import compose
from tools.config import InterpreterConfig
from tools.pool import InterpreterPool

CODES = (
    "from sympy import *\nx = Symbol('x')\ny = {number}",
    "z = expand((x + y) ** 3)",
    "print(z.subs(x, 1) - (1 + y) ** 3)",
)


def memory() -> float:
    """Resident set of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def converse(pool: InterpreterPool, number: int, times: list[float]) -> None:
    """One conversation."""
    codes = [code.format(number=number) for code in CODES]
    text = ""
    for place, code in enumerate(codes):
        started = time.monotonic()
        output = await pool.run(str(number), codes[:place], code)
        times.append(time.monotonic() - started)
        assert output.status == "ok", output
        text = output.text
    assert text == "0\n"
    await pool.end(str(number))


async def measure(count: int, at_a_time: int) -> None:
    """Run all conversations and print what they took."""
    pool = InterpreterPool(read_config(InterpreterConfig, compose("refine", {})["interpreter"], "interpreter"))
    slots, times, marks = asyncio.Semaphore(at_a_time), list[float](), list[float]()

    async def one(number: int) -> None:
        async with slots:
            await converse(pool, number, times)
        if number % max(count // 5, 1) == 0:
            marks.append(memory())

    started = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(count)))
    seconds = time.monotonic() - started
    await pool.close()
    cuts = quantiles(times, n=20)
    print(f"{count} conversations, {len(times)} calls in {seconds:.0f} s, sandbox: {pool.launch.kind}; {pool.counts}")
    print(f"seconds of a call: median {cuts[9]:.3f}, 95th percentile {cuts[18]:.3f}")
    print(f"memory of this process, MiB: {', '.join(f'{mark:.0f}' for mark in marks)}")


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    asyncio.run(measure(*(numbers + [40, 4][len(numbers) :])))
