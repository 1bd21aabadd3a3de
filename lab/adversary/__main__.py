"""Attacks on the checker by command: bogus proofs, mutation fuzz, the composing policy, hostile and valid texts.

    python -m lab.adversary bogus --per-level 60        # every bogus proof of 60 theorems of each family and level
    python -m lab.adversary fuzz --mutants 100000
    python -m lab.adversary policy --minutes 60 --state policy.npz    # goes on where it stopped
    python -m lab.adversary variants                    # acceptance of valid proofs in unusual words
    python -m lab.adversary costs                       # the hostile texts that cost most, and how much

Exit status 1 where the checker scored a text 1 that deserves less.
"""

import argparse
import math
import sys
from pathlib import Path

from lab.adversary.composer import attack_with_policy
from lab.adversary.fuzz import Findings, attack_with_bogus_proofs, fuzz
from lab.adversary.hostile import costs, unit
from lab.adversary.variants import acceptance


def main(arguments: list[str] | None = None) -> int:
    """Runs one attack and prints its findings."""
    parser = argparse.ArgumentParser(prog="python -m lab.adversary", description="Attacks on the checker.")
    parser.add_argument("attack", choices=("bogus", "fuzz", "policy", "variants", "costs"))
    parser.add_argument("--per-level", type=int, default=60, help="theorems of each family and level (bogus)")
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=10_000_000, help="texts that the policy writes")
    parser.add_argument("--minutes", type=float, default=math.inf, help="processor time of the policy's training")
    parser.add_argument("--state", type=Path, help="file that the policy is saved to, and goes on from (policy)")
    parser.add_argument("--seed", type=int, default=7_100_000)
    options = parser.parse_args(arguments)
    if options.attack == "variants":
        return print_acceptance()
    if options.attack == "costs":
        return print_costs(options.seed)
    if options.attack == "bogus":
        found = attack_with_bogus_proofs(options.per_level, options.seed)
        print(f"{found.fooled} of {found.theorems} theorems have a bogus proof that the checker scores 1")
    elif options.attack == "fuzz":
        found = fuzz(options.mutants, options.seed)
        print(f"{found.accepted} mutants scored 1")
    else:
        found = attack_with_policy(
            options.samples, options.seed, print_progress, minutes=options.minutes, state=options.state
        )
    return print_findings(found)


def print_progress(texts: int, mean_reward: float) -> None:
    """A line of the policy's training."""
    print(f"{texts} texts, mean reward {mean_reward:.3f}", flush=True)


def print_findings(found: Findings) -> int:
    """Counts, then examples."""
    wrong, raised = found.confirmed.total(), found.exceptions.total()
    print(f"{found.texts} texts, {wrong} of them scored 1 wrongly, {raised} exceptions")
    for kind, count in found.confirmed.most_common():
        print(f"    {kind}: {count}")
    for kind, statement, text, why in found.examples:
        print(f"\n{kind}: {why}\n    {statement}\n    " + text.replace("\n", "\n    "))
    return 1 if wrong or raised else 0


def print_acceptance() -> int:
    """Acceptance of the variants by family, and the first defect of each that is refused."""
    counts, refused = acceptance()
    for family, (accepted, total) in counts.items():
        print(f"{family:14s} {accepted} of {total}")
    accepted, total = (sum(numbers) for numbers in zip(*counts.values(), strict=True))
    print(f"{'all':14s} {accepted} of {total} ({accepted / total:.0%})\n")
    for variant, message in refused:
        print(f"{variant['family']}, {variant['form']}: {message}")
    return 0


def print_costs(seed: int) -> int:
    """The dearest hostile texts, in units of processor time and in milliseconds of this processor."""
    milliseconds = 1000 * min(unit() for _ in range(5))
    dearest = sorted(costs(3, seed), reverse=True)[:12]
    for spent, family, name in dearest:
        print(f"{spent:5.2f} units ({spent * milliseconds:5.1f} ms): {name}, {family}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
