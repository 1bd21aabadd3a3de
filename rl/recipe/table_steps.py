"""Steps that write a table to train on: proofs, analyses, labels, and SFT examples."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from core.errors import LemmataError
from core.ids import derive_seed
from core.json_lines import write_json_lines
from core.labeled_cases import write_cases
from core.problems import problem_id
from rl.recipe import collect, on_tables, sft_examples
from rl.recipe.context import RecipeContext
from rl.recipe.labeling import automatic_label
from rl.recipe.measure import coordinates
from rl.recipe.step_types import TEST_ANALYZES, Analyze, Dagger, LabelProofs, Prove
from rl.tasks.build import make_task
from rl.tasks.examples import write_examples
from rl.tasks.tables import Case, read_case_rows, read_cases


def dagger(context: RecipeContext, step: Dagger) -> None:
    """SFT examples on the model's own outputs, shuffled with as many of the lab's, so that these are not forgotten."""
    config, templates = context.config.dagger, context.templates
    assert config is not None
    model = context.judge(step.start, step.name, config.temperature)
    theorems = collect.theorems(context.stream("prove", "train"), config.problems)
    proofs = collect.prove(model, templates, theorems, config.samples)
    labeled = _balanced(context, step.name, list(collect.label_exactly(proofs)), "label")
    analyses = collect.with_analyses(labeled, collect.analyze(model, templates, labeled, 1))
    rated = _balanced(context, step.name, list(analyses), "quality")
    examples = [*sft_examples.on_proofs(labeled, templates), *sft_examples.on_analyses(rated, templates)]
    lab = make_task("generator", context.data, templates, "train", derive_seed(context.config.seed, step.name))
    examples += [lab.example(number) for number in range(len(examples))]
    Random(f"{context.config.seed} {step.name}").shuffle(examples)
    written = write_examples(context.table(step.name), examples)
    require_rows(written, f"no proof by {step.start} ended within measure.max_tokens")


def prove(context: RecipeContext, step: Prove) -> None:
    """Proofs to train on, or to measure verifiers on; the latter may be none, which is a result too."""
    training, measuring = context.config.on_policy_proofs, context.config.measure
    if context.config.on_tables:
        model = context.judge(step.prover, step.name, training.temperature)
        cases = collect.prove_problems(model, context.templates, on_tables.of_turn(context, step), training.samples)
        written = write_cases(context.table(step.name), cases)
        require_rows(written, f"no proof by {step.prover} ended within measure.max_tokens")
        return
    if step.split == "train":
        theorems = collect.theorems(context.stream("prove", "train", step.iteration, step.turn), training.problems)
        samples, temperature = training.samples, training.temperature
    else:
        theorems = context.theorems(step.split, measuring.problems)
        samples, temperature = measuring.samples, measuring.temperature
    cases = collect.prove(context.judge(step.prover, step.name, temperature), context.templates, theorems, samples)
    if step.exact:
        cases = list(collect.label_exactly(cases))
        cases = _balanced(context, step.name, cases, "label") if step.split == "train" else cases
    written = write_cases(context.table(step.name), cases)
    if step.split == "train":
        require_rows(written, f"no proof by {step.prover} ended within measure.max_tokens")


def analyze(context: RecipeContext, step: Analyze) -> None:
    """Analyses to train on, or to measure meta-verifiers on; the latter may be none."""
    cases = read_case_rows(str(context.table(step.proofs)), ())
    config = context.config.on_policy_proofs
    verifier = context.judge(step.verifier, step.name, config.temperature)
    found = list(collect.with_analyses(cases, collect.analyze(verifier, context.templates, cases, config.analyses)))
    rows = _balanced(context, step.name, found, "quality") if step.balance else found
    written = write_cases(context.table(step.name), rows)
    if step.name != TEST_ANALYZES:
        require_rows(written, f"no analysis by {step.verifier} has a score")


def label(context: RecipeContext, step: LabelProofs) -> None:
    """Automatic labels; the analyses and reviews behind them are kept in examined.jsonl for the report."""
    config, templates = context.config.labels, context.templates
    cases = read_cases(str(context.table(step.proofs)), ()).rows
    verifier, meta = context.labelers(step.name, step.verifier, step.meta_verifier)
    found = collect.analyze(verifier, templates, cases, config.analyses)
    examined = collect.review(meta, templates, cases, found, config.reviews)
    exact = collect.label_exactly(cases)
    write_json_lines(
        context.at(step.name) / "examined.jsonl",
        (
            {
                **(coordinates(case.theorem) or {"problem": problem_id(case.statement)}),
                "truth": case.label,
                "analyses": [{"score": one.score, "reviews": one.reviews} for one in group],
            }
            for case, group in zip(exact, examined, strict=True)
        ),
    )
    labels = [automatic_label(((one.score, one.reviews) for one in group), config) for group in examined]
    labeled = [replace(case, label=label) for case, label in zip(cases, labels, strict=True)]
    decided = [case for case in labeled if case.label is not None]
    written = write_cases(context.table(step.name), _balanced(context, step.name, decided, "label"))
    require_rows(written, f"no proof got a label by labels.rule (see {step.name}/examined.jsonl)")


def require_rows(written: int, problem: str) -> None:
    """Raises LemmataError where a table has no rows: a later step could not be trained on it."""
    if not written:
        raise LemmataError(f"{problem}: train longer before this step, or gather more, in another run=FOLDER")


def _balanced(context: RecipeContext, step: str, cases: Sequence[Case], column: str) -> list[Case]:
    return collect.balanced(cases, lambda case: getattr(case, column), f"{context.config.seed} {step}")
