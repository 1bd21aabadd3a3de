"""Presets of refinement and judging, with the values that the command line reads from lemmata/conf."""

from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from core.config import read_config
from refine.config import RefineConfig


def refine_preset(name: str) -> RefineConfig:
    """The settings of ``refine=NAME``."""
    with initialize_config_module("lemmata.conf", version_base="1.3"):
        composed = compose("refine", [f"refine={name}"])
    values: Any = OmegaConf.to_container(composed["refine"], resolve=True)
    return read_config(RefineConfig, values, "refine")


LIGHT = refine_preset("light")
JUDGE = LIGHT.judge
AGGREGATE = JUDGE.aggregate
