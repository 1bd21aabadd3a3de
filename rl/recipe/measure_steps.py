"""Steps that measure a model: records on the test stream, and accuracies on the validation stream."""

from collections.abc import Iterable
from statistics import fmean

from core.json_lines import write_json_lines
from rl.recipe import measure
from rl.recipe.context import RecipeContext
from rl.recipe.step_types import Measure
from rl.tasks.tables import read_case_rows


def measure_model(context: RecipeContext, step: Measure) -> None:
    """Records of the model in all roles, one file for each role and kind of input."""
    config, folder, templates = context.config.measure, context.at(step.name), context.templates
    model = context.judge(step.model, "measure")
    theorems = context.theorems("test", config.problems)
    write_json_lines(folder / "prover.jsonl", measure.measure_prover(model, templates, theorems, config.samples))
    planted = context.cases("verify", "test", config.problems)
    write_json_lines(folder / "verifier.jsonl", measure.measure_verifier(model, templates, planted, config.analyses))
    real = read_case_rows(str(context.table(step.proofs)), ("label",))
    write_json_lines(folder / "verifier-real.jsonl", measure.measure_verifier(model, templates, real, config.analyses))
    reviewed = context.cases("review", "test", config.problems)
    write_json_lines(folder / "meta-verifier.jsonl", measure.measure_meta_verifier(model, templates, reviewed))
    if step.analyses:
        analyses = read_case_rows(str(context.table(step.analyses)), ("analysis", "quality"))
        write_json_lines(folder / "meta-verifier-real.jsonl", measure.measure_meta_verifier(model, templates, analyses))
    if step.refine:
        hard = context.theorems("test", config.hard_problems, levels=config.hard)
        records = measure.measure_refinement(model, templates, hard, config.chains, config.rounds)
        write_json_lines(folder / "refinement.jsonl", records)


def validate(context: RecipeContext, name: str, _step: str) -> dict[str, float | None]:
    """Accuracy of the model of step ``name`` in each role on the validation stream; None where nothing was asked."""
    model, templates, count = context.judge(name, "validation"), context.templates, context.config.measure.validation
    proofs = measure.measure_prover(model, templates, context.theorems("validation", count), 1)
    analyses = measure.measure_verifier(model, templates, context.cases("verify", "validation", count), 1)
    reviews = measure.measure_meta_verifier(model, templates, context.cases("review", "validation", count))
    return {
        "prover": _accuracy(record["truth"] == 1 for record in proofs),
        "verifier": _accuracy(record["score"] == record["label"] for record in analyses),
        "meta_verifier": _accuracy(record["rating"] == record["quality"] for record in reviews),
    }


def _accuracy(right: Iterable[bool]) -> float | None:
    values = list(right)
    return fmean(values) if values else None
