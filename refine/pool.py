"""The pool of judged proofs: ranking, merging identical proofs, pairing with analyses. Pure functions, seeded."""

import random
from collections.abc import Collection, Sequence
from dataclasses import replace

from refine.acceptance import AcceptanceConfig, decide
from refine.assess import Assessed
from verifier.aggregate import Judged, tally, validity

Pair = tuple[str, str]


def merge_identical(pool: Sequence[Assessed], config: AcceptanceConfig) -> list[Assessed]:
    """One entry for each text: the earliest proof of that text, with the analyses of all of them counted together."""
    merged: dict[str, Assessed] = {}
    for entry in pool:
        key = entry.text_digest or entry.proof_id
        known = merged.get(key)
        if known is None:
            merged[key] = entry
        else:
            judged = known.judged + entry.judged
            merged[key] = replace(known, judged=judged, tally=tally(judged, config), decision=decide(judged, config))
    return list(merged.values())


def ranked(pool: Sequence[Assessed]) -> list[Assessed]:
    """Best first: by mean, then self-score, then number of verdicts; the earliest wins a tie.

    Entries without a proof are left out.
    """

    def key(entry: Assessed) -> tuple[float, float, int]:
        mean, claim = entry.tally.mean, entry.self_score
        return (-1.0 if mean is None else mean, -1.0 if claim is None else claim, entry.tally.verdicts)

    return sorted((entry for entry in pool if entry.text_digest is not None), key=key, reverse=True)


def pairings(top: Sequence[Assessed], pairs: int, used: Collection[Pair], confirm_at: float, seed: int) -> list[Pair]:
    """Up to ``pairs`` analyses for each proof of ``top``, as (proof id, analysis id).

    Pairs not yet ``used`` come first, then analyses that reviews have not refuted, then those that report issues
    (lowest score first); the rest of the order is drawn with ``seed``.
    """
    chosen: list[Pair] = []
    for entry in top:
        generator = random.Random(f"{seed}:{entry.proof_id}")

        def key(judged: Judged, proof_id: str = entry.proof_id, draw: random.Random = generator) -> tuple:
            refuted = validity(judged, confirm_at) == "refuted"
            return ((proof_id, judged.analysis_id) in used, refuted, judged.score, draw.random())

        readable = sorted((judged for judged in entry.judged if judged.score is not None), key=key)
        chosen += [(entry.proof_id, judged.analysis_id) for judged in readable[:pairs]]
    return chosen
