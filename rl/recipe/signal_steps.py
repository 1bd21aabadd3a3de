"""Steps of the comparison of verifier signals: analyses to imitate, the best verifier, and what they are worth."""

import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import fmean
from typing import Any

from core.json_lines import write_json_lines
from lab.theorem import Theorem
from rl.recipe import measure
from rl.recipe.chains import verify_refine_chains
from rl.recipe.collect import balanced
from rl.recipe.config import SignalsConfig
from rl.recipe.context import IMITATION, RecipeContext
from rl.recipe.pass_rates import CHUNK, append_lines, read_measured
from rl.recipe.start_steps import copy_model
from rl.recipe.step_types import Imitate, MeasureLoop, MeasureVerifier, SelectVerifier
from rl.recipe.table_steps import require_rows
from rl.setup import task_of
from rl.task import Example
from rl.tasks.examples import write_examples
from rl.tasks.lab import LabTask, informed_prompt
from rl.tasks.problem_numbers import ListedTask, read_problem_numbers
from rl.tasks.tables import Case, read_case_rows
from rl.trained_judge import TrainedJudge

SAMPLED = "sampled.jsonl"  # grows by a problem at a time, and is gone on with by a repeated step
CHOICE = "winner.json"
REFINED = "verify-refine.jsonl"
Record = dict[str, Any]


