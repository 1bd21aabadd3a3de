"""Plan of the recipe: a list of steps, each with the steps whose folders it reads. Pure.

DeepSeekMath-V2, section 2: a cold start; the verifier by format and score; the meta-verifier on labeled analyses; the
verifier again with R_meta, in turns with the prover, which is rewarded by the trained verifier; then the same from the
consolidated model, with labels by the models themselves. All specialists of an iteration start from one model, so that
their weights can be merged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from core.errors import LemmataError
from rl.recipe.config import Changes, CotrainConfig
from rl.recipe.plan_parts import measure, reinforce
from rl.recipe.signals import signals
from rl.recipe.step_types import (
    TEST_ANALYZES,
    TEST_PROOFS,
    VALIDATION_CRITIQUES,
    VALIDATION_LABELS,
    VALIDATION_PROOFS,
    Analyze,
    Copy,
    Dagger,
    Early,
    LabelProofs,
    Measure,
    Merge,
    Models,
    Prove,
    Select,
    Sparsify,
    Step,
    Train,
)

NONE: Models = {}


def plan(config: CotrainConfig) -> list[Step]:
    """All steps in order. Raises LemmataError where a merge names an unknown role."""
    steps = list(_start(config))
    if config.signals is not None:
        steps += signals(config, config.signals)
    start = "base"
    for number in range(1, config.iterations + 1):
        steps += _iteration(config, number, start)
        start = f"{number}-generator"
    return steps


def _start(config: CotrainConfig) -> Iterator[Step]:
    """The steps that end with the model ``base``, from which all others are trained, and its measurement."""
    start = [Copy("base", config.base)] if config.base is not None else list(_cold_start(config))
    yield from start[:-1]
    yield replace(start[-1], name="base")
    if config.on_tables:
        yield measure(config, "base", refine=True)
        yield Prove(VALIDATION_PROOFS, "base", split="validation", exact=False)
        yield LabelProofs(VALIDATION_LABELS, "base", "base", VALIDATION_PROOFS)
        yield Analyze(VALIDATION_CRITIQUES, "base", VALIDATION_PROOFS)
        return
    yield Prove(TEST_PROOFS, "base", split="test")
    yield Measure("measure-base", "base", TEST_PROOFS, refine=True)


def _cold_start(config: CotrainConfig) -> Iterator[Step]:
    """The cold start, each step from the model of the one before."""
    latest = None
    if config.early is None or config.early.run is None:
        latest = "cold-start"
        yield Train(latest, config.cold_start)
    if config.early is not None:
        yield Early("early", latest)
        latest = "early"
    if config.indexer is not None:
        assert latest is not None
        yield Sparsify("sparse-start", latest, config.indexer.index_topk)
        latest = "imitator"
        yield Train(latest, config.indexer.train, start="sparse-start")
    if config.dagger is not None:
        assert latest is not None
        yield Dagger("own-examples", latest)
        yield Train("corrected", config.dagger.train, latest, tables={"examples": "own-examples"})


def _iteration(config: CotrainConfig, number: int, start: str) -> Iterator[Step]:
    """One iteration: verifier, meta-verifier where labels are exact, prover, generator.

    Verifier and prover take ``config.turns``: a prover learns to deceive a verifier that is not trained on its newer
    proofs. Models of the last turn have the names of the roles, and are measured; earlier ones have training logs.
    """
    n = f"{number}-"
    exact = number == 1 and not config.on_tables
    yield Prove(n + "proofs", start, exact=exact, iteration=number)
    labels, meta, verifier, prover = n + "proofs", start, start, start
    if exact:
        verifier, meta = n + "verifier-alone", n + "meta-verifier"
        yield from _first_judges(config, n, start, labels)
    else:
        if config.on_tables and config.has_rated_analyses:
            meta = n + "meta-verifier"
            yield from reinforce(config, Train(meta, config.meta_verifier, start))
            yield measure(config, meta)
        yield LabelProofs(n + "labels", start, meta, labels)
        labels = n + "labels"
    for turn in range(1, config.turns + 1):
        mark = "" if turn == config.turns else f"-turn-{turn}"
        proofs = n + "proofs"
        if turn > 1:
            proofs = labels = f"{n}proofs-turn-{turn}"
            yield Prove(proofs, prover, exact=exact, iteration=number, turn=turn)
        if turn > 1 and not exact:
            labels = f"{n}labels-turn-{turn}"
            yield LabelProofs(labels, verifier, meta, proofs)
        # Later labels are by the models alone: planted proofs, whose labels are exact, are left out.
        data = NONE if exact or config.on_tables else {"lab": "validation"}
        before, verifier = verifier, n + "verifier" + mark
        judges = {"meta_verifier": meta}
        tables = {"proofs": labels}
        yield from reinforce(config, Train(verifier, config.verifier_meta, before, tables, judges, data=data), turn)
        critiques = n + "critiques" + mark
        yield Analyze(critiques, verifier, proofs)
        before, prover = prover, n + "prover" + mark
        judges = {"verifier": verifier, "meta_verifier": meta}
        yield from reinforce(config, Train(prover, config.prover, before, {"critiques": critiques}, judges), turn)
    yield measure(config, verifier)
    yield measure(config, prover)
    specialists = {"prover": prover, "verifier": verifier, "meta_verifier": meta}
    yield from _generator(config, n, start, specialists, {"critiques": n + "critiques", **_labeled(config, labels)})


def _first_judges(config: CotrainConfig, n: str, start: str, labels: str) -> Iterator[Step]:
    """The verifier without R_meta, and the meta-verifier that is trained on its analyses."""
    alone, meta = n + "verifier-alone", n + "meta-verifier"
    yield from reinforce(config, Train(alone, config.verifier, start, tables={"proofs": labels}))
    yield Analyze(TEST_ANALYZES, alone, TEST_PROOFS)
    yield measure(config, alone)
    yield Analyze(n + "analyses", alone, labels, balance=True)
    yield from reinforce(config, Train(meta, config.meta_verifier, start, tables={"analyses": n + "analyses"}))
    yield measure(config, meta)


def _labeled(config: CotrainConfig, labels: str) -> Models:
    """The labeled proofs that a verifier of tables has in place of the lab's."""
    return {"proofs": labels} if config.on_tables else NONE


