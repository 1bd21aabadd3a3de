"""Presets of algorithms and settings of training: complete, checked, and unknown keys refused."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.config import read_config
from core.errors import LemmataError
from lemmata.training import compose_train
from rl.algorithm import AlgorithmConfig, LossConfig
from rl.merging.config import MergeConfig
from tests.rl.settings import algorithm, defaults, loss_config

FOLDER = Path(__file__).resolve().parents[2] / "lemmata" / "conf"
PRESETS = sorted(path.stem for path in (FOLDER / "algorithm").glob("*.yaml"))


def written(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "algorithm" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_states_every_setting(name: str) -> None:
    assert asdict(algorithm(name)) == written(name)


@pytest.mark.parametrize("where", ["", "loss", "advantage"])
def test_an_unknown_key_is_refused(where: str) -> None:
    value = written("v32")
    (value[where] if where else value)["epsilon"] = 0.2
    with pytest.raises(LemmataError, match="epsilon"):
        read_config(AlgorithmConfig, value, "algorithm")


def test_a_missing_key_is_named() -> None:
    value = written("v32")
    del value["loss"]["clip_low"]
    with pytest.raises(LemmataError, match=r"algorithm\.loss\.clip_low"):
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
def test_settings_without_meaning_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LemmataError, match=next(iter(changes))):
        read_config(LossConfig, {**asdict(loss_config()), **changes}, "loss")


def test_the_coefficient_of_a_domain() -> None:
    v32 = algorithm("v32")
    assert v32.beta("mathematics") == 0
    assert v32.beta("writing") == v32.loss.beta > 0
    with pytest.raises(ValueError, match="beta_by_domain"):
        replace(v32, loss=loss_config(kl="none"), beta_by_domain={"writing": 0.1})


def test_overrides_change_what_they_name() -> None:
    config = compose_train("role=prover", "stage=[sft,rl]", "stages.rl.optimizer.kind=muon", "seed=7")
    assert (config.schedule, config.seed) == (("sft", "rl"), 7)
    assert config.stages.rl.optimizer == replace(defaults().stages.rl.optimizer, kind="muon")
    assert config.stages.sft == defaults().stages.sft
    with pytest.raises(LemmataError, match="role"):
        compose_train("stage=rl")


def test_merge_has_the_same_defaults_in_its_file_and_in_recipes() -> None:
    names = {"models": ["A"], "out": "B", "method": "linear"}
    value = yaml.safe_load((FOLDER / "merge.yaml").read_text())
    del value["defaults"]
    assert read_config(MergeConfig, value | names, "") == read_config(MergeConfig, names, "")
