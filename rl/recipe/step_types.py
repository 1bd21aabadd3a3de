"""Steps of the recipe as data: each has a name, and the names of the steps whose folders it reads. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rl.recipe.config import Changes

Models = Mapping[str, str]  # role: name of the step whose model plays it


@dataclass(frozen=True)
class Train:
    """Training as by `lemmata train`, from the model of step ``start`` (None: the settings name it, or a new one).

    ``tables``: by name of a data setting, the step whose table it is; ``judges`` and ``teachers``: by role, the step
    whose model it is; ``data``: further data settings. ``budget``: computed tokens after which it ends, those that the
    steps ``spent`` have computed among them; None: that of the settings.
    """

    name: str
    changes: Changes
    start: str | None = None
    tables: Models = field(default_factory=dict)
    judges: Models = field(default_factory=dict)
    teachers: Models = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    budget: int | None = None
    spent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """A copy of the model in ``folder``, or ``pkg://PACKAGE/FOLDER``."""

    name: str
    folder: str


@dataclass(frozen=True)
class Early:
    """A copy of the kept checkpoint of a training whose pass rate is nearest to the middle of the wanted range.

    ``start``: the step that trained; None: the run that the settings name.
    """

    name: str
    start: str | None


@dataclass(frozen=True)
class PassRates:
    """A table of the problems of ``train`` by their pass rate, measured before it; ``first``: the first problem."""

    name: str
    train: Train
    first: int = 0


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

    Each ``turn`` of each ``iteration`` has its own theorems, or its own problems of a table while there are any.
    """

    name: str
    prover: str
    split: str = "train"
    exact: bool = True
    iteration: int = 0
    turn: int = 1


@dataclass(frozen=True)
class Analyze:
    """A table of ``verifier``'s analyses of the proofs of a step, with their exact quality where that is known.

    ``balance``: at most half of them of one quality.
    """

    name: str
    verifier: str
    proofs: str
    balance: bool = False


@dataclass(frozen=True)
class LabelProofs:
    """A table of the proofs of a step with labels by ``verifier`` and ``meta_verifier`` alone, or by the models that
    ``labels`` names in their place.
    """

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


@dataclass(frozen=True)
class MeasureOnTables:
    """Records of a model on the validation problems of tables: its proofs are labeled as those of training, by the
    models that ``labels`` names, else by ``judge``; its scores are compared with labeled validation proofs.

    ``refine``: with self-refinement.
    """

    name: str
    model: str
    judge: str = "base"
    refine: bool = False


@dataclass(frozen=True)
class Imitate:
    """A table of SFT examples for ``verifier``: its own analyses of the cases of ``train``, written with a reference in
    the prompt, as far as their score is the exact label; the prompts of the examples have no reference.

    Sampling ends after ``tokens`` computed tokens.
    """

    name: str
    verifier: str
    train: Train
    tokens: int


@dataclass(frozen=True)
class SelectVerifier:
    """A copy of the verifier that helps ``prover`` most, by verify-and-refine on the validation stream."""

    name: str
    candidates: tuple[str, ...]
    prover: str


@dataclass(frozen=True)
class MeasureVerifier:
    """Records of a verifier on the test stream: planted and real ``proofs``, and verify-and-refine by ``prover``."""

    name: str
    model: str
    prover: str
    proofs: str


@dataclass(frozen=True)
class MeasureLoop:
    """Records of a prover on the test stream: its proofs, and verify-and-refine with ``verifier``."""

    name: str
    model: str
    verifier: str


TEST_PROOFS, TEST_ANALYZES = "test-proofs", "test-analyses"
VALIDATION_PROOFS, VALIDATION_LABELS, VALIDATION_CRITIQUES = (
    f"validation-{kind}" for kind in ("proofs", "labels", "critiques")
)
Start = Copy | Early | Sparsify | Dagger
Tables = PassRates | Prove | Analyze | LabelProofs | Imitate
Measures = Measure | MeasureOnTables | MeasureVerifier | MeasureLoop
Step = Train | Start | Tables | Merge | Select | SelectVerifier | Measures