def _generator(config: CotrainConfig, n: str, start: str, specialists: Models, tables: Models) -> Iterator[Step]:
    """Every way to one model, each measured; the best is the generator, or ``start`` where none is as good."""
    wanted, candidates = config.generator, []
    for name, settings in wanted.merges.items():
        candidates.append(f"{n}merge-{name}")
        yield Merge(candidates[-1], start, *_merged(name, settings, start, specialists))
    if wanted.distill is not None:
        candidates.append(n + "distill")
        teachers = {**specialists, "refiner": specialists["prover"]}
        if config.on_tables:  # a kind without problems has no teacher
            mixture = wanted.distill.get("data", {}).get("mixture", {})
            teachers = {kind: model for kind, model in teachers.items() if mixture.get(kind)}
        yield Train(candidates[-1], wanted.distill, start, tables=tables, teachers=teachers)
    if start == "base":  # later iterations choose by the validation stream alone
        yield from (measure(config, name) for name in candidates)
    yield Select(n + "generator", (*candidates, start))
    yield measure(config, n + "generator", refine=True)


def _merged(name: str, settings: Changes, start: str, specialists: Models) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """The models of a merge and its settings: a specialist that did not change is left out."""
    changes = {"method": name, **settings}
    roles = changes.pop("models", specialists)
    if unknown := [role for role in roles if role not in specialists]:
        raise LemmataError(f"generator.merges.{name}.models: no role {unknown[0]!r}; roles: {', '.join(specialists)}")
    models = tuple(dict.fromkeys(specialists[role] for role in roles if specialists[role] != start))
    return models, changes
