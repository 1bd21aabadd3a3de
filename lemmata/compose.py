"""Settings from Python: a command's configuration composed from lemmata/conf, with changes as on the command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from threading import Lock
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from core.errors import LemmataError
from rl.config import WHOLE_MAPPINGS

GROUPS = ("policy", "refine", "judge", "columns")  # a text as their value names a preset
_MAPPING = re.compile(r"\+{0,2}([\w.]+)=(\{.*\})", re.DOTALL)  # an override that sets a mapping
_WHOLE = (*WHOLE_MAPPINGS, "extra_body", "headers")  # mappings with keys of the user's choice
# An override of a key of the user's choice.
_OWN_KEY = re.compile(
    r"(?:policies\.|(?:train\.)?data\.judges\.endpoints\.|(?:[\w-]+\.)+(?:extra_body|headers)\.)[\w.-]+="
)
_HYDRA = Lock()  # Hydra keeps its state in one global object


def compose(command: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of ``lemmata COMMAND`` as a plain mapping.

    Args:
        command: name of a file of lemmata/conf.
        changes: dotted keys or nested mappings, such as ``{"refine.rounds": 2, "sampling": {"temperature": 0.6}}``;
            ``{"refine": "paper"}`` chooses a preset. ``{"policy": {...}}`` may add keys, other unknown keys are refused
            when the settings are read.

    Raises:
        LemmataError: a preset does not exist.
    """
    presets = {key: value for key, value in changes.items() if key in GROUPS and isinstance(value, str)}
    for group, name in presets.items():
        if name not in preset_names(group):
            raise LemmataError(f"{group}={name}: no such preset; known: {', '.join(preset_names(group))}")
    with _HYDRA, hydra.initialize_config_module("lemmata.conf", version_base="1.3"):
        config = hydra.compose(command, [f"{group}={name}" for group, name in presets.items()])
    _change(config, {key: value for key, value in changes.items() if key not in presets})
    value = OmegaConf.to_container(config, resolve=True)
    assert isinstance(value, dict)
    return {str(key): item for key, item in value.items()}


def preset(group: str, name: str) -> Mapping[str, Any]:
    """The settings of a preset with what it includes; empty where there is none of that name."""
    if name not in preset_names(group):
        return {}
    with _HYDRA, hydra.initialize_config_module("lemmata.conf", version_base="1.3"):
        value = OmegaConf.to_container(hydra.compose(f"{group}/{name}"))
    assert isinstance(value, dict)
    return value[group]


def whole_mappings(overrides: Sequence[str]) -> list[str]:
    """Returns Hydra's overrides, changed so that keys of the user's choice need no ``+``.

    A mapping with such keys replaces the default: Hydra merges mappings, so that ``data.mixture={prover: 1}`` would
    keep the other kinds of the default, and refuse new ones.
    """
    return [part for override in overrides for part in _whole(override)]


def _whole(override: str) -> Sequence[str]:
    if _OWN_KEY.match(override):
        return (f"++{override}",)
    found = _MAPPING.fullmatch(override)
    if found is None:
        return (override,)
    key, value = found.groups()
    return (f"++{key}=null", f"++{key}={value}") if key.rpartition(".")[2] in _WHOLE else (override,)


def preset_names(group: str) -> list[str]:
    """The presets of a group: the files of its folder."""
    names = [file.name for file in resources.files("lemmata.conf").joinpath(group).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def _change(config: DictConfig, changes: Mapping[str, Any]) -> None:
    for key, value in _flat(changes, ""):
        OmegaConf.update(config, key, value, force_add=True)


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(item) if isinstance(item, tuple) else item
