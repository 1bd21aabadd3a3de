"""The recipe on tables of problems, whose truth nobody knows: problems of each turn, measurement, and its summary.

Proofs of the validation problems are labeled as those of training are: n analyses, m reviews of each that reports an
issue, and the rule. The labelers are the same for every model of a run, so that these can be compared.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from core.errors import LemmataError
from core.json_lines import write_json_lines
from core.problems import problem_id
from core.statistics import Estimate, Observation, share
from prover.attempt import read_attempt
from rl.judge import Judge
from rl.recipe import collect
from rl.recipe.chains import refine_chains
from rl.recipe.context import RecipeContext
from rl.recipe.labeling import automatic_label
from rl.recipe.measure import measure_verifier
from rl.recipe.step_types import MeasureOnTables, Prove
from rl.task import Answer
from rl.tasks.tables import Case

Record = dict[str, Any]
Labelers = tuple[Judge, Judge]  # verifier and meta-verifier
SUMMARY = "summary.json"


def check_tables(context: RecipeContext) -> None:
    """Raises LemmataError where a table cannot be read, or there is no problem to train on or to validate on."""
    for split in ("train", "validation"):
        if not context.table_cases("problems", split):
            raise LemmataError(
                f"train.data.problems: no problem is for {split}; set train.data.validation.problems=TABLE, or "
                "train.data.validation.share to hold out a fraction of the problems (0.2)"
            )
    context.table_cases("proofs", "validation")


def of_turn(context: RecipeContext, step: Prove) -> list[Case]:
    """The problems of a turn: those that follow the turn before, and from the first again after the last.

    In validation: the first ones.
    """
    cases, count = context.table_cases("problems", step.split), context.config.on_policy_proofs.problems
    if step.split != "train":
        return cases[:count]
    first = ((step.iteration - 1) * context.config.turns + step.turn - 1) * count
    return [cases[place % len(cases)] for place in range(first, first + min(count, len(cases)))]


def measure_model(context: RecipeContext, step: MeasureOnTables) -> None:
    """Records of the model's proofs, of its scores of labeled proofs, and of its refinement; and their summary."""
    config, folder = context.config.measure, context.at(step.name)
    model, labelers = context.judge(step.model, "measure"), context.labelers(step.name, step.judge, step.judge)
    problems = context.table_cases("problems", "validation")
    proofs = list(measure_prover(context, model, labelers, problems[: config.problems], config.samples))
    write_json_lines(folder / "prover.jsonl", proofs)
    found = {"complete": _complete(proofs), "undecided": sum(record["label"] is None for record in proofs)}
    cases = context.table_cases("proofs", "validation")[: config.problems]
    if cases:
        scores = list(measure_verifier(model, context.templates, cases, config.analyses))
        write_json_lines(folder / "verifier.jsonl", scores)
        observed = [(cases[record["case"]].statement, record["score"] == record["label"]) for record in scores]
        found["exact_scores"] = share(Observation(*each) for each in observed).as_dict()
    if step.refine:
        hard = [case for case in problems[: config.hard_problems] for _ in range(config.chains)]
        chains = list(measure_refinement(context, model, labelers, hard, config.rounds))
        write_json_lines(folder / "refinement.jsonl", chains)
        for name, place in (("complete_first", 0), ("complete_last", -1)):
            found[name] = _complete([{**chain, **chain["rounds"][place]} for chain in chains])
    (folder / SUMMARY).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measure_prover(
    context: RecipeContext, model: Judge, labelers: Labelers, problems: Sequence[Case], samples: int
) -> Iterator[Record]:
    """Records of ``samples`` proofs of each problem; a problem whose prompt leaves no room has none."""
    groups = model.ask([context.templates.proof(case.statement) for case in problems], samples)
    pairs = [(case, answer) for case, group in zip(problems, groups, strict=True) for answer in group]
    labels = label_answers(context, labelers, pairs)
    for (case, answer), label in zip(pairs, labels, strict=True):
        yield {"problem": problem_id(case.statement), "name": case.problem, **_proof_record(answer, label)}


