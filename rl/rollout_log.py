"""What a rollout tells: figures for the metrics, and the trajectories themselves as a file."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from core.json_lines import write_json_lines
from rl.parallel import Parallel
from rl.rollout import Trajectory


def rollout_metrics(trajectories: Sequence[Trajectory], parallel: Parallel) -> dict[str, float]:
    """Mean reward, its parts by name, lengths in tokens and the share of truncated answers, over all processes.

    ``reward_missing``: share of trajectories whose judge failed; they count in no other reward.
    """
    totals = [one.reward.total for one in trajectories if one.reward.total is not None]
    lengths = [len(turn.completion.token_ids) for one in trajectories for turn in one.turns]
    truncated = sum(turn.answer.truncated for one in trajectories for turn in one.turns)
    sums = {
        "trajectories": len(trajectories),
        "rewarded": len(totals),
        "turns": len(lengths),
        "length": sum(lengths),
        "length_max": max(lengths, default=0),
        "truncated": truncated,
        "reward": sum(totals),
    }
    for name, value in ((name, value) for one in trajectories for name, value in one.reward.parts.items()):
        if value is not None:
            sums[f"reward/{name}"] = sums.get(f"reward/{name}", 0.0) + value
            sums[f"judged/{name}"] = sums.get(f"judged/{name}", 0) + 1
    sums = parallel.sum(sums)
    parts = [name for name in sums if name.startswith("reward/")]
    means = {name: sums[name] / sums[name.replace("reward/", "judged/")] for name in parts}
    return {
        "reward": sums["reward"] / max(1, sums["rewarded"]),
        **means,
        "reward_missing": 1 - sums["rewarded"] / max(1, sums["trajectories"]),
        "length": sums["length"] / max(1, sums["turns"]),
        "length_max": sums["length_max"],
        "truncated": sums["truncated"] / max(1, sums["turns"]),
    }


def write_rollout(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """One line a try: its problem, reward with parts, and every turn's answer. An existing file is replaced whole."""
    lines = [
        {
            "problem": one.number,
            "sample": one.index,
            "reward": one.reward.total,
            "parts": dict(one.reward.parts),
            "answers": [turn.answer.text for turn in one.turns],
            "logprob": fmean(sum(turn.completion.logprobs) for turn in one.turns),
        }
        for one in trajectories
    ]
    write_json_lines(path, lines)
