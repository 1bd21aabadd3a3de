"""The recipe as a list of steps, each of which knows the folders it reads and the one it makes. Pure.

DeepSeekMath-V2, section 2: a cold start; the verifier by format and score; the meta-verifier on labeled analyses; the
verifier again with R_meta; the prover by the trained verifier; then all over again from the consolidated model, with
labels that the models make themselves. All specialists of an iteration start from one model, so that their weights can
be merged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import LemmataError
from rl.recipe.config import Changes, CotrainConfig

Models = Mapping[str, str]  # role: the step whose model plays it


@dataclass(frozen=True)
class Train:
    """Training as `lemmata train` does it: from the model of step ``start`` (None: a new one).

    ``tables``: settings of the data that name the table of a step; ``judges``: those that name its model.
    """

    name: str
    changes: Changes
    start: str | None = None
    tables: Models = field(default_factory=dict)
    judges: Models = field(default_factory=dict)
    teachers: Models = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sparsify:
    """The model of ``start`` with attention over ``index_topk`` tokens."""

    name: str
    start: str
    index_topk: int


@dataclass(frozen=True)
class Correct:
    """A table of worked examples on the own proofs and analyses of the model of ``start``, and as many on others."""

    name: str
    start: str


@dataclass(frozen=True)
class Prove:
    """A table of ``prover``'s own proofs on a ``split``, labeled by the truth, or not at all (``exact`` False).

    Each ``iteration`` has theorems of its own, and each ``turn`` of it.
    """

    name: str
    prover: str
    split: str = "train"
    exact: bool = True
    iteration: int = 0
    turn: int = 1


@dataclass(frozen=True)
class Analyze:
    """A table of ``verifier``'s analyses of the proofs of a step, with their exact quality.

    ``balance``: at most half of them of one quality.
    """

    name: str
    verifier: str
    proofs: str
    balance: bool = False


@dataclass(frozen=True)
class Label:
    """A table of the proofs of a step with labels by ``verifier`` and ``meta_verifier`` alone."""

    name: str
    verifier: str
    meta_verifier: str
    proofs: str


@dataclass(frozen=True)
class Merge:
    """A merge of weights."""

    name: str
    base: str
    models: tuple[str, ...]
    settings: Changes


@dataclass(frozen=True)
class Reject:
    """A table of the specialists' best answers: by labels and by judges, as in their own training."""

    name: str
    specialists: Models
    proofs: str
    analyses: str
    critiques: str
    planted: bool


@dataclass(frozen=True)
class Select:
    """The best of the candidates by validation, as a model of its own."""

    name: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """Records of a model on the test stream, on the real ``proofs`` and ``analyses`` of two steps beside planted ones.

    ``refine``: self-refinement too.
    """

    name: str
    model: str
    proofs: str
    analyses: str | None = None
    refine: bool = False


TEST_PROOFS, TEST_ANALYZES = "test-proofs", "test-analyses"
Step = Train | Sparsify | Correct | Prove | Analyze | Label | Merge | Reject | Select | Measure


def plan(config: CotrainConfig) -> list[Step]:
    """All steps in their order. Raises LemmataError where a merge names a role that there is not."""
    steps = list(_start(config))
    start = "base"
    for number in range(1, config.iterations + 1):
        steps += _iteration(config, number, start)
        start = f"{number}-generator"
    return steps


def _start(config: CotrainConfig) -> Iterator[Step]:
    """The cold start, whose last model is the base of all others."""
    imitator = "base" if config.own is None else "imitator"
    if config.indexer is None:
        yield Train(imitator, config.cold_start)
    else:
        yield Train("cold-start", config.cold_start)
        yield Sparsify("sparse-start", "cold-start", config.indexer.index_topk)
        yield Train(imitator, config.indexer.train, start="sparse-start")
    if config.own is not None:
        yield Correct("own-examples", imitator)
        yield Train("base", config.own.train, imitator, tables={"examples": "own-examples"})
    yield Prove(TEST_PROOFS, "base", split="test")
    yield Measure("measure-base", "base", TEST_PROOFS, refine=True)