def measure_refinement(
    context: RecipeContext, model: Judge, labelers: Labelers, problems: Sequence[Case], rounds: int
) -> Iterator[Record]:
    """Records of one chain of self-refinement for each of ``problems``, of at most ``rounds`` proofs each."""
    chains = refine_chains(model, context.templates, [case.statement for case in problems], rounds)
    pairs = [(case, answer) for case, chain in zip(problems, chains, strict=True) for answer in chain]
    labels = iter(label_answers(context, labelers, pairs))
    for case, chain in zip(problems, chains, strict=True):
        records = [_proof_record(*each) for each in zip(chain, islice(labels, len(chain)), strict=True)]
        yield {"problem": problem_id(case.statement), "name": case.problem, "rounds": records}


def label_answers(
    context: RecipeContext, labelers: Labelers, pairs: Sequence[tuple[Case, Answer]]
) -> list[float | None]:
    """Labels of the proofs in answers: 0 without a proof, None where the rule does not decide."""
    verifier, meta = labelers
    config, templates = context.config.labels, context.templates
    bodies = [read_attempt(answer.text, truncated=answer.truncated).body for _, answer in pairs]
    cases = list({(case.statement, body): None for (case, _), body in zip(pairs, bodies, strict=True) if body})
    asked = [Case(statement, body) for statement, body in cases]
    analyses = collect.analyze(verifier, templates, asked, config.analyses)
    examined = collect.review(meta, templates, asked, analyses, config.reviews)
    decided = [automatic_label(((one.score, one.reviews) for one in group), config) for group in examined]
    labels = dict(zip(cases, decided, strict=True))
    return [labels[case.statement, body] if body else 0.0 for (case, _), body in zip(pairs, bodies, strict=True)]


def validate(context: RecipeContext, name: str, step: str) -> dict[str, float | None]:
    """Accuracy of the model of step ``name`` on validation problems, and on labeled validation proofs if there are any.

    ``step``: whose folder keeps the answers of servers.
    """
    config, model = context.config.measure, context.judge(name, "validation")
    labelers = context.labelers(step, "base", "base")
    problems = context.table_cases("problems", "validation")[: config.validation]
    proofs = list(measure_prover(context, model, labelers, problems, 1))
    cases = context.table_cases("proofs", "validation")[: config.validation]
    scores = list(measure_verifier(model, context.templates, cases, 1))
    return {
        "prover": fmean(record["label"] == 1 for record in proofs) if proofs else None,
        "verifier": fmean(record["score"] == record["label"] for record in scores) if scores else None,
    }


def summaries(folder: Path) -> Iterator[str]:
    """One line for each measured model of the run in ``folder``."""
    for path in sorted(folder.glob(f"steps/measure-*/{SUMMARY}")):
        values = json.loads(path.read_text(encoding="utf-8"))
        shown = [f"{key} {_shown(value)}" for key, value in values.items()]
        yield f"{path.parent.name.removeprefix('measure-')}: {', '.join(shown)}"


def _shown(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    estimate = Estimate(**value)
    if estimate.value is None:
        return "-"
    interval = f" [{estimate.low:.2f}, {estimate.high:.2f}]" if estimate.low is not None else ""
    return f"{estimate.value:.2f}{interval} of {estimate.n}"


def _proof_record(answer: Answer, label: float | None) -> Record:
    attempt = read_attempt(answer.text, truncated=answer.truncated)
    return {"label": label, "self_score": attempt.self_score, "format": not attempt.faults, "tokens": answer.tokens}


def _complete(records: Sequence[Record]) -> dict[str, Any]:
    """The fraction of proofs that the labelers call complete, with its interval by problem; undecided ones count."""
    return share(Observation(record["problem"], float(record["label"] == 1)) for record in records).as_dict()
