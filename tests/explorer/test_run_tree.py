"""Tree and progress of runs: evaluations with their attempts, recipes with their steps, running ones first."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import read_config
from core.errors import LemmataError
from core.log import ProblemLog
from core.run_end import recorded_end
from core.store import Run
from explorer.index import LogIndex
from explorer.metrics import problem_metrics
from explorer.recipe_steps import read_recipe
from explorer.run_progress import end_words, problem_counts, training_state, training_steps, training_words
from explorer.run_tree import run_tree
from explorer.runs import RunIndex, find_runs, is_evaluation, locked_inodes
from lemmata.compose import compose
from rl.recipe.config import CotrainConfig
from rl.recipe.plan import plan
from tests.explorer.evaluation_runs import evaluation_run
from tests.records import PROBLEM, PROOF, run_of, selection


def test_attempts_are_below_their_model_and_running_runs_come_first(tmp_path: Path) -> None:
    evaluation_run(tmp_path / "contest")
    run_of(tmp_path / "older", [PROBLEM, PROOF])
    with Run.start(tmp_path / "older" / "run", "refine", {}):
        tree = run_tree(find_runs(tmp_path), locked_inodes())
    assert [(node.title, node.running) for node in tree] == [("older/run", True), ("contest", False)]
    below = {model.title: [attempt.title for attempt in model.children] for model in tree[1].children}
    assert below == {"large": ["attempt-000", "attempt-001"], "small": ["attempt-000", "attempt-001"]}
    assert tree[1].run is not None
    assert is_evaluation(tree[1].run)


def test_all_pages_count_accepted_problems_by_the_selections(tmp_path: Path) -> None:
    evaluation_run(tmp_path / "contest")
    folder = tmp_path / "contest" / "small" / "attempt-000"
    counts = problem_counts(folder)
    assert (counts.problems, counts.finished, counts.accepted) == (3, 3, 1)
    log = folder / "problems" / "p1.jsonl"
    again = ProblemLog(log)
    long = replace(PROOF, id="long", problem_id="p1", text="x" * 200_000)  # the selection is far from the end
    again.append([replace(selection("small00"), id="later", problem_id="p1"), long])
    again.close()
    assert problem_counts(folder).accepted == 2
    index = RunIndex(folder)
    index.refresh()
    assert sum(problem_metrics(one).accepted for one in index.logs.values()) == 2


def test_a_recipe_has_all_its_planned_steps_with_state_and_measurement(tmp_path: Path) -> None:
    config = compose("cotrain", {})
    names = [step.name for step in plan(read_config(CotrainConfig, config, ""))]
    folder = tmp_path / "recipe"
    Run.start(folder, "cotrain", config).__exit__()
    for name in names[:3]:
        (folder / "steps" / name).mkdir(parents=True)
        (folder / "steps" / name / "done").write_text('{"seconds": 61.5}\n')
    recipe = read_recipe(folder, running=True)
    assert [step.name for step in recipe.steps] == names
    assert recipe.words.startswith(f"step 4 of {len(names)}: {names[3]}")
    assert [step.state for step in recipe.steps[:5]] == ["done", "done", "done", "running", ""]
    assert recipe.steps[0].seconds == 61.5
    died = read_recipe(folder, running=False).current
    assert died is not None
    assert died.state == "died"
    with pytest.raises(LemmataError), recorded_end(folder, []):
        raise LemmataError("the loss is NaN")
    stopped = read_recipe(folder, running=False).current
    assert stopped is not None
    assert stopped.state == "stopped"
    assert "the loss is NaN" in end_words(folder)
    measured = next(name for name in names if name.startswith("measure"))
    place = folder / "steps" / measured
    place.mkdir(parents=True, exist_ok=True)
    rows = [{"truth": truth, "self_score": 1.0, "format": True, "tokens": 5} for truth in (1.0, 0.0, 1.0, 1.0)]
    (place / "prover.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "done").write_text('{"seconds": 1}\n')
    step = next(step for step in read_recipe(folder, running=False).steps if step.name == measured)
    assert step.words == "prover pass@1 75%"


def test_a_recipe_of_another_version_shows_the_steps_that_have_begun(tmp_path: Path) -> None:
    Run.start(tmp_path / "recipe", "cotrain", {"unknown": 1}).__exit__()
    (tmp_path / "recipe" / "steps" / "base").mkdir(parents=True)
    recipe = read_recipe(tmp_path / "recipe", running=False)
    assert [step.name for step in recipe.steps] == ["base"]
    assert "unknown" in recipe.error
    assert not recipe.done


@pytest.mark.parametrize(
    ("ended", "running", "state"),
    [("model", False, "done"), ("", True, "running"), ("", False, "died"), ("signal", False, "stopped")],
)
def test_a_training_that_was_stopped_is_told_from_one_that_died(
    tmp_path: Path, ended: str, running: bool, state: str
) -> None:
    stages = {"sft": {"steps": 20}, "rl": {"steps": 10}}
    Run.start(tmp_path / "training", "train", {"stages": stages, "stage": ["sft", "rl"]}).__exit__()
    with (tmp_path / "training" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 12, "stage": "sft", "loss": 0.5}) + "\n")
    if ended == "model":
        (tmp_path / "training" / "model").mkdir()
    if ended == "signal":
        with recorded_end(tmp_path / "training", [signal.SIGTERM]):
            pass
        assert "stopped by SIGTERM" in end_words(tmp_path / "training")
    [run] = find_runs(tmp_path)
    assert training_steps(run.manifest) == 30
    assert training_state(run, running=running) == state
    assert training_words(run, training_state(run, running=running)) == "sft step 12 of 30"


def test_a_problem_has_its_category_and_the_largest_disagreement(tmp_path: Path) -> None:
    evaluation_run(tmp_path / "contest")
    log = LogIndex(tmp_path / "contest" / "large" / "attempt-000" / "problems" / "p10.jsonl")
    log.refresh()
    metrics = problem_metrics(log)
    assert metrics.groups == {"category": "Algebra", "part": "Basic"}
    assert metrics.disagreement == 0.5
