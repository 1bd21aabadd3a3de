"""Plan of the comparison of signals that train a verifier, from one checkpoint at equal tokens. Pure.

| arm | signal |
|---|---|
| `signal-score` | reinforcement learning by R_format R_score |
| `signal-meta` | reinforcement learning by R_format R_score R_meta (DeepSeekMath-V2, section 2.1) |
| `signal-self` | self-trained verification: the verifier imitates itself shown a reference (arXiv 2605.30290) |
| `signal-both` | self-trained verification for half of the tokens, then R_format R_score R_meta |

All arms learn from the same cases with exact labels. The best by verify-and-refine on the validation stream then judges
the proofs of a prover that is trained in a loop with it, beside one that is trained as long without the loop.
"""

from collections.abc import Iterator
from dataclasses import replace

from rl.recipe.config import CotrainConfig, SignalsConfig
from rl.recipe.plan_parts import reinforce
from rl.recipe.step_types import (
    TEST_PROOFS,
    Analyze,
    Imitate,
    MeasureLoop,
    MeasureVerifier,
    Prove,
    SelectVerifier,
    Step,
    Train,
)

ARMS = ("signal-score", "signal-meta", "signal-self", "signal-both")
WINNER = "signal-winner"
LOOPS = ("loop-prover", "loop-control")
PROOFS, META = "signal-proofs", "signal-meta-verifier"


def signals(config: CotrainConfig, wanted: SignalsConfig) -> Iterator[Step]:
    """The steps of the arms, their measurement, the winner, and the prover in the loop."""
    score, meta, alone, both = ARMS
    yield Prove(PROOFS, "base", exact=True)
    *problems, rewarded = reinforce(
        config, Train(score, wanted.rl, "base", tables={"proofs": PROOFS}, budget=wanted.tokens)
    )
    assert isinstance(rewarded, Train)
    yield from (*problems, rewarded)
    yield Analyze("signal-analyses", "base", PROOFS, balance=True)
    yield from reinforce(config, Train(META, config.meta_verifier, "base", tables={"analyses": "signal-analyses"}))
    reviewed = replace(rewarded, judges={"meta_verifier": META})
    yield replace(reviewed, name=meta)
    yield from _imitation(alone, rewarded, wanted, wanted.tokens)
    first = f"{both}-self"
    yield from _imitation(first, rewarded, wanted, wanted.tokens // 2)
    yield replace(reviewed, name=both, start=first, spent=(f"{first}-examples", first))
    for arm in ("base", *ARMS):
        yield MeasureVerifier(f"verifier-test-{arm}", arm, "base", TEST_PROOFS)
    yield SelectVerifier(WINNER, ARMS, "base")
    if wanted.loop is not None:
        yield from _loop(wanted)


def _imitation(name: str, rewarded: Train, wanted: SignalsConfig, tokens: int) -> Iterator[Step]:
    """Self-trained verification by at most ``tokens`` tokens, those of sampling among them."""
    examples = f"{name}-examples"
    yield Imitate(examples, "base", rewarded, tokens=int(wanted.sampled * tokens))
    yield Train(name, wanted.sft, "base", tables={"examples": examples}, budget=tokens, spent=(examples,))


def _loop(wanted: SignalsConfig) -> Iterator[Step]:
    """A prover whose proofs are refined by the winner's analyses, and one without the loop, at equal tokens."""
    assert wanted.loop is not None
    looped = Train(LOOPS[0], wanted.loop, "base", judges={"verifier": WINNER}, budget=wanted.loop_tokens)
    yield replace(looped, data={"refine_by": "verifier"})
    yield replace(looped, name=LOOPS[1], data={"rounds": 1})
    for model in ("base", *LOOPS):
        yield MeasureLoop(f"loop-test-{model}", model, WINNER)
