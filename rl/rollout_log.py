"""Metrics of a rollout, and its trajectories as a JSON Lines file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from core.json_lines import write_json_lines
from rl.parallel import Parallel
from rl.trajectory import Trajectory


def rollout_metrics(trajectories: Sequence[Trajectory], parallel: Parallel) -> dict[str, float]:
    """Computes mean reward, its parts by name, lengths in tokens, the fraction of truncated answers, and the
    tool calls of a trajectory.

    All are over all processes. ``reward_missing``: fraction of trajectories whose judge failed; the means of rewards
    are over the others. ``prompts_too_long``: number of trajectories that a prompt without room for an answer ended, or
    left without any turn.
    """
    totals = [trajectory.reward.total for trajectory in trajectories if trajectory.reward.total is not None]
    lengths = [len(turn.completion.token_ids) for trajectory in trajectories for turn in trajectory.turns]
    truncated = sum(turn.answer.truncated for trajectory in trajectories for turn in trajectory.turns)
    sums = {
        "trajectories": sum(bool(trajectory.turns) for trajectory in trajectories),
        "prompts_too_long": sum(trajectory.too_long is not None for trajectory in trajectories),
        "rewarded": len(totals),
        "turns": len(lengths),
        "calls": sum(len(turn.outputs) for trajectory in trajectories for turn in trajectory.turns),
        "length": sum(lengths),
        "length_max": max(lengths, default=0),
        "truncated": truncated,
        "reward": sum(totals),
    }
    for name, value in (
        (name, value) for trajectory in trajectories for name, value in trajectory.reward.parts.items()
    ):
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
        "tool_calls": sums["calls"] / max(1, sums["trajectories"]),
        "prompts_too_long": sums["prompts_too_long"],
    }


def write_rollout(path: Path, trajectories: Sequence[Trajectory], prompt: Callable[[int], str]) -> None:
    """Writes one line per trajectory: problem, reward with parts, the answers of all turns, and the number of tokens of
    a prompt that was too long. ``prompt`` returns that of a problem, which its first line holds. Replaces the file.
    """
    first: dict[int, int] = {}
    for place, trajectory in enumerate(trajectories):
        first.setdefault(trajectory.number, place)
    lines = [
        {
            "problem": trajectory.number,
            **({"prompt": prompt(trajectory.number)} if first[trajectory.number] == place else {}),
            "sample": trajectory.index,
            "reward": trajectory.reward.total,
            "parts": dict(trajectory.reward.parts),
            "answers": [answer.text for answer in trajectory.answers],
            "tool_turns": [
                {"text": turn.answer.text, "outputs": list(turn.outputs)}
                for turn in trajectory.turns
                if turn.kind != "answer"
            ],
            "logprob": _mean([sum(turn.completion.logprobs) for turn in trajectory.turns]),
            "prompt_too_long": trajectory.too_long,
        }
        for place, trajectory in enumerate(trajectories)
    ]
    write_json_lines(path, lines)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
