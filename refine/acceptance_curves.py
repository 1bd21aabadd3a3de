"""False-accept and false-reject curves: each acceptance rule over the number of analyses, by kind of proof.

A measurement is a run whose proofs have an exact label; the model of a proof names its kind (``kind: foreign``), and
intervals are by left side of the statements (`core.problems.cluster_of`). Pure functions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from core.document import Table
from core.log import read_log
from core.problems import cluster_of
from core.records import Label, Problem, Proof
from core.statistics import Estimate, Observation, share
from core.store import Run
from refine.acceptance import PROGRESSIVE, AcceptanceConfig, decide, recorded_rule, recorded_verdicts
from verifier.aggregate import Judged

COMMAND = "acceptance"  # of the runs that hold a measurement
EXACT = "exact"
KIND_PREFIX = "kind: "
OWN, OUTSIDE_DOMAIN = "own", "outside the domain"
ALL_WRONG = "all wrong proofs"


@dataclass(frozen=True, slots=True)
class JudgedProof:
    """A proof of a ``kind`` with its exact ``score`` and its analyses in the order of their indices."""

    kind: str
    cluster: str
    score: float
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The share of the proofs of one kind that one rule decides wrongly with the first ``n`` analyses.

    ``wrong`` proofs (exact score below 1) are accepted falsely, the others rejected falsely. ``analyses``: mean number
    of analyses that the rule asks for.
    """

    kind: str
    wrong: bool
    rule: str
    n: int
    share: Estimate
    analyses: float


def rules_of(config: AcceptanceConfig) -> dict[str, AcceptanceConfig]:
    """The rules that are compared; each needs one verdict, so that n = 1 can be compared too."""
    base = replace(config, min_verdicts=1, use_reviews="ignore", min_readable=0.75, min_perfect=0.75, min_mean=0.9)
    return {
        "unanimous": replace(base, rule="unanimous"),
        "unanimous, refuted left out": replace(base, rule="unanimous", use_reviews="filter"),
        "quorum (3/4 are 1)": replace(base, rule="quorum"),
        "mean (0.9)": replace(base, rule="mean"),
        PROGRESSIVE: replace(base, rule=PROGRESSIVE),
        "weighted (0.9)": replace(base, rule="weighted"),
    }


def read_cases(run: Run) -> Iterator[JudgedProof]:
    """Yields the proofs of a measurement that have an exact label and an analysis."""
    for path in run.log_paths():
        records = list(read_log(path))
        problem = records[0] if records else None
        if not isinstance(problem, Problem):
            continue
        cluster = cluster_of(problem)
        scores = {
            label.proof_id: label.score for label in records if isinstance(label, Label) and label.grader == EXACT
        }
        for proof in records:
            score = scores.get(proof.id) if isinstance(proof, Proof) else None
            if isinstance(proof, Proof) and score is not None:
                judged = tuple(recorded_verdicts(proof.id, records))
                if judged:
                    yield JudgedProof(_kind(problem, proof), cluster, score, judged)


def _kind(problem: Problem, proof: Proof) -> str:
    if proof.model.startswith(KIND_PREFIX):
        return proof.model.removeprefix(KIND_PREFIX)
    return str(problem.extra.get("kind", OWN))


def curves(cases: Sequence[JudgedProof], rules: Mapping[str, AcceptanceConfig]) -> list[CurvePoint]:
    """The points of every kind, rule and n = 1, 2, 4, ... up to the most analyses that a proof has."""
    most = max((len(case.judged) for case in cases), default=0)
    counts = [n for n in (1, 2, 3, 4, 6, 8, 12, 16, 32, 64) if n <= most]
    groups = [(kind, wrong) for kind in dict.fromkeys(case.kind for case in cases) for wrong in (True, False)]
    points = []
    for kind, wrong in [*groups, (ALL_WRONG, True)]:
        chosen = [case for case in cases if kind in (case.kind, ALL_WRONG) and (case.score < 1.0) == wrong]
        for rule, config in rules.items() if chosen else ():
            points += [_point(kind, wrong, rule, config, n, chosen) for n in counts]
    return points


def _point(
    kind: str, wrong: bool, rule: str, config: AcceptanceConfig, n: int, cases: Sequence[JudgedProof]
) -> CurvePoint:
    judged = [(case, case.judged[:n]) for case in cases if len(case.judged) >= n]
    missed = [Observation(case.cluster, float(decide(first, config).accepted == wrong)) for case, first in judged]
    asked = [_asked(first, config) for _, first in judged]
    return CurvePoint(kind, wrong, rule, n, share(missed), sum(asked) / len(asked) if asked else 0.0)


def _asked(judged: Sequence[Judged], config: AcceptanceConfig) -> int:
    """The number of analyses that the rule asks for: progressive judges stop at the first issue."""
    if config.rule != PROGRESSIVE:
        return len(judged)
    issues = (place for place, one in enumerate(judged, 1) if one.score is not None and one.score < 1.0)
    return next(issues, len(judged))


def tables(points: Sequence[CurvePoint]) -> list[tuple[str, Table]]:
    """A table for each kind of proof with a row for each rule, titled; and one of the analyses that rules ask for."""
    found = []
    for kind, wrong in dict.fromkeys((point.kind, point.wrong) for point in points):
        chosen = [point for point in points if (point.kind, point.wrong) == (kind, wrong)]
        counts = list(dict.fromkeys(point.n for point in chosen))
        cells = {(point.rule, point.n): point for point in chosen}
        rows = [
            [rule, *(_cell(cells[rule, n].share) for n in counts), round(cells[rule, counts[-1]].analyses, 1)]
            for rule in dict.fromkeys(point.rule for point in chosen)
        ]
        proofs, clusters = chosen[0].share.n, chosen[0].share.clusters
        caption = f"Percent [95 % interval]; {proofs} proofs about {clusters} left sides."
        columns = ["rule", *(f"n = {n}" for n in counts), f"analyses made at n = {counts[-1]}"]
        found.append((f"False {'accepts' if wrong else 'rejects'}: {kind}", Table(columns, rows, caption)))
    return found


def _cell(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    bounds = (
        ""
        if estimate.low is None or estimate.high is None
        else f" [{_percent(estimate.low)}, {_percent(estimate.high)}]"
    )
    return f"{_percent(estimate.value)}{bounds}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def measured(run: Run) -> list[CurvePoint]:
    """The curves of a measurement's run; empty where it holds no case."""
    config = recorded_rule(run.manifest["config"])
    return curves(list(read_cases(run)), rules_of(config)) if config is not None else []


def as_json(points: Sequence[CurvePoint]) -> list[dict]:
    """The points as plain values."""
    return [asdict(point) for point in points]
