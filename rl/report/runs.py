"""Runs of `lemmata cotrain`: their recorded settings, and the check that several are seeds of one recipe."""

from collections.abc import Mapping, Sequence

from core.config import read_config
from core.errors import LemmataError
from core.store import Run, difference
from rl.recipe.config import CotrainConfig

# Settings that runs of one recipe may differ in: the seed, and those that do not change what is learned.
MAY_DIFFER = ("run", "seed", "train.threads", "train.loggers", "train.save_rollouts_every", "train.checkpoint")


def recorded_recipe(run: Run) -> CotrainConfig:
    """The settings of a run of `lemmata cotrain`. Raises LemmataError where it is a run of another command."""
    found = run.manifest.get("config")
    config = dict(found) if isinstance(found, Mapping) else {}
    command = config.pop("command", None)
    config.pop("content", None)  # digests of the models that it began from
    if command != "cotrain":
        raise LemmataError(
            f"{run.folder} is a run of `lemmata {command}`; `lemmata report` reads those of `lemmata cotrain`"
        )
    recipe = read_config(CotrainConfig, config, "")
    if recipe.on_tables:
        raise LemmataError(
            f"{run.folder} is a run on tables, and `lemmata report` is about the lab's exact truth. The measures of "
            "its models are in steps/measure-*/summary.json of the folder"
        )
    return recipe


def require_one_recipe(runs: Sequence[Run]) -> None:
    """Raises LemmataError where ``runs`` are not runs of one recipe with different seeds."""
    first = runs[0]
    for other in runs[1:]:
        apart = difference(first.manifest["config"], other.manifest["config"], MAY_DIFFER)
        if apart:
            shown = "; ".join(f"{key}: {one!r} and {two!r}" for key, one, two in apart[:5])
            raise LemmataError(
                f"{first.folder} and {other.folder} are not runs of one recipe: {shown}. Report each alone."
            )
    seeds = [run.manifest["config"]["seed"] for run in runs]
    if len(set(seeds)) < len(seeds):
        raise LemmataError(
            f"two of the runs have the same seed (seeds {', '.join(map(str, seeds))}): give one run of each seed"
        )