def imitate(context: RecipeContext, step: Imitate) -> None:
    """Samples informed analyses up to the budget, and keeps those whose score is the exact label as SFT examples.

    At most half of the examples have one label. Raises LemmataError where no analysis has the right score.
    """
    config, folder = _signals(context), context.at(step.name)
    settings = context.training(step.train)
    sampling = settings.stages.rl.sampling
    model = context.judge(step.verifier, step.name, sampling.temperature, sampling.max_tokens)
    task = task_of(settings, settings.role, "train")
    numbers = read_problem_numbers(settings.data["problem_numbers"]) if isinstance(task, ListedTask) else None
    cases = task.task if isinstance(task, ListedTask) else task
    assert isinstance(cases, LabTask)
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_measured(folder / SAMPLED)
    while (spent := sum(row["tokens"] for row in rows)) < step.tokens:
        # As many problems at a time as the budget will last for, by the mean so far.
        count = max(1, min(CHUNK, len(rows) * (step.tokens - spent) // max(1, spent)))
        asked = [_case(cases, numbers, place) for place in range(len(rows), len(rows) + count)]
        new = _informed(model, cases, asked, config)
        totals = accumulate((row["tokens"] for row in new), initial=spent)
        within = [row for row, before in zip(new, totals, strict=False) if before < step.tokens]
        append_lines(folder / SAMPLED, within)
        rows += within
    kept = [
        Case(row["statement"], row["proof"], row["label"], text)
        for row in rows
        for text in dict.fromkeys(one["text"] for one in row["analyses"] if one["score"] == row["label"])
    ]
    chosen = balanced(kept, lambda case: case.label, f"{context.config.seed} {step.name}")
    written = write_examples(
        context.table(step.name),
        (Example(context.templates.verification(case.statement, case.proof), case.analysis) for case in chosen),
    )
    require_rows(written, f"no analysis by {step.verifier} has the right score, with the reference in its prompt")
    scores = [one["score"] == row["label"] for row in rows for one in row["analyses"]]
    summary = {
        "tokens": sum(row["tokens"] for row in rows),
        "problems": len(rows),
        "analyses": len(scores),
        "agreeing": fmean(scores) if scores else None,
        "examples": written,
    }
    (folder / IMITATION).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def _case(task: LabTask, numbers: Sequence[int] | None, place: int) -> tuple[Case, int]:
    """Case number ``place`` of those that training draws from, and how often they were gone through before."""
    draw, number = divmod(place, len(numbers)) if numbers else (0, place)
    return task.cases.case(numbers[number] if numbers else number), draw


def _informed(
    model: TrainedJudge, task: LabTask, asked: Sequence[tuple[Case, int]], config: SignalsConfig
) -> list[Record]:
    prompts = [informed_prompt(task.templates, case, config.reference) for case, _ in asked]
    draws = {draw for _, draw in asked}
    by_draw = {draw: [prompt for prompt, (_, own) in zip(prompts, asked, strict=True) if own == draw] for draw in draws}
    groups = {draw: iter(model.ask(own, config.analyses, draw)) for draw, own in by_draw.items()}
    rows = []
    for prompt, (case, draw) in zip(prompts, asked, strict=True):
        answers = next(groups[draw])
        rows.append(
            {
                "statement": case.statement,
                "proof": case.proof,
                "label": case.label,
                "tokens": model.prompt_tokens(prompt) + sum(answer.tokens for answer in answers),
                "analyses": [{"text": answer.text, "score": answer.score(case.proof)} for answer in answers],
            }
        )
    return rows


def select_verifier(context: RecipeContext, step: SelectVerifier) -> None:
    """By pass@1 after verify-and-refine on the validation stream, then by accuracy on planted proofs."""
    config, templates = context.config.measure, context.templates
    scores: dict[str, Record] = {}
    cases = context.cases("verify", "validation", config.validation)
    theorems = context.theorems("validation", config.validation)
    for arm in step.candidates:
        verifier = context.judge(arm, "validation")
        records = list(measure.measure_verifier(verifier, templates, cases, 1))
        chains = list(_verify_refine(context, step.prover, arm, theorems))
        scores[arm] = {
            "first": _passed(chains, 0),
            "refined": _passed(chains, -1),
            "accuracy": fmean(one["score"] == one["label"] for one in records),
        }
    best = max(scores, key=lambda arm: (scores[arm]["refined"], scores[arm]["accuracy"]))
    copy_model(context.model(best), context.model(step.name))
    text = json.dumps({"chosen": best, "validation": scores}, indent=2)
    (context.at(step.name) / CHOICE).write_text(text + "\n", encoding="utf-8")


def _passed(chains: Sequence[Record], place: int) -> float:
    return fmean(chain["rounds"][place]["truth"] == 1 for chain in chains)


def measure_verifier(context: RecipeContext, step: MeasureVerifier) -> None:
    """Records of planted proofs by kind, of real proofs, and of verify-and-refine on hard problems."""
    config, folder, templates = context.config.measure, context.at(step.name), context.templates
    verifier = context.judge(step.model, "measure")
    planted = context.planted("test", config.problems)
    cases = [case for case, _ in planted]
    records = measure.measure_verifier(verifier, templates, cases, config.analyses)
    kinds = (record | {"planted": planted[record["case"]][1]} for record in records)
    write_json_lines(folder / "verifier.jsonl", kinds)
    real = read_case_rows(str(context.table(step.proofs)), ("label",))
    write_json_lines(
        folder / "verifier-real.jsonl", measure.measure_verifier(verifier, templates, real, config.analyses)
    )
    write_json_lines(folder / REFINED, _verify_refine(context, step.prover, step.model, _hard(context)))


def measure_loop(context: RecipeContext, step: MeasureLoop) -> None:
    """Records of the prover's proofs, and of verify-and-refine on hard problems."""
    config, folder, templates = context.config.measure, context.at(step.name), context.templates
    theorems = context.theorems("test", config.problems)
    prover = context.judge(step.model, "measure")
    write_json_lines(folder / "prover.jsonl", measure.measure_prover(prover, templates, theorems, config.samples))
    write_json_lines(folder / REFINED, _verify_refine(context, step.model, step.verifier, _hard(context)))


def _hard(context: RecipeContext) -> list[Theorem]:
    config = context.config.measure
    return context.theorems("test", config.hard_problems, levels=config.hard)


def _verify_refine(context: RecipeContext, prover: str, verifier: str, theorems: Sequence[Theorem]) -> Iterator[Record]:
    """One record for each chain; the first proofs are the same whatever the verifier is."""
    config, measuring = _signals(context), context.config.measure
    wanted = [theorem for theorem in theorems for _ in range(config.chains)]
    found = verify_refine_chains(
        context.judge(prover, "verify-refine"),
        context.judge(verifier, "verify-refine"),
        context.templates,
        [theorem.statement for theorem in wanted],
        config.rounds,
        measuring.analyses,
    )
    for place, (theorem, rounds) in enumerate(zip(wanted, found, strict=True)):
        yield {
            **measure.coordinates(theorem),
            "chain": place % config.chains,
            "rounds": [
                {
                    **measure.proof_record(theorem, one.answer),
                    "scores": one.scores,
                    "accepted": one.accepted,
                    "verifier_tokens": one.verifier_tokens,
                }
                for one in rounds
            ],
        }


def _signals(context: RecipeContext) -> SignalsConfig:
    assert context.config.signals is not None
    return context.config.signals
