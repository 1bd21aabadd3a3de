"""Proofs of the lab checked per second on one core, by family and level.

    python -m benchmarks.lab_checker [theorems] [repeats]

Half of the texts are written derivations, half have one number changed. Processor time, so other work on the machine
counts less; the best of ``repeats``. The first line times a fixed loop, to compare machines: a quiet core of 2024 needs
about 0.4 s. The last line in JSON.
"""

import json
import random
import re
import sys
import time
from collections.abc import Callable

from lab import HELD_OUT_LEVEL, LEVELS, Theorem, check, families, generate

NUMBER = re.compile(r"[0-9]+")


def best(work: Callable[[], object], repeats: int) -> float:
    """The least processor time of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def changed(rng: random.Random, text: str) -> str:
    """The text with one number one larger."""
    place = rng.choice(list(NUMBER.finditer(text)))
    return f"{text[: place.start()]}{int(place[0]) + 1}{text[place.end() :]}"


def texts(family: str, level: int, theorems: int) -> list[tuple[Theorem, str]]:
    """Theorems with a text each, every second one changed."""
    rng = random.Random(level)
    found = []
    for seed in range(theorems):
        theorem = generate(family, level, seed, "test" if level == HELD_OUT_LEVEL else "train")
        text = theorem.derivation
        found.append((theorem, changed(rng, text) if seed % 2 else text))
    return found


def main() -> None:
    """Prints the table."""
    theorems, repeats = ([int(argument) for argument in sys.argv[1:]] + [200, 3][len(sys.argv) - 1 :])[:2]
    loop = best(lambda: sum(number * number for number in range(10_000_000)), repeats)
    print(f"ten million squares: {loop:.2f} s")
    rates: dict[str, list[int]] = {}
    for family in families():
        rates[family] = []
        for level in LEVELS:
            drawn = texts(family, level, theorems)
            seconds = best(lambda drawn=drawn: [check(theorem, text) for theorem, text in drawn], repeats)
            rates[family].append(round(theorems / seconds))
        print(f"{family:14s}", *(f"{rate:6d}" for rate in rates[family]), "proofs a second, levels 1 to 6")
    print(json.dumps({"loop_seconds": round(loop, 3), "proofs_per_second": rates}))


if __name__ == "__main__":
    main()