def _iteration(config: CotrainConfig, number: int, start: str) -> Iterator[Step]:
    """One iteration: verifier, meta-verifier where labels are exact, prover, generator.

    Verifier and prover take ``config.turns``: a verifier that never sees what the prover has learnt is deceived by it.
    The last turn's have the names of the roles, and are measured; how the others did, their trainings' logs tell.
    """
    n = f"{number}-"
    exact = number == 1
    yield Prove(n + "proofs", start, exact=exact, iteration=number)
    labels, meta, verifier, prover = n + "proofs", start, start, start
    if exact:
        verifier, meta = n + "verifier-alone", n + "meta-verifier"
        yield from _first_judges(config, n, start, labels)
    else:
        yield Label(n + "labels", start, start, labels)
        labels = n + "labels"
    for turn in range(1, config.turns + 1):
        mark = "" if turn == config.turns else f"-turn-{turn}"
        proofs = n + "proofs"
        if turn > 1:
            proofs = labels = f"{n}proofs-turn-{turn}"
            yield Prove(proofs, prover, exact=exact, iteration=number, turn=turn)
        if turn > 1 and not exact:
            labels = f"{n}labels-turn-{turn}"
            yield Label(labels, verifier, meta, proofs)
        # Later labels come from the models alone: no planted proofs, whose labels are exact, stand beside them.
        data, tables = {} if exact else {"planted": False}, {"proofs": labels}
        before, verifier = verifier, n + "verifier" + mark
        yield Train(verifier, config.verifier_meta, before, tables=tables, judges={"meta_verifier": meta}, data=data)
        critiques = n + "critiques" + mark
        yield Analyze(critiques, verifier, proofs)
        before, prover = prover, n + "prover" + mark
        judges = {"verifier": verifier, "meta_verifier": meta}
        yield Train(prover, config.prover, before, tables={"critiques": critiques}, judges=judges)
    yield _measure(verifier)
    yield _measure(prover)
    specialists = {"prover": prover, "verifier": verifier, "meta_verifier": meta}
    # Labels of analyses are those of the first iteration, then too.
    tables = {"proofs": labels, "analyses": "1-analyses", "critiques": n + "critiques"}
    yield from _generator(config, n, start, specialists, tables)


def _first_judges(config: CotrainConfig, n: str, start: str, labels: str) -> Iterator[Step]:
    """The verifier without R_meta, and the meta-verifier that its analyses teach."""
    alone, meta = n + "verifier-alone", n + "meta-verifier"
    yield Train(alone, config.verifier, start, tables={"proofs": labels})
    yield Analyze(TEST_ANALYZES, alone, TEST_PROOFS)
    yield _measure(alone)
    yield Analyze(n + "analyses", alone, labels, balance=True)
    yield Train(meta, config.meta_verifier, start, tables={"analyses": n + "analyses"})
    yield _measure(meta)


def _measure(model: str, *, refine: bool = False) -> Measure:
    return Measure(f"measure-{model}", model, TEST_PROOFS, TEST_ANALYZES, refine)


def _generator(config: CotrainConfig, n: str, start: str, specialists: Models, tables: Models) -> Iterator[Step]:
    """Every way to one model, each measured; the best goes on, where none is as good, the one that was there."""
    planted = n == "1-"
    wanted, candidates = config.generator, []
    for name, settings in wanted.merges.items():
        changes = {"method": name, **settings}
        roles = changes.pop("models", specialists)
        if unknown := [role for role in roles if role not in specialists]:
            raise LemmataError(
                f"generator.merges.{name}.models: no role {unknown[0]!r}; there are {', '.join(specialists)}"
            )
        models = tuple(dict.fromkeys(specialists[role] for role in roles if specialists[role] != start))
        candidates.append(f"{n}merge-{name}")
        yield Merge(candidates[-1], start, models, changes)
    if wanted.rejection is not None:
        yield Reject(n + "examples", specialists, **tables, planted=planted)
        candidates.append(n + "rejection")
        yield Train(candidates[-1], wanted.rejection, start, tables={"examples": n + "examples"})
    if wanted.distill is not None:
        candidates.append(n + "distill")
        teachers = {**specialists, "refiner": specialists["prover"]}
        yield Train(candidates[-1], wanted.distill, start, tables={"critiques": n + "critiques"}, teachers=teachers)
    if start == "base":  # one table of all ways; later iterations choose by validation alone
        yield from map(_measure, candidates)
    chosen = n + ("selected" if wanted.mixed is not None else "generator")
    yield Select(chosen, (*candidates, start))
    if wanted.mixed is not None:
        judges = {"verifier": specialists["verifier"], "meta_verifier": specialists["meta_verifier"]}
        data = {} if planted else {"planted": False}
        yield Train(n + "generator", wanted.mixed, chosen, tables=tables, judges=judges, data=data)
    yield _measure(n + "generator", refine=True)
