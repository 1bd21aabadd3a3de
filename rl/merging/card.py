"""Merge section of a merged model's card. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path

from rl.merging.config import PARAMETERS, MergeConfig

PER_MODEL = ("weight", "density")


def merge_section(config: MergeConfig) -> list[str]:
    """Returns lines of Markdown with method, parameters and models; folders by name, without their paths."""
    known, values = PARAMETERS[config.method], config.resolved()
    shown = {"normalize": values.normalize, "lambda": values.scale, "t": values.t, "epsilon": values.epsilon}
    settings = [f"{name} {value}" for name, value in shown.items() if name in known]
    settings += [f"seed {config.seed}"] if config.method.startswith("dare") else []
    names = folder_names([*config.models, *([config.base] if config.base else [])])
    columns = [name for name in PER_MODEL if name in known]
    rows = [_row("Model", *columns), _row("---", *("---" for _ in columns))]
    for place, name in enumerate(names[: len(config.models)]):
        rows.append(_row(f"`{name}`", *(str(getattr(values, column)[place]) for column in columns)))
    if config.base:
        rows.append(_row(f"`{names[-1]}` (base)", *("" for _ in columns)))
    return ["## Merge", "", f"Weights merged by method `{config.method}`: {', '.join(settings)}.", "", *rows]


def folder_names(folders: Sequence[str]) -> list[str]:
    """Returns the names of folders, with their parent's (RUN/model) where two have the same name."""
    paths = [Path(folder).absolute() for folder in folders]
    names = [path.name for path in paths]
    duplicate = len(set(names)) < len(set(paths))
    return ["/".join(path.parts[-2:]) for path in paths] if duplicate else names


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
