"""What each kind of step does."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from statistics import fmean

import torch

from core.errors import LemmataError
from core.ids import derive_seed
from core.json_lines import write_json_lines
from core.labeled_cases import write_cases
from model.checkpoint import load_pretrained, save_pretrained
from model.initialize import empty_model
from model.tokenizer import load_tokenizer
from rl.judge import Judges
from rl.merging.merge import merge
from rl.parallel import Parallel
from rl.recipe import collect, measure, sft_examples
from rl.recipe.context import RecipeContext
from rl.recipe.labeling import automatic_label
from rl.recipe.plan import (
    TEST_ANALYZES,
    Analyze,
    Correct,
    Label,
    Measure,
    Merge,
    Prove,
    Reject,
    Select,
    Sparsify,
    Step,
    Train,
)
from rl.setup import make_trainer
from rl.tasks.build import make_task
from rl.tasks.examples import write_examples
from rl.tasks.tables import Case, read_case_rows, read_cases
from rl.trainer import Report


def run_step(shop: RecipeContext, step: Step, parallel: Parallel, report: Report, stopping: Callable[[], bool]) -> bool:
    """Do a step; False where training was told to stop before its end."""
    if isinstance(step, Train):
        settings = shop.training(step)
        return make_trainer(settings, shop.at(step.name), parallel, report, stopping).run()
    HANDLERS[type(step)](shop, step)
    return True


def _sparsify(shop: RecipeContext, step: Sparsify) -> None:
    """The same weights; only the number of tokens that attention is over changes."""
    dense = load_pretrained(shop.model(step.start))
    sparse = empty_model(replace(dense.config, index_topk=step.index_topk), torch.float32)
    sparse.load_state_dict(dense.state_dict())
    save_pretrained(sparse, shop.model(step.name), load_tokenizer(shop.model(step.start)))


def _correct(shop: RecipeContext, step: Correct) -> None:
    """Shuffled, the lab's own examples among them, so that what was learnt before is not lost."""
    wanted, prompts = shop.config.own, shop.templates
    assert wanted is not None
    model = shop.judge(step.start, step.name, wanted.temperature)
    proofs = collect.prove(
        model, prompts, collect.theorems(shop.stream("prove", "train"), wanted.problems), wanted.samples
    )
    labeled = _balanced(shop, step.name, list(collect.label_exactly(proofs)), "label")
    analyses = collect.with_analyses(labeled, collect.analyze(model, prompts, labeled, 1))
    rated = _balanced(shop, step.name, list(analyses), "quality")
    examples = [*sft_examples.on_proofs(labeled, prompts), *sft_examples.on_analyses(rated, prompts)]
    others = make_task("generator", shop.data, prompts, "train", derive_seed(shop.config.seed, step.name))
    examples += [others.example(number) for number in range(len(examples))]
    Random(f"{shop.config.seed} {step.name}").shuffle(examples)
    made = write_examples(shop.table(step.name), examples)
    require_rows(made, f"no proof by {step.start} ended within measure.max_tokens")


def _prove(shop: RecipeContext, step: Prove) -> None:
    fresh, measured = shop.config.fresh, shop.config.measure
    if step.split == "train":
        wanted = collect.theorems(shop.stream("prove", "train", step.iteration, step.turn), fresh.problems)
        samples, temperature = fresh.samples, fresh.temperature
    else:
        wanted = shop.theorems(step.split, measured.problems)
        samples, temperature = measured.samples, measured.temperature
    cases = collect.prove(shop.judge(step.prover, step.name, temperature), shop.templates, wanted, samples)
    if step.exact:
        cases = list(collect.label_exactly(cases))
        cases = _balanced(shop, step.name, cases, "label") if step.split == "train" else cases
    made = write_cases(shop.table(step.name), cases)
    if step.split == "train":  # a measurement may be over no proof, which is its result
        require_rows(made, f"no proof by {step.prover} ended within measure.max_tokens")


def _analyze(shop: RecipeContext, step: Analyze) -> None:
    cases = read_case_rows(str(shop.table(step.proofs)), ())
    fresh = shop.config.fresh
    verifier = shop.judge(step.verifier, step.name, fresh.temperature)
    analyses = collect.analyze(verifier, shop.templates, cases, fresh.analyses)
    found = list(collect.with_analyses(cases, analyses))
    made = write_cases(shop.table(step.name), _balanced(shop, step.name, found, "quality") if step.balance else found)
    if step.name != TEST_ANALYZES:
        require_rows(made, f"no analysis by {step.verifier} has a score")


def _label(shop: RecipeContext, step: Label) -> None:
    """All that labeling rests on is kept beside the table: the curve over n, m and k is made of it."""
    wanted = shop.config.labels
    cases = read_cases(str(shop.table(step.proofs)), ()).rows
    found = collect.analyze(shop.judge(step.verifier, step.name), shop.templates, cases, wanted.analyses)
    meta = shop.judge(step.meta_verifier, step.name)
    examined = collect.review(meta, shop.templates, cases, found, wanted.reviews)
    exact = collect.label_exactly(cases)
    write_json_lines(
        shop.at(step.name) / "examined.jsonl",
        (
            {
                **measure.coordinates(case.theorem),
                "truth": case.label,
                "analyses": [{"score": one.score, "reviews": one.reviews} for one in group],
            }
            for case, group in zip(exact, examined, strict=True)
        ),
    )
    labels = [automatic_label(((one.score, one.reviews) for one in group), wanted) for group in examined]
    labeled = [replace(case, label=label) for case, label in zip(cases, labels, strict=True)]
    decided = [case for case in labeled if case.label is not None]
    made = write_cases(shop.table(step.name), _balanced(shop, step.name, decided, "label"))
    require_rows(made, f"no proof got a label by labels.rule; {step.name}/examined.jsonl has the analyses and reviews")


