"""Frozen records of a run. Truth is append-only: a record is written once and never changed.

A record stands on its ``parents`` (a proof on the proof and the analyses it refines, an analysis on its proof, a review
on its analysis), so that the whole chain from the first proof to the chosen one can be walked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, get_args

from core.copies import COPY
from core.errors import LemmataError
from core.finish import cut_off
from core.plain_text import answer_text
from core.sections import split_proof

SCHEMA_VERSION = 2
IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and cost of one request. Stored on the first record of the request only, so that sums count it once."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Usage)))

    @property
    def total_tokens(self) -> int:
        """Prompt plus completion tokens (cached and reasoning tokens are parts of those)."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A statement to prove. ``id`` comes from the statement alone, so reordering a file never mis-assigns anything."""

    kind: ClassVar[str] = "problem"
    id: str
    statement: str
    name: str = ""
    source: str = ""
    reference: str | None = None
    answer: str | None = None
    guidelines: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Common fields of every generated text. ``text`` is the raw answer, ``reasoning`` the separate reasoning."""

    id: str
    problem_id: str
    parents: tuple[str, ...]
    round: int
    index: int
    policy: str
    model: str
    template: str
    prompt: str
    seed: int
    text: str
    reasoning: str | None = None
    finish_reason: str
    usage: Usage | None
    request: str
    seconds: float
    created: str

    @property
    def answer(self) -> str:
        """The raw answer as parsers take it: a ``<think>`` in it is prose where the reasoning arrived apart."""
        return answer_text(self.text, self.reasoning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof(Generated):
    """A proof attempt with the prover's own evaluation. ``faults`` lists what its answer lacks of the format."""

    kind: ClassVar[str] = "proof"
    self_score: float | None = None
    faults: tuple[str, ...] = ()

    @property
    def body(self) -> str | None:
        """The proof itself, as the verifier is shown it; None where the answer holds no proof of its own."""
        if self.template == IMPORTED:
            return None if self.faults or cut_off(self.finish_reason) else self.text
        if cut_off(self.finish_reason) or any(fault.startswith(COPY) for fault in self.faults):
            return None
        return split_proof(self.answer).body

    @property
    def self_evaluation(self) -> str | None:
        """The prover's own evaluation; None where the answer holds none."""
        return None if self.template == IMPORTED else split_proof(self.answer).self_evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis(Generated):
    """A verifier's analysis of one proof; ``score`` is None where none could be parsed; ``fault`` says why."""

    kind: ClassVar[str] = "analysis"
    proof_id: str
    score: float | None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Generated):
    """A meta-verifier's review of one analysis; ``score`` rates the analysis, not the proof."""

    kind: ClassVar[str] = "review"
    analysis_id: str
    score: float | None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading(Generated):
    """A judge's points for one proof, ``points`` of ``max_points``; None where they could not be parsed (``fault``)."""

    kind: ClassVar[str] = "grading"
    proof_id: str
    points: float | None
    max_points: float
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Generated):
    """A judge's choice between two proofs of a problem, shown in this order.

    ``score``: 1 where the first one is better, 0 where the second one is, 0.5 where neither is; None where no choice
    could be parsed (``fault``).
    """

    kind: ClassVar[str] = "comparison"
    first_id: str
    second_id: str
    score: float | None
    fault: str | None = None

    @property
    def preferred(self) -> str | None:
        """The id of the better proof; None where neither is, or no choice could be parsed."""
        return self.first_id if self.score == 1.0 else self.second_id if self.score == 0.0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscored:
    """A judge's whole answer without a readable verdict, held until it is asked for the verdict alone.

    ``record`` is the JSON value of the record that is written, with the verdict, once the follow-up is answered.
    """

    kind: ClassVar[str] = "unscored"
    id: str
    problem_id: str
    record: Mapping[str, Any]
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp(Generated):
    """The answer to a question for the verdict alone; its parent is the analysis, review or grading that it scores."""

    kind: ClassVar[str] = "follow_up"
    score: float | None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTurn(Generated):
    """A turn that ends with tool calls, on the way to the record ``answer_id`` of the kind ``role``.

    ``calls``: the id, name and arguments of each. Its parents are those of the answer and the outputs before it.
    """

    kind: ClassVar[str] = "tool_turn"
    answer_id: str
    role: str
    calls: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutput:
    """The output of one call of a turn, its parent: what the model is told, and nothing that a score is made of.

    ``status``: ok, error (the code raised), timeout or died (the tool's variables are gone), refused (it did not run).
    """

    kind: ClassVar[str] = "tool_output"
    id: str
    problem_id: str
    parents: tuple[str, ...]
    answer_id: str
    role: str
    index: int
    call_id: str
    tool: str
    arguments: str
    status: str
    text: str
    seconds: float
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSummary(Generated):
    """A model's summary of the turns so far, which takes their place in the prompt of the answer ``answer_id``."""

    kind: ClassVar[str] = "context_summary"
    answer_id: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextChange:
    """The turns ``dropped`` (ids) that a context policy took out of the prompt of the answer ``answer_id``.

    ``tokens_before`` and ``tokens_after``: estimates of the prompt's length.
    """

    kind: ClassVar[str] = "context_change"
    id: str
    problem_id: str
    parents: tuple[str, ...]
    answer_id: str
    role: str
    context_policy: str
    dropped: tuple[str, ...]
    tokens_before: int
    tokens_after: int
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAnswer(Generated):
    """An answer of a judge in training; ``problem_id`` is the digest of its prompt (`rl.endpoint_judge`)."""

    kind: ClassVar[str] = "judge_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A sample that was set aside: the server refused its prompt (context too long, content filter), or every attempt
    failed. It is not asked for again, except with ``retry=refused``. ``usage``: the tokens of the failed attempts.
    """

    kind: ClassVar[str] = "refusal"
    id: str
    problem_id: str
    parents: tuple[str, ...]
    role: str
    policy: str
    prompt: str
    seed: int
    error: str
    created: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A judgment of a proof that is not an analysis of this run: by a person, an imported grader, or automatic.

    ``score`` is on the scale 0..1; ``points`` of ``max_points`` where the grader used points. An undecided automatic
    label has score None and says so in ``reason``. With an ``analysis_id`` it judges that analysis of the proof (as a
    review does), not the proof. ``passage``: the part of the labeled text (the proof's body, or the analysis) to which
    it points, from character ``passage_start`` to ``passage_end``.
    """

    kind: ClassVar[str] = "label"
    id: str
    problem_id: str
    proof_id: str
    grader: str
    author: str
    score: float | None
    points: float | None = None
    max_points: float | None = None
    reason: str = ""
    created: str
    analysis_id: str | None = None
    passage: str | None = None
    passage_start: int | None = None
    passage_end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementReport:
    """A person's report that the statement of a problem is flawed: its proofs are not exported for training."""

    kind: ClassVar[str] = "report"
    id: str
    problem_id: str
    author: str
    reason: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """The withdrawal of a label or report by its author; an earlier label by the same author is in effect again."""

    kind: ClassVar[str] = "withdrawal"
    id: str
    problem_id: str
    withdrawn_id: str
    author: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The end of one problem: the chosen proof, by which rule, why, and whether it passed the acceptance test."""

    kind: ClassVar[str] = "selection"
    id: str
    problem_id: str
    proof_id: str | None
    rule: str
    accepted: bool
    mean_score: float | None
    verdicts: int
    self_score: float | None
    rounds: int
    reason: str
    created: str


Record = (
    Problem
    | Proof
    | Analysis
    | Review
    | Grading
    | Comparison
    | Unscored
    | FollowUp
    | ToolTurn
    | ToolOutput
    | ContextSummary
    | ContextChange
    | JudgeAnswer
    | Refusal
    | Label
    | StatementReport
    | Withdrawal
    | Selection
)
KINDS: dict[str, type[Any]] = {cls.kind: cls for cls in get_args(Record)}


def total_usage(records: Iterable[Record]) -> Usage:
    """The usage of all calls among ``records``."""
    usages = (record.usage for record in records if isinstance(record, Generated | Refusal) and record.usage)
    return sum(usages, start=Usage())


def to_json(record: Record) -> dict[str, Any]:
    """Plain JSON value of a record; ``kind`` first, so that a person can scan the file."""
    return {"kind": record.kind, **asdict(record)}


def from_json(value: Mapping[str, Any]) -> Record:
    """The record of a JSON value. Raises LemmataError for an unknown kind, a missing or an unknown field."""
    cls = KINDS.get(value.get("kind", ""))
    if cls is None:
        raise LemmataError(f"unknown record kind {value.get('kind')!r}; known: {', '.join(KINDS)}")
    arguments = {key: item for key, item in value.items() if key != "kind"}
    for name in ("parents", "faults", "calls", "dropped"):
        if name in arguments:
            arguments[name] = tuple(arguments[name])
    if arguments.get("usage") is not None:
        arguments["usage"] = Usage(**arguments["usage"])
    try:
        return cls(**arguments)
    except TypeError as error:
        raise LemmataError(f"a {cls.kind} record does not fit schema version {SCHEMA_VERSION}: {error}") from error
