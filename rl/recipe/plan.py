"""Plan of the recipe: a list of steps, each with the steps whose folders it reads. Pure.

DeepSeekMath-V2, section 2: a cold start; the verifier by format and score; the meta-verifier on labeled analyses; the
verifier again with R_meta; the prover by the trained verifier; then the same from the consolidated model, with labels
by the models themselves. All specialists of an iteration start from one model, so that their weights can
be merged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import LemmataError
from rl.recipe.config import Changes, CotrainConfig

Models = Mapping[str, str]  # role: name of the step whose model plays it


@dataclass(frozen=True)
class Train:
    """Training as by `lemmata train`, from the model of step ``start`` (None: the settings name it, or a new one).

    ``tables``: by name of a data setting, the step whose table it is; ``judges`` and ``teachers``: by role, the step
    whose model it is; ``data``: further data settings.
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
class Dagger:
    """A table of SFT examples (DAgger) on proofs and analyses by ``start``'s model, and as many of the lab's own."""

    name: str
    start: str


@dataclass(frozen=True)
class Prove:
    """A table of ``prover``'s proofs on a ``split``, with exact labels, or without any (``exact`` False).

    Each ``turn`` of each ``iteration`` has its own theorems.
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
class RejectionSampling:
    """A table of the specialists' best answers, by the same labels and judges as their training."""

    name: str
    specialists: Models
    proofs: str
    analyses: str
    critiques: str
    planted: bool


@dataclass(frozen=True)
class Select:
    """A copy of the candidate that is best on the validation stream."""

    name: str
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """Records of a model on the test stream, and on the real ``proofs`` and ``analyses`` of two steps.

    ``refine``: with self-refinement.
    """

    name: str
    model: str
    proofs: str
    analyses: str | None = None
    refine: bool = False


TEST_PROOFS, TEST_ANALYZES = "test-proofs", "test-analyses"
Step = Train | Sparsify | Dagger | Prove | Analyze | Label | Merge | RejectionSampling | Select | Measure


def plan(config: CotrainConfig) -> list[Step]:
    """All steps in order. Raises LemmataError where a merge names an unknown role."""
    steps = list(_start(config))
    start = "base"
    for number in range(1, config.iterations + 1):
        steps += _iteration(config, number, start)
        start = f"{number}-generator"
    return steps


def _start(config: CotrainConfig) -> Iterator[Step]:
    """The cold start, which ends with the model ``base``, from which all others are trained."""
    imitator = "base" if config.dagger is None else "imitator"
    if config.indexer is None:
        yield Train(imitator, config.cold_start)
    else:
        yield Train("cold-start", config.cold_start)
        yield Sparsify("sparse-start", "cold-start", config.indexer.index_topk)
        yield Train(imitator, config.indexer.train, start="sparse-start")
    if config.dagger is not None:
        yield Dagger("own-examples", imitator)
        yield Train("base", config.dagger.train, imitator, tables={"examples": "own-examples"})
    yield Prove(TEST_PROOFS, "base", split="test")
    yield Measure("measure-base", "base", TEST_PROOFS, refine=True)


def _iteration(config: CotrainConfig, number: int, start: str) -> Iterator[Step]:
    """One iteration: verifier, meta-verifier where labels are exact, prover, generator.

    Verifier and prover take ``config.turns``: a prover learns to deceive a verifier that is not trained on its newer
    proofs. Models of the last turn have the names of the roles, and are measured; earlier ones have training logs.
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
        # Later labels are by the models alone: planted proofs, whose labels are exact, are left out.
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
    # Labels of analyses are those of the first iteration in later ones too.
    tables = {"proofs": labels, "analyses": "1-analyses", "critiques": n + "critiques"}
    yield from _generator(config, n, start, specialists, tables)


def _first_judges(config: CotrainConfig, n: str, start: str, labels: str) -> Iterator[Step]:
    """The verifier without R_meta, and the meta-verifier that is trained on its analyses."""
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
    """Every way to one model, each measured; the best goes on, or ``start`` where none is as good."""
    planted = n == "1-"
    wanted, candidates = config.generator, []
    for name, settings in wanted.merges.items():
        changes = {"method": name, **settings}
        roles = changes.pop("models", specialists)
        if unknown := [role for role in roles if role not in specialists]:
            raise LemmataError(
                f"generator.merges.{name}.models: no role {unknown[0]!r}; roles: {', '.join(specialists)}"
            )
        models = tuple(dict.fromkeys(specialists[role] for role in roles if specialists[role] != start))
        candidates.append(f"{n}merge-{name}")
        yield Merge(candidates[-1], start, models, changes)
    if wanted.rejection is not None:
        yield RejectionSampling(n + "examples", specialists, **tables, planted=planted)
        candidates.append(n + "rejection")
        yield Train(candidates[-1], wanted.rejection, start, tables={"examples": n + "examples"})
    if wanted.distill is not None:
        candidates.append(n + "distill")
        teachers = {**specialists, "refiner": specialists["prover"]}
        yield Train(candidates[-1], wanted.distill, start, tables={"critiques": n + "critiques"}, teachers=teachers)
    if start == "base":  # later iterations choose by the validation stream alone
        yield from map(_measure, candidates)
    chosen = n + ("selected" if wanted.mixed is not None else "generator")
    yield Select(chosen, (*candidates, start))
    if wanted.mixed is not None:
        judges = {"verifier": specialists["verifier"], "meta_verifier": specialists["meta_verifier"]}
        data = {} if planted else {"planted": False}
        yield Train(n + "generator", wanted.mixed, chosen, tables=tables, judges=judges, data=data)
    yield _measure(n + "generator", refine=True)
