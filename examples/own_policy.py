"""A policy of your own: any object with ``sample`` plays the roles; this one times the calls of another policy.

python examples/own_policy.py
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import lemmata
from policy.interface import Completion, Policy, Prompt, Sampling

STATEMENT = "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."


@dataclass
class Timed:
    """Calls another policy and records the seconds of every call."""

    inner: Policy
    name: str = "timed"
    seconds: list[float] = field(default_factory=list)

    @property
    def samples_per_request(self) -> int:
        """The largest ``n`` worth asking for: that of the inner policy."""
        return self.inner.samples_per_request

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """Completions of the inner policy."""
        started = time.monotonic()
        completions = await self.inner.sample(prompts, sampling)
        self.seconds.append(time.monotonic() - started)
        return completions

    async def close(self) -> None:
        """Nothing to release; the inner policy belongs to the caller."""


def main() -> None:
    """Refine a problem with the timed policy."""
    with lemmata.Engine("shipped") as engine:
        policy = Timed(engine)
        config = {"prompts": "lab", "sampling.temperature": 0.6, "sampling.max_tokens": 512, "refine.rounds": 2}
        result = lemmata.refine(STATEMENT, policy=policy, config=config)
    calls = f"{len(policy.seconds)} calls, {sum(policy.seconds):.1f} s in them"
    print(f"{'accepted' if result.accepted else 'not accepted'}: {calls}; {result.reason}")


if __name__ == "__main__":
    main()
