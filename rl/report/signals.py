"""Estimates of the comparison of verifier signals: arms at equal tokens, and a prover in the loop. No torch.

Everything is against the exact truth. A proof is accepted where all analyses of it give 1.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.statistics import Estimate, Observation, difference, mean, share
from lab.planting.ways import group_of
from rl.recipe.config import SignalsConfig
from rl.recipe.signals import ARMS, LOOPS, WINNER
from rl.report.record_files import Row, Rows, cluster, read_object, read_rows

Found = dict[str, Any]


def signal_estimates(run: Path, config: SignalsConfig) -> Found:
    """``arms`` by name, ``loops`` by prover, and the ``winner`` with its validation, as far as they are measured."""
    arms = {arm: _arm(run, arm, config) for arm in ("base", *ARMS)}
    loops = {prover: _loop(run, prover, config) for prover in ("base", *LOOPS)}
    winner = read_object(run / "steps" / WINNER / "winner.json")
    found = {"arms": _known(arms), "loops": _known(loops), "winner": winner}
    return found if any(found.values()) else {}


def _known(found: Mapping[str, Found]) -> Found:
    return {name: values for name, values in found.items() if values}


def _arm(run: Path, arm: str, config: SignalsConfig) -> Found:
    step = f"verifier-test-{arm}"
    planted, real, chains = (
        read_rows(run, step, name) for name in ("verifier.jsonl", "verifier-real.jsonl", "verify-refine.jsonl")
    )
    if planted is None or real is None or chains is None:
        return {}
    return {
        "tokens": computed_tokens(run, arm),
        "budget": None if arm == "base" else config.tokens,
        "accuracy": share(_each(planted, lambda row: row["score"] == row["label"]), planted.source),
        "accuracy_real": share(_each(real, lambda row: row["score"] == row["label"]), real.source),
        "quality": mean(_each(planted, lambda row: row["quality"]), planted.source),
        "quality_real": mean(_each(real, lambda row: row["quality"]), real.source),
        "false_accepts": _false_accepts(planted),
        "false_accepts_real": share(list(_accepted(real, lambda row: row["label"] < 1)), real.source),
        "false_rejects": _complement(list(_accepted(planted, lambda row: row["label"] == 1)), planted.source),
        **_refined(chains),
    }


def _loop(run: Path, prover: str, config: SignalsConfig) -> Found:
    step = f"loop-test-{prover}"
    proofs, chains = read_rows(run, step, "prover.jsonl"), read_rows(run, step, "verify-refine.jsonl")
    if proofs is None or chains is None:
        return {}
    return {
        "tokens": computed_tokens(run, prover),
        "budget": None if prover == "base" else config.loop_tokens,
        "pass@1": share(_each(proofs, lambda row: row["truth"] == 1), proofs.source),
        **_refined(chains),
    }


def computed_tokens(run: Path, model: str) -> int | None:
    """Tokens that an arm has computed, its sampling and its earlier stage among them; None for the base."""
    if model == "base":
        return None
    steps = (f"{model}-self-examples", f"{model}-self", f"{model}-examples", model)
    return sum(_step_tokens(run, step) for step in steps)


def _step_tokens(run: Path, step: str) -> int:
    imitation = read_object(run / "steps" / step / "imitation.json")
    if imitation is not None:
        return int(imitation["tokens"])
    rows = read_rows(run, step, "metrics.jsonl")
    return int(sum(row.get("computed_tokens", 0) for row in rows.rows)) if rows else 0


def _false_accepts(rows: Rows) -> dict[str, Estimate]:
    """Of the wrong proofs of each kind, and of ``all``, the share that is accepted."""
    kinds = sorted({_kind(row) for row in rows.rows if row["label"] < 1})
    wrong = {kind: _accepted(rows, lambda row, kind=kind: row["label"] < 1 and _kind(row) == kind) for kind in kinds}
    wrong["all"] = _accepted(rows, lambda row: row["label"] < 1)
    return {kind: share(observations, rows.source) for kind, observations in wrong.items()}


def _kind(row: Row) -> str:
    return group_of(str(row.get("planted", "")))


def _accepted(rows: Rows, counts: Callable[[Row], bool]) -> Iterator[Observation]:
    """One observation for each proof that ``counts``: 1 where all of its analyses give 1."""
    cases: dict[int, list[tuple[int, Row]]] = defaultdict(list)
    for place, row in enumerate(rows.rows):
        cases[row["case"]].append((place, row))
    for (place, first), *others in cases.values():
        if counts(first):
            agreed = all(row["score"] == 1 for row in (first, *(row for _, row in others)))
            yield Observation(cluster(first, place), float(agreed))


def _complement(observations: Sequence[Observation], source: str) -> Estimate:
    return share([Observation(one.cluster, 1.0 - one.value) for one in observations], source)


def _each(rows: Rows, value: Callable[[Row], float | None]) -> list[Observation]:
    found = ((place, row, value(row)) for place, row in enumerate(rows.rows))
    return [Observation(cluster(row, place), float(known)) for place, row, known in found if known is not None]


def _refined(chains: Rows) -> Found:
    """Pass rates of the first and the last proof of the chains, the gain, and the tokens of prover and verifier."""
    first = _each(chains, lambda row: row["rounds"][0]["truth"] == 1)
    last = _each(chains, lambda row: row["rounds"][-1]["truth"] == 1)
    ended = _each(chains, lambda row: row["rounds"][-1]["truth"] == 1 if row["rounds"][-1]["accepted"] else None)
    rounds = [one for row in chains.rows for one in row["rounds"]]
    return {
        "first": share(first, chains.source),
        "refined": share(last, chains.source),
        "gain": difference(last, first, chains.source),
        "precision": share(ended, chains.source),
        "rounds": len(rounds) / len(chains.rows) if chains.rows else None,
        "chain_tokens": sum(one["tokens"] + one["verifier_tokens"] for one in rounds) / max(1, len(chains.rows)),
    }
