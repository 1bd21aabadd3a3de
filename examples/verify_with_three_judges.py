"""Verify one proof with three judges and accept it only if all three accept it.

    python examples/verify_with_three_judges.py
    python examples/verify_with_three_judges.py http://a:8000/v1=MODEL-A http://b:8000/v1=MODEL-B http://c:8000/v1=MODEL-C

Without arguments the shipped model judges three times, at three temperatures. Such judges share their blind spots;
three different models do not.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import lemmata

STATEMENT = "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."
PROOF = (
    "Here 11 - 9 = 2.\n"
    "We have x^2 + 6x + 11 = x^2 + 6x + 9 + 2 = (x + 3)^2 + 2.\n"
    "Since squares are nonnegative, (x + 3)^2 + 2 >= 2.\n"
    "Therefore the claim is true."
)


def judges(arguments: list[str]) -> dict[str, Mapping[str, Any]]:
    """Arguments of ``averify`` for each judge by its name."""
    if not arguments:
        temperatures = (0.3, 0.6, 1.0)
        return {f"shipped at {t}": {"policy": "shipped", "config": {"verifier.temperature": t}} for t in temperatures}
    servers = [argument.rpartition("=") for argument in arguments]
    return {f"{model} at {url}": {"policy": url, "model": model} for url, _, model in servers}


async def verify_by_all(wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, lemmata.Verification]:
    """The verification of each judge; all judge side by side."""
    found = await asyncio.gather(*(lemmata.averify(STATEMENT, PROOF, **choice) for choice in wanted.values()))
    return dict(zip(wanted, found, strict=True))


def main(arguments: list[str]) -> None:
    """Print the verdicts of every judge, and the joint one."""
    found = asyncio.run(verify_by_all(judges(arguments)))
    for name, verification in found.items():
        scores = [
            "no verdict" if analysis.score is None else f"{analysis.score:g}" for analysis in verification.analyses
        ]
        print(f"{name}: {', '.join(scores)}; {'accepted' if verification.accepted else 'not accepted'}")
    accepted = all(verification.accepted for verification in found.values())
    print(f"all judges together: {'accepted' if accepted else 'not accepted'}")


if __name__ == "__main__":
    main(sys.argv[1:])
