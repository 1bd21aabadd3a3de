"""A training's metrics and rollouts, as they were written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric over the steps of a stage."""

    name: str
    points: tuple[tuple[int, float], ...]


def last_line(path: Path) -> Mapping[str, Any]:
    """The last whole line of a file of metrics; nothing where there is none."""
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
    """The lines of a JSONL file, and in words what of it could not be read."""
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
    said = f"{damaged} lines of {path.name} are damaged and left out. " if damaged else ""
    return values, f"{said}The last line of {path.name} is torn: it is being written, or was cut off." if torn else said


def stages(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """The stages of a training in the order of time."""
    return list(dict.fromkeys(str(line["stage"]) for line in lines if "stage" in line))


def curves(lines: Sequence[Mapping[str, Any]], stage: str) -> dict[str, Curve]:
    """All metrics of a stage by name; what is no number is left out."""
    points: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        if line.get("stage") == stage and isinstance(line.get("step"), int):
            for name, value in line.items():
                if isinstance(value, int | float) and not isinstance(value, bool) and name != "step":
                    points.setdefault(name, []).append((line["step"], float(value)))
    return {name: Curve(name, tuple(values)) for name, values in points.items()}


def smoothed(curve: Curve, window: int) -> Curve:
    """The running mean over the last ``window`` steps."""
    values = [value for _, value in curve.points]
    means = [
        sum(values[max(0, i - window + 1) : i + 1]) / len(values[max(0, i - window + 1) : i + 1])
        for i in range(len(values))
    ]
    return Curve(curve.name, tuple((step, mean) for (step, _), mean in zip(curve.points, means, strict=True)))


def rollout_files(folder: Path) -> list[Path]:
    """The rollouts that were kept, the last one last."""
    return sorted((folder / "rollouts").glob("*.jsonl"))


def extremes(tries: Sequence[Mapping[str, Any]], count: int) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The best and the worst tries of a rollout by reward; a try without a reward is neither."""
    known = [one for one in tries if isinstance(one.get("reward"), int | float)]
    ranked = sorted(known, key=lambda one: -one["reward"])
    return ranked[:count], ranked[: -count - 1 : -1]


def spreads(tries: Sequence[Mapping[str, Any]]) -> dict[int, list[float]]:
    """The rewards of each problem's group."""
    groups: dict[int, list[float]] = {}
    for one in tries:
        if isinstance(one.get("reward"), int | float):
            groups.setdefault(int(one.get("problem", 0)), []).append(float(one["reward"]))
    return groups
