"""The presets stand twice, as dataclasses and as yaml with their sources: they must agree."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from core.config import read_config
from core.errors import LemmataError
from rl.algorithm import PRESETS, AlgorithmConfig, LossConfig

FOLDER = Path(__file__).resolve().parents[2] / "lemmata" / "conf"


def written(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "algorithm" / f"{name}.yaml").read_text())


def test_every_preset_has_a_file() -> None:
    assert {path.stem for path in (FOLDER / "algorithm").glob("*.yaml")} == PRESETS.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_file_and_dataclass_agree(name: str) -> None:
    assert written(name) == asdict(PRESETS[name])  # every key is written out, and no other
    assert read_config(AlgorithmConfig, written(name), "algorithm") == PRESETS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_hydra_composes_it(name: str) -> None:
    with initialize_config_dir(str(FOLDER), version_base=None):
        config: Any = OmegaConf.to_container(compose(overrides=[f"+algorithm={name}"]), resolve=True)
    assert read_config(AlgorithmConfig, config["algorithm"], "algorithm") == PRESETS[name]


@pytest.mark.parametrize("where", ["", "loss", "advantage"])
def test_an_unknown_key_is_refused(where: str) -> None:
    value = written("v32")
    (value[where] if where else value)["epsilon"] = 0.2
    with pytest.raises(LemmataError, match=r"epsilon: there is no such setting"):
        read_config(AlgorithmConfig, value, "algorithm")


@pytest.mark.parametrize(
    "changes",
    [
        {"clip_low": 1.5},
        {"clip_high": -0.1},
        {"beta": float("nan")},
        {"dual_clip": 0.5},
        {"aggregation": "constant"},
        {"aggregation": "mean"},
        {"kl": "none", "beta": 0.1},
        {"importance_cap": 0},
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LemmataError):
        read_config(LossConfig, changes, "loss")


def test_the_coefficient_of_a_domain() -> None:
    assert PRESETS["v32"].beta("mathematics") == 0
    assert PRESETS["v32"].beta("writing") == PRESETS["v32"].loss.beta > 0
    with pytest.raises(LemmataError, match="beta_by_domain"):
        read_config(AlgorithmConfig, {"loss": {"kl": "none"}, "beta_by_domain": {"writing": 0.1}}, "algorithm")
