"""A folder as `lemmata cotrain` leaves it, written without any model: records drawn from given chances."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from core.config import read_config
from core.store import Run
from rl.recipe.config import CotrainConfig
from rl.recipe.plan import plan
from rl.recipe.step_types import TEST_ANALYZES, LabelProofs, Measure, Select, Train

Record = dict[str, Any]
SCORES = (0.0, 0.5, 1.0)


def smoke_config(*overrides: str) -> Record:
    """Settings of the smallest recipe, as the command line would give them."""
    with initialize_config_module("lemmata.conf", version_base="1.3"):
        config = compose("cotrain", ["recipe=smoke", *overrides])
    value = OmegaConf.to_container(config, resolve=True)
    assert isinstance(value, dict)
    return {str(key): item for key, item in value.items()}


def write_run(folder: Path, seed: int = 0, theorems: int = 6, training: int = 4, *overrides: str) -> Path:
    """A run at its end: ``theorems`` on the test stream, ``training`` steps in each step that trains."""
    config = smoke_config(f"seed={seed}", f"run={folder}", *overrides)
    with Run.start(folder, "cotrain", config):
        pass
    recipe, chance = read_config(CotrainConfig, config, ""), Random(seed)
    for place, step in enumerate(plan(recipe)):
        at = folder / "steps" / step.name
        skill = min(0.95, 0.3 + 0.02 * place)
        if isinstance(step, Train):
            write_lines(at / "metrics.jsonl", metrics(step, training, chance))
        elif isinstance(step, Measure):
            for name, rows in measured(step, recipe, theorems, skill, chance):
                write_lines(at / name, rows)
        elif isinstance(step, LabelProofs):
            rows = [examined(number, recipe, chance) for number in range(4 * theorems)]
            write_lines(at / "examined.jsonl", rows)
        elif isinstance(step, Select):
            scores = {name: dict.fromkeys(("prover", "verifier", "meta_verifier"), 0.5) for name in step.candidates}
            write_lines(at / "choice.json", [{"chosen": step.candidates[0], "validation": scores}])
        write_lines(at / "done", [{"seconds": 1.5}])
    return folder


def write_lines(path: Path, rows: list[Record]) -> None:
    """One JSON line a record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def coordinates(number: int) -> Record:
    """Names a theorem."""
    return {"family": "inequalities", "level": 1 + number % 3, "seed": number, "split": "test"}


def proof(skill: float, chance: Random, truth: float | None = None) -> Record:
    """A proof's record: complete by ``skill``, its own score right as often."""
    truth = (1.0 if chance.random() < skill else chance.choice(SCORES[:2])) if truth is None else truth
    own = truth if chance.random() < skill else chance.choice((None, *SCORES))
    return {"truth": truth, "self_score": own, "format": own is not None, "tokens": chance.randint(20, 60)}


def measured(
    step: Measure, config: CotrainConfig, theorems: int, skill: float, chance: Random
) -> Iterator[tuple[str, list[Record]]]:
    """The files of a measurement."""
    wanted = config.measure
    numbers = range(theorems)
    yield "prover.jsonl", [{**coordinates(n), **proof(skill, chance)} for n in numbers for _ in range(wanted.samples)]
    for name in ("verifier.jsonl", "verifier-real.jsonl"):
        rows = []
        for number in numbers:
            label = SCORES[number % 3]
            for _ in range(wanted.analyses):
                score = label if chance.random() < skill + 0.1 else chance.choice((None, *SCORES))
                rated = {"label": label, "score": score, "quality": float(chance.random() < skill), "tokens": 30}
                rows.append({**coordinates(number), "case": number, **rated})
        yield name, rows
    for name in ("meta-verifier.jsonl", *(["meta-verifier-real.jsonl"] if step.analyses == TEST_ANALYZES else [])):
        rows = []
        for number in numbers:
            quality = SCORES[chance.randrange(3)]
            rating = quality if chance.random() < skill else None
            rows.append({**coordinates(number), "quality": quality, "rating": rating, "tokens": 12})
        yield name, rows
    if step.refine:
        numbers = range(max(2, theorems // 2))
        yield "refinement.jsonl", [chain(n, c, config, skill, chance) for n in numbers for c in range(wanted.chains)]


def chain(number: int, place: int, config: CotrainConfig, skill: float, chance: Random) -> Record:
    """A chain that ends where its latest proof scores itself 1."""
    rounds: list[Record] = []
    while len(rounds) < config.measure.rounds and not (rounds and rounds[-1]["self_score"] == 1):
        rounds.append(proof(skill / 2, chance))
    return {**coordinates(number), "chain": place, "rounds": rounds}


def examined(number: int, config: CotrainConfig, chance: Random) -> Record:
    """A proof with its analyses, of which most are right, and their reviews."""
    truth = chance.choice(SCORES)
    analyses = []
    for _ in range(config.labels.analyses):
        score = truth if chance.random() < 0.8 else chance.choice((None, *SCORES))
        confirmed = 1.0 if score == truth else 0.0
        reviews = [] if score in (None, 1.0) else [confirmed] * config.labels.reviews
        analyses.append({"score": score, "reviews": reviews})
    return {**coordinates(number // 2), "truth": truth, "analyses": analyses}


def metrics(step: Train, count: int, chance: Random) -> list[Record]:
    """Metrics of training, with a judge that comes to think better of proofs than they are."""
    rows: list[Record] = []
    for number in range(1, count + 1):
        gone = number / count
        values: dict[str, float] = {"loss": 2 - gone + chance.gauss(0, 0.05), "token_accuracy": 0.3 + 0.5 * gone}
        if step.changes.get("stage") == "rl":
            judge, truth = 0.3 + 0.5 * gone + chance.gauss(0, 0.05), 0.3 + 0.3 * gone + chance.gauss(0, 0.05)
            watched = {"entropy": 1.2 - 0.6 * gone, "length": 30 + 10 * gone, "truncated": 0.05, "mismatch_kl": 1e-6}
            values = {"reward": judge - 0.1, "reward/prover/proof": judge, "reward/prover/truth": truth} | watched
            if number % 10 == 0:
                values |= {"validation/reward": truth, "validation/reward/prover/pass": truth}
        rows.append({"step": number, "stage": "rl", **values, "tokens": 1000, "time": {"seconds": 0.5}})
    return rows
