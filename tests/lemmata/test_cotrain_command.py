"""``lemmata cotrain`` as a user calls it: the recipe to its end, killed and resumed, and told what is wrong."""

import json
import shutil
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from tests import preloaded
from tests.clocks import HANG
from tests.command import CommandLine
from tests.processes import ROOT

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SMALL = [
    "recipe=smoke",
    *("turns=2", "train.stages.rl.groups=1", "train.stages.rl.samples=2"),
    *(f"{name}.stages.rl.steps=1" for name in ("train", "meta_verifier", "verifier_meta")),
    *("indexer.train.stages.warmup.steps=1", "indexer.train.stages.sparse.steps=1"),
    *(
        "dagger.problems=3",
        "on_policy_proofs.problems=4",
        "on_policy_proofs.analyses=1",
        "labels.analyses=2",
        "labels.reviews=1",
    ),
    *("generator.distill=null", "pass_rates.problems=2"),
    *(f"~generator.merges.{name}" for name in ("ties", "ram")),
    *("~generator.merges.slerp_prover_verifier", "measure.samples=1", "measure.analyses=1"),
    *("measure.hard_problems=1", "measure.chains=1", "measure.rounds=1", "train.validation.items=1"),
]
MADE = ("*.jsonl", "*.json", "*.safetensors")


def start(run: Path) -> BaseProcess:
    return preloaded.start(output(run), preloaded.command, ROOT, {}, "cotrain", f"run={run}", *SMALL)


def output(run: Path) -> Path:
    return run.with_suffix(".output")


def finish(run: Path) -> None:
    assert preloaded.exit_code(start(run), output(run)) == 0, output(run).read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed; tests that change it copy it."""
    run = tmp_path_factory.mktemp("cotrain") / "run"
    finish(run)
    return run


def results(run: Path) -> dict[str, bytes]:
    """Every table, record, choice and model of the run; metrics are left out, whose lines hold seconds."""
    paths = [path for pattern in MADE for path in (run / "steps").rglob(pattern)]
    kept = [path for path in paths if path.name != "metrics.jsonl" and "checkpoints" not in path.parts]
    return {str(path.relative_to(run)): path.read_bytes() for path in kept}


def done_steps(run: Path) -> set[str]:
    return {path.parent.name for path in (run / "steps").glob("*/done")}


def test_every_step_is_done_and_leaves_what_it_makes(undisturbed: Path) -> None:
    made = results(undisturbed)
    folders = {path.name for path in (undisturbed / "steps").iterdir()}
    assert done_steps(undisturbed) == folders
    expected = {
        *("steps/base/model/model.safetensors", "steps/1-analyses/table.jsonl", "steps/2-labels/examined.jsonl"),
        *(
            "steps/2-critiques/table.jsonl",
            "steps/2-generator/choice.json",
            "steps/2-prover-problems/table.jsonl",
            "steps/2-generator/model/model.safetensors",
        ),
        *("steps/measure-base/refinement.jsonl", "steps/measure-2-generator/meta-verifier-real.jsonl"),
    }
    assert expected <= made.keys()
    assert made["steps/base/model/model.safetensors"] != made["steps/cold-start/model/model.safetensors"]
    assert all(made[name] for name in expected)
    labeled = [json.loads(line) for line in made["steps/2-labels/table.jsonl"].splitlines()]
    proofs = [json.loads(line) for line in made["steps/2-proofs/table.jsonl"].splitlines()]
    # The second iteration's proofs come without the truth, and get labels afterwards.
    assert all(row["label"] is None for row in proofs)
    assert labeled
    assert all({**row, "label": None} in proofs for row in labeled)


def test_a_run_that_ended_does_nothing_again(undisturbed: Path, lemmata: CommandLine) -> None:
    before = {path: path.stat().st_mtime_ns for path in (undisturbed / "steps").rglob("*")}
    message = lemmata.ok("cotrain", f"run={undisturbed}", *SMALL)
    assert "step " not in message.everything.replace("steps", "")
    assert {path: path.stat().st_mtime_ns for path in (undisturbed / "steps").rglob("*")} == before


def test_other_settings_are_refused(undisturbed: Path, lemmata: CommandLine) -> None:
    for change in ("prover.stages.rl.steps=7", "seed=1", "labels.rule.k=2"):
        message = lemmata.fails("cotrain", f"run={undisturbed}", *SMALL, change)
        assert change.partition("=")[0] in message
    lemmata.ok("cotrain", f"run={undisturbed}", *SMALL, "train.checkpoint.every=3")


def test_killed_and_resumed_it_ends_the_same(undisturbed: Path, tmp_path: Path) -> None:
    """The second iteration, which has steps of nearly all kinds, killed three times."""
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    for folder in [*(run / "steps").glob("2-*"), *(run / "steps").glob("measure-2-*")]:
        shutil.rmtree(folder)
    random, many, kept = Random(5), len(done_steps(undisturbed)), len(done_steps(run))
    for share in (0.1, 0.5, 0.8):
        wait = random.uniform(0.0, 1.0)
        kill_at(run, kept + int(share * (many - kept)), wait)
    finish(run)
    assert done_steps(run) == done_steps(undisturbed)
    expected, found = results(undisturbed), results(run)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def kill_at(run: Path, steps: int, wait: float) -> None:
    """Start the command, and end it with kill -9 ``wait`` seconds after so many steps were done."""
    process = start(run)
    try:
        deadline = time.monotonic() + 4 * HANG
        while len(done_steps(run)) < steps:
            assert process.is_alive(), output(run).read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(wait)
        assert process.is_alive(), output(run).read_text()
    finally:
        process.kill()
        process.join()


def test_wrong_settings_of_a_late_step_are_named_before_any_work(lemmata: CommandLine) -> None:
    for change, message in {
        "generator.distill.stages.distill.steps=0": "step 1-distill: stages.distill.steps=0",
        "generator.merges.linear.method=mean": "step 1-merge-linear: method='mean'",
        "measure.hard=[9]": "measure.hard: no level 9",
    }.items():
        plus = "+" if "method" in change else ""
        assert message in lemmata.fails("cotrain", "run=refused", "recipe=smoke", f"{plus}{change}")
    assert not (lemmata.folder / "refused" / "steps").exists()


def test_without_torch_the_command_says_what_to_install(lemmata: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named 'torch' for {name}", name="torch")

    monkeypatch.setattr("lemmata.training.import_module", missing)
    assert "`lemmata cotrain` needs torch: pip install '.[model]'" in lemmata.fails("cotrain", "recipe=smoke")


def test_one_process_is_asked_for(lemmata: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rl.parallel.Parallel", lambda: SimpleNamespace(world_size=2))
    assert "is one process" in lemmata.fails("cotrain", "recipe=smoke", "run=two")
