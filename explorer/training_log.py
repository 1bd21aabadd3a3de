"""Metrics and rollouts of a training, read from its run folder."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.document import counted

TAIL = 1 << 16  # bytes at the end of a file in which the last line is looked for
Trajectory = Mapping[str, Any]  # as a rollout file records it


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric over the steps of a stage: (step, value) points."""

    name: str
    points: tuple[tuple[int, float], ...]


def last_line(path: Path) -> Mapping[str, Any]:
    """Last complete line of a file of metrics; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().split(b"\n")[:-1]
        value = json.loads(lines[-1]) if lines else {}
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_lines(path: Path) -> tuple[list[dict[str, Any]], str]:
    """Reads the lines of a JSONL file; returns them with a message about lines that could not be read."""
    try:
        *lines, torn = path.read_bytes().split(b"\n")
    except OSError as error:
        return [], f"{path.name} cannot be read ({error.strerror}): the file was moved, or this run has none yet."
    values, damaged = [], 0
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            values.append(value)
        else:
            damaged += 1
    messages = [f"{path.name}: {counted(damaged, 'damaged line')} left out."] if damaged else []
    messages += [f"{path.name}: the last line is incomplete: it is being written, or was cut off."] if torn else []
    return values, " ".join(messages)


def stages(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Stages of a training, in order of time."""
    return list(dict.fromkeys(str(line["stage"]) for line in lines if "stage" in line))


def curves(lines: Sequence[Mapping[str, Any]], stage: str) -> dict[str, Curve]:
    """Curves of all numeric metrics of a stage, by name."""
    points: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        if line.get("stage") == stage and isinstance(line.get("step"), int):
            for name, value in line.items():
                if isinstance(value, int | float) and not isinstance(value, bool) and name != "step":
                    points.setdefault(name, []).append((line["step"], float(value)))
    return {name: Curve(name, tuple(values)) for name, values in points.items()}


def smoothed(curve: Curve, window: int) -> Curve:
    """Running mean over the last ``window`` steps."""
    values = [value for _, value in curve.points]
    means = [
        sum(values[max(0, i - window + 1) : i + 1]) / len(values[max(0, i - window + 1) : i + 1])
        for i in range(len(values))
    ]
    return Curve(curve.name, tuple((step, mean) for (step, _), mean in zip(curve.points, means, strict=True)))


@dataclass(frozen=True, slots=True)
class Plot:
    """Plot of some metrics. ``metrics``: names, a final * matches any rest; ``low``, ``high``: fixed ends."""

    title: str
    metrics: tuple[str, ...]
    low: float | None = None
    high: float | None = None

    def fits(self, name: str) -> bool:
        """True for a metric of this plot; a metric of the validation stands beside that of the training."""
        name = name.removeprefix(VALIDATION)
        return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in self.metrics)


VALIDATION = "validation/"
PLOTS = (
    Plot("Reward", ("reward",), 0.0, 1.0),
    Plot("Parts of the reward", ("reward/*",), 0.0, 1.0),
    Plot("Groups: reward std, zero-variance share", ("group_reward_std", "zero_variance_groups"), 0.0),
    Plot("Loss", ("loss", "cross_entropy")),
    Plot("KL", ("kl", "kl/*", "mismatch_kl")),
    Plot(
        "Masked, clipped, cut off", ("off_policy_masked", "clip_low", "clip_high", "truncated", "reward_missing"), 0.0
    ),
    Plot("Entropy", ("entropy",), 0.0),
    Plot("Accuracy", ("token_accuracy", "agreement", "accuracy", "accuracy/*"), 0.0, 1.0),
    Plot("Length in tokens", ("length", "length_max"), 0.0),
    Plot("Gradient norm", ("grad_norm",), 0.0),
)


def other_metrics(known: Iterable[str]) -> list[str]:
    """Names of the metrics that no plot shows."""
    return sorted(name for name in known if not any(plot.fits(name) for plot in PLOTS))


def thinned(curve: Curve, most: int) -> Curve:
    """At most about ``most`` points of a curve, evenly, with the last one."""
    points, stride = curve.points, max(1, len(curve.points) // most)
    return Curve(curve.name, points[:-1:stride] + points[-1:])


def prompts_of(trajectories: Sequence[Trajectory]) -> dict[int, str]:
    """Prompts of the problems of a rollout, by number."""
    return {int(one.get("problem", 0)): str(one["prompt"]) for one in trajectories if one.get("prompt")}


def rollout_files(folder: Path) -> list[Path]:
    """Files of the recorded rollouts, oldest first."""
    return sorted((folder / "rollouts").glob("*.jsonl"))


def best_and_worst(trajectories: Sequence[Trajectory], count: int) -> tuple[list[Trajectory], list[Trajectory]]:
    """The ``count`` best and worst trajectories of a rollout by reward; those without a reward are left out."""
    known = [one for one in trajectories if isinstance(one.get("reward"), int | float)]
    ranked = sorted(known, key=lambda one: -one["reward"])
    return ranked[:count], ranked[: -count - 1 : -1]


def group_rewards(trajectories: Sequence[Trajectory]) -> dict[int, list[float]]:
    """Rewards of the trajectories of each problem."""
    groups: dict[int, list[float]] = {}
    for one in trajectories:
        if isinstance(one.get("reward"), int | float):
            groups.setdefault(int(one.get("problem", 0)), []).append(float(one["reward"]))
    return groups
