"""Help of a command: its presets, and the settings that apply with the chosen ones, each with value and comment."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from core.errors import LemmataError
from core.store import flatten
from lemmata.compose import preset_names
from lemmata.settings_files import read_settings
from policy.local_config import SHIPPED

HEADER = "lemmata: self-verifiable mathematical reasoning"
FOOTER = """\
Give a setting as KEY=VALUE. (*): may change when a run is resumed. --cfg job prints the configuration, --multirun (-m)
sweeps over lists of values, --hydra-help lists Hydra's own flags."""
# Parts of the settings that a command's configuration holds and the command does not use.
UNUSED = {"prove": ("judge", "verdicts", "verifier", "meta_verifier"), "label": ("refine",)}


def help_lines(command: str, arguments: Sequence[str]) -> Iterator[str]:
    """The help of a command with the presets and values of ``arguments``.

    Raises:
        LemmataError: the arguments cannot be composed.
    """
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    try:
        with hydra.initialize_config_module("lemmata.conf", version_base="1.3"):
            config = hydra.compose(command, overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise LemmataError(f"{' '.join(overrides)}: {str(error).splitlines()[0]}") from error
    choices = {
        group: choice
        for group, choice in config.hydra.runtime.choices.items()
        if not group.startswith("hydra/") and "@" not in group
    }
    comments = _comments(command, choices)
    yield f"{HEADER}\n"
    if presets := [line for group, choice in choices.items() if (line := _preset_line(group, choice))]:
        yield from ("Presets:\n", *presets, "")
    yield "Settings and their values:\n"
    groups: set[str] = set()
    for key, value in _applicable(command, config):
        yield from _group_lines(key, comments, groups)
        comment = comments.get(key, "")
        yield f"  {key}={value}{f'   # {comment}' if comment else ''}"
    yield f"\n{FOOTER}"


def _preset_line(group: str, choice: str | None) -> str:
    """The presets of a group; empty where there is no choice."""
    names = preset_names(group)
    if len(names) < 2 and choice is not None:
        return ""
    return f"  {group}={choice or 'null'}   # {', '.join(names)}"


def _group_lines(key: str, comments: Mapping[str, str], shown: set[str]) -> Iterator[str]:
    """The comments of the groups that a key stands in, each once."""
    parts = key.split(".")
    for place in range(1, len(parts)):
        group = ".".join(parts[:place])
        if group not in shown and group in comments:
            yield f"  # {group}: {comments[group]}"
        shown.add(group)


def _applicable(command: str, config: DictConfig) -> Iterator[tuple[str, str]]:
    """Every setting with its value as the command line takes it, without those that nothing uses."""
    container = OmegaConf.to_container(config)
    assert isinstance(container, dict)
    values = {str(name): item for name, item in container.items()}
    unused = [*UNUSED.get(command, ()), "hydra", *_unused_by_choice(values)]
    for key, value in flatten(values):
        if not any(key == name or key.startswith(f"{name}.") for name in unused):
            yield key, _shown(value)


def _unused_by_choice(values: Mapping[str, Any]) -> Iterator[str]:
    """The settings that the chosen policy, strategy or rules leave unused."""
    policy, refine, judge = (values.get(name) or {} for name in ("policy", "refine", "judge"))
    if policy.get("model") != SHIPPED:
        yield "lab_problem"
    if refine.get("strategy") == "sequential":
        yield from ("refine.top", "refine.pairs")
    if refine.get("select", "pairwise") != "pairwise":
        yield from ("refine.candidates", "refine.comparisons")
    acceptance = judge.get("acceptance") or {}
    if acceptance.get("rule", "quorum") != "quorum":
        yield from ("judge.acceptance.min_readable", "judge.acceptance.min_perfect")
    if acceptance.get("rule", "mean") not in ("mean", "weighted"):
        yield "judge.acceptance.min_mean"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).replace("'", "") if isinstance(value, list) else str(value)


def _comments(command: str, choices: Mapping[str, Any]) -> dict[str, str]:
    """The comment of every key, from the files that the configuration is made of."""
    folder = Path(str(resources.files("lemmata.conf")))
    found: dict[str, str] = {}
    for name, prefix in _files(folder, command, choices):
        path = folder / f"{name}.yaml"
        is_global = "# @package _global_" in path.read_text(encoding="utf-8")
        for setting in read_settings(path, folder).settings:
            if setting.comment:
                found[setting.name if is_global else f"{prefix}{setting.name}"] = setting.comment
    return found


def _files(folder: Path, command: str, choices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of the files, the command's own last, each with the prefix of its keys."""
    for group, choice in choices.items():
        yield from _with_bases(folder, f"{group}/{choice}", f"{group}.")
    yield from _with_bases(folder, command, "")


def _with_bases(folder: Path, name: str, prefix: str) -> Iterator[tuple[str, str]]:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        return
    for entry in read_settings(path, folder).includes:
        base, _, choice = (part.strip() for part in entry.partition(":"))
        group, _, package = base.partition("@")
        if not choice:
            inner = f"{Path(name).parent}/{group}" if "/" in name else group
            yield from _with_bases(folder, inner, prefix)
        elif package:  # `/engine@engine: default` stands under the key engine of its group
            yield from _with_bases(folder, f"{group.strip('/')}/{choice}", f"{prefix}{package}.")
    yield name, prefix