def _balanced(shop: RecipeContext, step: str, cases: Sequence[Case], column: str) -> list[Case]:
    return collect.balanced(cases, lambda case: getattr(case, column), f"{shop.config.seed} {step}")


def _merge(shop: RecipeContext, step: Merge) -> None:
    out = shop.model(step.name)
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    merge(shop.merging(step))


def _reject(shop: RecipeContext, step: Reject) -> None:
    """Answers of the specialists that the judges, or the labels, find good; no exact truth beyond the labels."""
    count, judged = shop.config.generator.examples, shop.data.judges
    verifier, meta = (shop.judge(step.specialists[role], step.name) for role in ("verifier", "meta_verifier"))
    named = {name: str(shop.table(getattr(step, name))) for name in ("proofs", "analyses", "critiques")}
    data = replace(shop.data, **named, planted=step.planted)
    examples = []
    for kind in ("prover", "refiner", "verifier", "meta_verifier"):
        writer = shop.judge(step.specialists.get(kind, step.specialists["prover"]), f"{step.name} {kind}")
        own = replace(data, mixture={kind: 1})
        judges = Judges(judged, verifier, meta) if kind in ("prover", "refiner") else Judges(judged, None, meta)
        task = make_task("generator", own, shop.templates, "train", shop.config.seed + 77, judges)
        examples += collect.best_answers(writer, task, range(count), 4, shop.config.generator.least)
    Random(f"{shop.config.seed} {step.name}").shuffle(examples)
    made = write_examples(shop.table(step.name), examples)
    require_rows(made, "no answer was rewarded with generator.least or more")


def require_rows(made: int, why: str) -> None:
    """Raises LemmataError where a table is empty: later steps could not learn from it."""
    if not made:
        raise LemmataError(f"{why}: train longer before this step, or gather more, in another run=FOLDER")


def _measure(shop: RecipeContext, step: Measure) -> None:
    wanted, folder, prompts = shop.config.measure, shop.at(step.name), shop.templates
    model = shop.judge(step.model, "measure")
    theorems = shop.theorems("test", wanted.problems)
    write_json_lines(folder / "prover.jsonl", measure.measure_prover(model, prompts, theorems, wanted.samples))
    planted = shop.cases("verify", "test", wanted.problems)
    write_json_lines(folder / "verifier.jsonl", measure.measure_verifier(model, prompts, planted, wanted.analyses))
    real = read_case_rows(str(shop.table(step.proofs)), ("label",))
    write_json_lines(folder / "verifier-real.jsonl", measure.measure_verifier(model, prompts, real, wanted.analyses))
    reviewed = shop.cases("review", "test", wanted.problems)
    write_json_lines(folder / "meta-verifier.jsonl", measure.measure_meta_verifier(model, prompts, reviewed))
    if step.analyses:
        analyses = read_case_rows(str(shop.table(step.analyses)), ("analysis", "quality"))
        write_json_lines(folder / "meta-verifier-real.jsonl", measure.measure_meta_verifier(model, prompts, analyses))
    if step.refine:
        hard = shop.theorems("test", wanted.hard_problems, levels=wanted.hard)
        records = measure.measure_refinement(model, prompts, hard, wanted.chains, wanted.rounds)
        write_json_lines(folder / "refinement.jsonl", records)


def _select(shop: RecipeContext, step: Select) -> None:
    """By the mean of three accuracies on the validation stream: proofs, scores of proofs, ratings of analyses."""
    scores = {name: _validate(shop, name) for name in step.candidates}
    best = max(scores, key=lambda name: sum(scores[name].values()))
    shutil.rmtree(shop.model(step.name), ignore_errors=True)
    shutil.copytree(shop.model(best), shop.model(step.name))
    text = json.dumps({"chosen": best, "validation": scores}, indent=2)
    (shop.at(step.name) / "choice.json").write_text(text + "\n", encoding="utf-8")


def _validate(shop: RecipeContext, name: str) -> dict[str, float]:
    model, prompts, count = shop.judge(name, "validation"), shop.templates, shop.config.measure.validation
    theorems = shop.theorems("validation", count)
    proofs = list(measure.measure_prover(model, prompts, theorems, 1))
    scores = list(measure.measure_verifier(model, prompts, shop.cases("verify", "validation", count), 1))
    reviewed = shop.cases("review", "validation", count)
    ratings = list(measure.measure_meta_verifier(model, prompts, reviewed))
    return {
        "prover": fmean(record["truth"] == 1 for record in proofs),
        "verifier": fmean(record["score"] == record["label"] for record in scores),
        "meta_verifier": fmean(record["rating"] == record["quality"] for record in ratings),
    }


HANDLERS: dict[type, Callable[..., None]] = {
    Sparsify: _sparsify,
    Correct: _correct,
    Prove: _prove,
    Analyze: _analyze,
    Label: _label,
    Merge: _merge,
    Reject: _reject,
    Select: _select,
    Measure: _measure,
}
