"""The recipe as a list of steps: their order, where labels come from, and the presets."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from core.config import read_config
from core.errors import LemmataError
from rl.recipe.config import CotrainConfig
from rl.recipe.context import RecipeContext
from rl.recipe.plan import plan
from rl.recipe.run import check_settings
from rl.recipe.step_types import (
    Copy,
    Dagger,
    Early,
    LabelProofs,
    Measure,
    Merge,
    PassRates,
    Prove,
    Select,
    Sparsify,
    Step,
    Train,
)

FOLDER = Path(__file__).resolve().parents[2] / "lemmata" / "conf"
SINGLE = ("start", "base", "prover", "verifier", "meta_verifier", "proofs", "analyses", "critiques", "model")
SEVERAL, MAPPED = ("models", "candidates"), ("tables", "judges", "teachers", "specialists")
TABLE = FOLDER.parents[1] / "examples" / "problems.jsonl"
PRESETS = sorted(path.stem for path in (FOLDER / "recipe").glob("*.yaml"))


def settings(recipe: str, *overrides: str) -> CotrainConfig:
    if recipe == "problems":
        overrides = (*overrides, f"train.data.problems={TABLE}", f"train.data.validation.problems={TABLE}")
    with initialize_config_dir(str(FOLDER), version_base=None):
        composed = compose("cotrain", overrides=[f"recipe={recipe}", *overrides])
    values: Any = OmegaConf.to_container(composed, resolve=True)
    return read_config(CotrainConfig, values, "")


def read_by(step: Step) -> list[str]:
    """The steps whose folders a step reads."""
    values = [getattr(step, name, None) for name in SINGLE]
    single = [value for value in values if isinstance(value, str)]
    several = [value for name in SEVERAL for value in getattr(step, name, ())]
    mapped = [value for name in MAPPED for value in getattr(step, name, {}).values()]
    return [*single, *several, *mapped]


def of_iteration(steps: Iterable[Step], number: int) -> list[Step]:
    return [step for step in steps if step.name.startswith(f"{number}-")]


@pytest.mark.parametrize("recipe", PRESETS)
def test_every_preset_is_a_plan_whose_steps_could_begin(recipe: str, tmp_path: Path) -> None:
    config = settings(recipe)
    steps = plan(config)
    check_settings(RecipeContext(config, tmp_path), steps)
    assert plan(config) == steps
    assert not list(tmp_path.iterdir())
    done: set[str] = set()
    for step in steps:
        assert not set(read_by(step)) - done, step.name
        assert step.name not in done
        done.add(step.name)
    assert {f"measure-{number}-generator" for number in range(1, config.iterations + 1)} < done


@pytest.mark.parametrize("start", ["base", "1-generator", "2-generator"])
def test_specialists_and_candidates_start_from_one_model(start: str) -> None:
    number = "123"[["base", "1-generator", "2-generator"].index(start)]
    steps = {step.name: step for step in plan(replace(settings("laptop"), iterations=3, turns=3))}
    first = steps[f"{number}-verifier-alone"] if start == "base" else steps[f"{number}-verifier-turn-1"]
    trained = [first, *(steps[f"{number}-{name}"] for name in ("prover-turn-1", "distill"))]
    assert {step.start for step in trained if isinstance(step, Train)} == {start}
    merges = [step for step in of_iteration(steps.values(), int(number)) if isinstance(step, Merge)]
    assert {step.base for step in merges} == {start}
    # A model that did not change has no task vector: it is no part of a merge.
    assert all(start not in step.models for step in merges)


def test_a_reward_of_a_prover_is_never_the_truth() -> None:
    for step in plan(replace(settings("laptop"), iterations=3)):
        mixture = step.changes.get("data", {}).get("mixture", {}) if isinstance(step, Train) else {}
        if isinstance(step, Train) and "rl" in step.changes["stage"] and "prover" in mixture:
            assert step.judges.keys() == {"verifier", "meta_verifier"}, step.name


@pytest.mark.parametrize("number", [2, 3])
def test_later_iterations_have_labels_by_models_alone(number: int) -> None:
    steps = plan(replace(settings("laptop"), iterations=3, turns=3))
    kinds = {step.name: step for step in steps}
    later = of_iteration(steps, number)
    assert all(not step.exact for step in later if isinstance(step, Prove))
    labeled: list[str] = []
    for step in later:
        match step:
            case Train(changes={"stage": "rl", "role": role}):
                # Rewards of the verifier's and the meta-verifier's parts are by labels, whose table must be named.
                mixture = step.changes.get("data", {}).get("mixture", {role: 1})
                assert "meta_verifier" not in mixture or step.tables["analyses"] == "1-analyses"
                if "verifier" in mixture:
                    assert step.data == {"lab": "validation"}
                    labeled.append(step.tables["proofs"])
            case _:
                pass
    turns = [f"{number}-labels{mark}" for mark in ("", "-turn-2", "-turn-3")]
    assert labeled == turns
    assert all(isinstance(kinds[name], LabelProofs) for name in turns)


@pytest.mark.parametrize("number", [1, 2])
def test_verifier_and_prover_take_turns(number: int) -> None:
    steps = {step.name: step for step in plan(settings("laptop", "turns=3"))}
    names = ["-turn-1", "-turn-2", ""]
    pairs = list(pairwise(names))
    for role in ("verifier", "prover"):
        own = [steps[f"{number}-{role}{mark}"] for mark in names]
        assert [step.start for step in own[1:] if isinstance(step, Train)] == [f"{number}-{role}{a}" for a, _ in pairs]
    for turn, (before, mark) in enumerate(pairs, 2):
        proofs = steps[f"{number}-proofs-turn-{turn}"]
        assert isinstance(proofs, Prove)
        assert (proofs.prover, proofs.turn) == (f"{number}-prover{before}", turn)
        prover = steps[f"{number}-prover{mark}"]
        assert isinstance(prover, Train)
        assert prover.judges["verifier"] == f"{number}-verifier{mark}"
        if number > 1:
            label = steps[f"{number}-labels-turn-{turn}"]
            assert isinstance(label, LabelProofs)
            assert label.verifier == f"{number}-verifier{before}"


def test_the_first_iteration_learns_from_exact_labels_beside_planted_ones() -> None:
    steps = {step.name: step for step in plan(settings("laptop"))}
    verifier = steps["1-verifier-alone"]
    assert isinstance(verifier, Train)
    assert verifier.tables == {"proofs": "1-proofs", "problem_numbers": "1-verifier-alone-problems"}
    assert steps["1-proofs"] == Prove("1-proofs", "base", exact=True, iteration=1)
    assert isinstance(verifier, Train)
    assert "lab" not in verifier.data


def test_the_base_is_an_early_checkpoint_that_has_trained_on_its_own_mistakes() -> None:
    steps = [step for step in plan(settings("smoke")) if not isinstance(step, Prove | Measure)]
    names = ["cold-start", "early", "sparse-start", "imitator", "own-examples", "base"]
    assert [step.name for step in steps[:6]] == names
    assert steps[4] == Dagger("own-examples", "imitator")
    base = steps[5]
    assert isinstance(base, Train)
    assert (base.start, base.tables) == ("imitator", {"examples": "own-examples"})


def test_an_iteration_that_makes_no_model_as_good_keeps_the_one_that_it_began_from() -> None:
    first, second = (step for step in plan(settings("laptop")) if isinstance(step, Select))
    assert first.candidates[-2:] == ("1-distill", "base")
    assert second.candidates[-2:] == ("2-distill", "1-generator")


def test_steps_can_be_left_out() -> None:
    overrides = [
        "indexer=null",
        "dagger=null",
        "early=null",
        "pass_rates=null",
        "generator.distill=null",
    ]
    steps = plan(settings("smoke", *overrides))
    assert steps[0] == Train("base", settings("smoke").cold_start)
    assert not any(isinstance(step, Dagger | Early | PassRates | Sparsify) for step in steps)
    generators = [step for step in steps if step.name.endswith("-generator") and not isinstance(step, Measure)]
    assert [type(step) for step in generators] == [Select, Select]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+prover.data.sharse.x=1"], "step 1-prover: data.sharse: there is no such setting"),
        (["+prover.data.mixture.poet=1"], "step 1-prover: data: no kind of task 'poet'"),
        (["prover.stages.rl.steps=0"], r"step 1-prover: stages\.rl\.steps=0"),
        (["train.data.levels=[9]"], "step cold-start: data: no level 9"),
        (["measure.hard=[9]"], r"measure\.hard: no level 9"),
        (["generator.merges.ties.parameters.density=7"], r"step 1-merge-ties: parameters\.density"),
        (["+generator.merges.ram.method=rams"], "step 1-merge-ram: method='rams'"),
        (["generator.merges.slerp_prover_verifier.models=[prover]"], "slerp_prover_verifier: method=slerp takes two"),
        (["+generator.merges.ram.models=[poet]"], r"generator\.merges\.ram\.models: no role 'poet'"),
        # In the first iteration the meta-verifier has changed; in the second it is the model that all start from.
        (["+generator.merges.ram.models=[meta_verifier]"], "step 2-merge-ram: models"),
    ],
)
def test_wrong_settings_of_a_step_are_named(overrides: list[str], message: str, tmp_path: Path) -> None:
    config = settings("smoke", *overrides)
    with pytest.raises(LemmataError, match=message):
        check_settings(RecipeContext(config, tmp_path), plan(config))


def test_a_given_base_takes_the_place_of_the_cold_start() -> None:
    steps = plan(settings("laptop", "base=pkg://model/shipped"))
    assert steps[0] == Copy("base", "pkg://model/shipped")
    assert not any(isinstance(step, Early | Sparsify) or step.name == "cold-start" for step in steps)


def test_a_given_run_takes_the_place_of_the_cold_start_alone() -> None:
    steps = plan(settings("laptop", "early.run=runs/cold"))
    assert steps[0] == Early("early", None)
    assert [step.name for step in steps[1:3]] == ["sparse-start", "base"]


def test_every_reinforcement_is_on_problems_measured_before_it_by_its_own_rewards() -> None:
    steps = plan(settings("laptop"))
    for place, step in enumerate(steps):
        if isinstance(step, Train) and step.changes["stage"] == "rl":
            before = steps[place - 1]
            assert isinstance(before, PassRates)
            assert step == replace(before.train, tables={**before.train.tables, "problem_numbers": before.name})
    firsts = {step.name: step.first for step in steps if isinstance(step, PassRates)}
    assert (firsts["1-prover-turn-1-problems"], firsts["1-prover-problems"]) == (0, 64)


@pytest.mark.parametrize("key", ["pass_rates.range", "early.pass_rate"])
def test_a_range_from_high_to_low_is_refused(key: str) -> None:
    with pytest.raises(LemmataError, match=r"\[0.9, 0.1\]"):
        settings("laptop", f"{key}=[0.9,0.1]")


def test_one_way_to_a_generator_is_needed() -> None:
    config = settings("smoke").generator
    with pytest.raises(ValueError, match="no way to one model"):
        replace(config, merges={}, distill=None)
