"""Pairwise selection: the best proofs compared two by two by a judge, in both orders (GenSelect).

Judges favor a position, so a pair is decided only where the same proof is preferred in both orders.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, permutations

from core.records import Comparison, Proof
from policy.interface import gather_all
from policy.recorder import Recorder
from refine.assess import Assessed
from refine.config import RefineConfig
from refine.select import Standing, by_mean
from verifier.comparison import Comparer

# Counts of `pair_counts`.
PAIRS, DECIDED, FIRST, SECOND = "pairs", "pairs decided", "first preferred", "second preferred"


def candidates(pool: Sequence[Assessed], most: int) -> list[Assessed]:
    """The proofs that are compared: the accepted ones where there are any, else all; the ``most`` best by the mean.

    Identical proofs are one candidate.
    """
    distinct: dict[str, Assessed] = {}
    for entry in pool:
        if entry.text_digest is not None:
            distinct.setdefault(entry.text_digest, entry)
    accepted = [entry for entry in distinct.values() if entry.decision.accepted]
    return sorted(accepted or distinct.values(), key=by_mean, reverse=True)[:most]


def margins(comparisons: Iterable[Comparison]) -> dict[tuple[str, str], int]:
    """For every compared pair, its ids in order, the number of votes for the first one minus those for the second.

    The comparisons number i in the two orders are a vote where both prefer the same proof. All else is none: an answer
    that prefers a position, a tie, a missing verdict.
    """
    preferred = {(one.first_id, one.second_id, one.index): one.preferred for one in comparisons}
    votes: Counter[tuple[str, str]] = Counter()
    for (first, second, index), chosen in preferred.items():
        pair = (min(first, second), max(first, second))
        votes[pair] += 0
        if first == pair[0] and chosen is not None and chosen == preferred.get((second, first, index)):
            votes[pair] += 1 if chosen == first else -1
    return dict(votes)


def pair_counts(comparisons: Sequence[Comparison]) -> Counter[str]:
    """Numbers of compared pairs of one problem, of those that are decided, and of preferences by position."""
    known = margins(comparisons)
    positions = Counter({FIRST: 0, SECOND: 0})
    for one in comparisons:
        positions[FIRST] += one.score == 1.0
        positions[SECOND] += one.score == 0.0
    return positions + Counter({PAIRS: len(known), DECIDED: sum(margin != 0 for margin in known.values())})


def standings(names: Sequence[str], comparisons: Iterable[Comparison]) -> dict[str, Standing]:
    """The standing of each of ``names`` by the comparisons of every two of them."""
    known = margins(comparisons)
    found = dict.fromkeys(names, Standing())
    for left, right in combinations(sorted(names), 2):
        margin = known.get((left, right), 0)
        found[left], found[right] = _add(found[left], margin), _add(found[right], -margin)
    return found


def _add(standing: Standing, margin: int) -> Standing:
    won, lost = standing.won + (margin > 0), standing.lost + (margin < 0)
    return Standing(won, lost, standing.undecided + (margin == 0))


async def compare(
    recorder: Recorder, comparer: Comparer, pool: Sequence[Assessed], config: RefineConfig
) -> dict[str, Standing]:
    """The standings of the candidates of ``pool``, after comparing every two of them in both orders."""
    names = [entry.proof_id for entry in candidates(pool, config.candidates)]
    proofs = [proof for name in names if isinstance(proof := recorder.log.get(name), Proof)]

    async def ask(first: Proof, second: Proof) -> list[Comparison]:
        return await comparer.compare(recorder, first=first, second=second, indices=range(config.comparisons))

    asked = await gather_all(ask(*pair) for pair in permutations(proofs, 2))
    return standings(names, [one for part in asked for one in part])
