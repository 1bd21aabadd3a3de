"""Tables of the comparison of verifier signals, and of the prover in the loop with the best."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from core.document import Table
from rl.report.summary import Summary
from rl.report.tables import MISSING, format_estimates

EXPLANATION = (
    "Arms from one checkpoint at equal tokens (computed in sampling and training; tokens of judges do not count): "
    "signal-score by R_format R_score, signal-meta the same by R_meta, signal-self by imitating itself shown the "
    "reference, signal-both by the latter two. False accepts: of the wrong proofs, those to which all analyses give 1. "
    "Verify-and-refine: the base's proofs, refined by the arm's analyses until it accepts; gain: the last proof less "
    "the first. The loop: a prover trained with the best arm's analyses between its turns, and one without."
)


def arms_table(runs: Sequence[Summary]) -> Table:
    """The arms as verifiers: accuracy, quality of analyses, false accepts by kind of wrong proof, false rejects."""
    found = _by_name(runs, "arms")
    kinds = list(dict.fromkeys(kind for group in found.values() for one in group for kind in one["false_accepts"]))
    rows = []
    for arm, group in found.items():
        accepts = [[one["false_accepts"].get(kind) for one in group] for kind in kinds]
        cells = [
            _estimates(group, "accuracy"),
            _estimates(group, "accuracy_real"),
            _estimates(group, "quality", metric="quality"),
            _estimates(group, "quality_real", metric="quality"),
            *(format_estimates(estimates, "", n=True) for estimates in accepts),
            _estimates(group, "false_accepts_real"),
            _estimates(group, "false_rejects"),
        ]
        rows.append([_marked(arm, runs), _tokens(group), *cells])
    columns = ["arm", "tokens", "accuracy", "accuracy, real", "quality", "quality, real"]
    accepts = [f"false accepts: {kind}" for kind in kinds]
    caption = "From steps/verifier-test-ARM. Percent, quality between 0 and 1."
    return Table([*columns, *accepts, "false accepts: real", "false rejects"], rows, caption)


def gains_table(runs: Sequence[Summary]) -> Table:
    """Verify-and-refine by the base's proofs with each arm."""
    rows = [[_marked(arm, runs), *_gains(group)] for arm, group in _by_name(runs, "arms").items()]
    return Table(["verifier", *GAINS], rows, "From steps/verifier-test-ARM/verify-refine.jsonl. Percent, and points.")


def loops_table(runs: Sequence[Summary]) -> Table:
    """The prover in the loop beside the base and a prover without the loop, all with the best arm."""
    rows = []
    for prover, group in _by_name(runs, "loops").items():
        rows.append([prover, _tokens(group), _estimates(group, "pass@1"), *_gains(group)])
    return Table(["prover", "tokens", "pass@1", *GAINS], rows, "From steps/loop-test-PROVER. Percent, and points.")


GAINS = ("first proof", "last proof", "gain", "accepted ones right", "rounds", "tokens of a chain")


def _gains(group: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = [_estimates(group, key, signed=key == "gain") for key in ("first", "refined", "gain", "precision")]
    rounds = [one["rounds"] for one in group if one["rounds"] is not None]
    tokens = fmean(one["chain_tokens"] for one in group)
    return [*shown, f"{fmean(rounds):.2f}" if rounds else MISSING, f"{tokens:,.0f}"]


def _by_name(runs: Sequence[Summary], key: str) -> dict[str, list[Mapping[str, Any]]]:
    names = dict.fromkeys(name for run in runs for name in run.signals.get(key, ()))
    return {name: [run.signals[key][name] for run in runs if name in run.signals.get(key, ())] for name in names}


def _estimates(group: Sequence[Mapping[str, Any]], key: str, *, metric: str = "", signed: bool = False) -> str:
    return format_estimates([one[key] for one in group], metric, n=True, signed=signed)


def _tokens(group: Sequence[Mapping[str, Any]]) -> str:
    known = [one for one in group if one["tokens"] is not None]
    if not known:
        return MISSING
    return f"{fmean(one['tokens'] for one in known):,.0f} of {known[0]['budget']:,}"


def _marked(arm: str, runs: Sequence[Summary]) -> str:
    chosen = sum((run.signals.get("winner") or {}).get("chosen") == arm for run in runs)
    if not chosen:
        return arm
    return f"{arm} (chosen)" if len(runs) == 1 else f"{arm} (chosen in {chosen} of {len(runs)} runs)"
