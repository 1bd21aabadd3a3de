"""Gains of self-refinement by round, beside the same tokens spent on independent samples. Pure functions, no torch.

A chain that stopped keeps its last proof in later rounds. The best of N chains has the highest self-score; None is
below all scores, and the earliest chain wins a tie.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from math import comb
from typing import Any

from core.statistics import Estimate, Observation, difference, mean, share
from rl.report.record_files import Row, Rows, theorem

Chains = dict[Any, list[Row]]  # of each theorem, in the order of their numbers


def refinement_metrics(rows: Rows, rounds: int) -> list[dict[str, Any]]:
    """One entry for each of ``rounds``.

    ``pass@1`` of the chains; ``best`` of a theorem's N; ``since_first``: the gain over the first round; ``tokens``:
    mean number that a chain has written by that round; ``ratio``: these over the first round's; ``independent``: pass@1
    of the best by self-score of ``ratio`` independent first-round samples (`best_of_k`, mean over theorems); ``gain``:
    of refinement over it, paired by theorem. Both are None where the ratio exceeds the number of samples.
    """
    chains = grouped(rows)
    first, made = tokens_by(chains, 1), []
    passes_1, best_1 = _passes(chains, 1), _bests(chains, 1)
    for number in range(1, rounds + 1):
        tokens = tokens_by(chains, number)
        ratio = tokens / first if first else None
        passes, bests = _passes(chains, number), _bests(chains, number)
        baseline = None if ratio is None else independent(chains, ratio)
        made.append(
            {
                "round": number,
                "pass@1": share(passes, rows.source),
                "best": share(bests, rows.source),
                "since_first": difference(passes, passes_1, rows.source),
                "best_since_first": difference(bests, best_1, rows.source),
                "chains": max((len(group) for group in chains.values()), default=0),
                "tokens": tokens,
                "ratio": ratio,
                "independent": baseline and _without_spread_as_share(baseline, rows.source),
                "gain": baseline and difference(passes, baseline, rows.source),
            }
        )
    return made


def grouped(rows: Rows) -> Chains:
    """The chains of each theorem."""
    found: Chains = defaultdict(list)
    for place, row in enumerate(rows.rows):
        found[theorem(row, place)].append(row)
    return {key: sorted(group, key=lambda row: row["chain"]) for key, group in found.items()}


def at(chain: Row, number: int) -> Row:
    """The proof that a chain has after round ``number``, counted from 1."""
    return chain["rounds"][min(number, len(chain["rounds"])) - 1]


def best(chains: Sequence[Row], number: int) -> float:
    """1 where the best of a theorem's chains is complete after round ``number``, else 0."""
    return float(max((at(chain, number) for chain in chains), key=_self_score)["truth"] == 1)


def tokens_by(chains: Chains, number: int) -> float:
    """Mean number of tokens of a chain's first ``number`` rounds."""
    spent = [sum(one["tokens"] for one in chain["rounds"][:number]) for group in chains.values() for chain in group]
    return sum(spent) / len(spent) if spent else 0.0


def independent(chains: Chains, k: float) -> list[Observation] | None:
    """`best_of_k` of each theorem's first-round samples; None where a theorem has fewer than k."""
    if any(k > len(group) for group in chains.values()):
        return None
    firsts = {
        key: [(row["self_score"], row["truth"]) for row in (at(one, 1) for one in group)]
        for key, group in chains.items()
    }
    return [Observation(_cluster(chains, key), best_of_k(samples, k)) for key, samples in firsts.items()]


def best_of_k(samples: Sequence[tuple[float | None, float]], k: float) -> float:
    """Probability that the best by self-score of k of the (self-score, truth) ``samples`` is complete.

    Exact, over all subsets: sorted from best to worst, sample i of n is chosen by comb(n - 1 - i, k - 1) of the
    comb(n, k) subsets (the unbiased estimator of pass@k in Chen et al. 2021, for a choice in place of any success). A
    fractional k is interpolated linearly between its neighbors. Raises ValueError for k below 1 or above the number of
    samples.
    """
    count = len(samples)
    if not 1 <= k <= count:
        raise ValueError(f"k={k}: it is between 1 and the number of samples, {count}")
    ranked = sorted(samples, key=lambda sample: -1.0 if sample[0] is None else sample[0], reverse=True)
    low = int(k)
    value = _chance(ranked, low)
    return value if low == k else value + (k - low) * (_chance(ranked, low + 1) - value)


def _passes(chains: Chains, number: int) -> list[Observation]:
    return [
        Observation(_cluster(chains, key), float(at(chain, number)["truth"] == 1))
        for key, group in chains.items()
        for chain in group
    ]


def _bests(chains: Chains, number: int) -> list[Observation]:
    return [Observation(_cluster(chains, key), best(group, number)) for key, group in chains.items()]


def _cluster(chains: Chains, key: Hashable) -> Hashable:
    """The left side of a theorem, where the records have it."""
    return chains[key][0].get("left_side") or key


def _chance(ranked: Sequence[tuple[float | None, float]], k: int) -> float:
    count = len(ranked)
    chosen = sum(comb(count - 1 - place, k - 1) for place, (_, truth) in enumerate(ranked) if truth == 1)
    return chosen / comb(count, k)


def _self_score(proof: Row) -> float:
    return -1.0 if proof["self_score"] is None else proof["self_score"]


def _without_spread_as_share(observations: list[Observation], source: str) -> Estimate:
    """The mean; Wilson's interval where all chances are 0 or all are 1."""
    return (share if {one.value for one in observations} in ({0.0}, {1.0}) else mean)(observations, source)
