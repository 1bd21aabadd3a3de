"""Generate with the in-process engine, then use the same loaded weights as the policy of the proof loop.

python examples/use_the_engine.py
python examples/use_the_engine.py FOLDER        (a DSA model in Hugging Face format)
"""

import sys
import time

import lemmata

STATEMENTS = [
    f"Prove or refute: x^2 + {2 * b}x + {b * b + 3} >= {c} for all real x." for b in (1, 2, 3) for c in (2, 4)
]


def main(model: str = "shipped") -> None:
    """Time a batch of completions, then refine one problem."""
    with lemmata.Engine(model, {"engine.max_num_seqs": 32}) as engine:
        started = time.monotonic()
        groups = engine.generate(STATEMENTS, n=4, temperature=0.6, max_tokens=64, seed=0)
        seconds = time.monotonic() - started
        tokens = sum(group[0].usage.completion_tokens for group in groups if group[0].usage)
        cached = sum(group[0].usage.cached_tokens for group in groups if group[0].usage)
        print(f"{sum(map(len, groups))} completions, {tokens} tokens in {seconds:.1f} s; {cached} prompt tokens cached")

        result = lemmata.refine(STATEMENTS[0], policy=engine, config={"refine.proofs": 2, "refine.rounds": 2})
        print(f"{result.problem.statement} {'accepted' if result.accepted else 'not accepted'}: {result.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
