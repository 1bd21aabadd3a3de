"""``lemmata cotrain recipe=problems``: an iteration on a table of problems, judges behind servers, killed, resumed."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.clocks import HANG
from tests.command import CommandLine
from tests.fake_server import well_behaved
from tests.processes import ROOT
from tests.rl.test_endpoint_judge import serving

pytestmark = [pytest.mark.trains, pytest.mark.slow]

STATEMENTS = [f"Prove that $x^2 + {2 * number + 1} > 0$ for every real number $x$." for number in range(8)]
STATEMENTS += [f"Show that {number}^n - 1 is divisible by {number - 1} for all natural n." for number in (5, 7, 9, 11)]
SMALL = (
    *("recipe=problems", "turns=1", "train.threads=1", "train.data.validation.share=0.25", "train.validation.items=2"),
    *(
        "train.checkpoint.every=1",
        "train.data.judges.max_tokens=224",
        "train.data.judges.endpoint.retry.first_wait=0.01",
    ),
    *("train.data.judges.endpoints.a.model=m", "train.data.judges.endpoints.b.model=n"),
    *("labels.verifier=[endpoint:a,endpoint:b]", "labels.meta_verifier=endpoint:b", "labels.analyses=2"),
    *("labels.rule.k=1", "train.stages.rl.steps=1", "verifier_meta.stages.rl.steps=1", "prover.stages.rl.steps=1"),
    *("train.stages.rl.groups=2", "train.stages.rl.samples=2", "train.stages.rl.sampling.max_tokens=320"),
    *("on_policy_proofs.problems=6", "on_policy_proofs.samples=2", "measure.problems=2", "measure.samples=1"),
    *("measure.analyses=1", "measure.validation=2", "measure.hard_problems=1", "measure.chains=1", "measure.rounds=2"),
    *(
        "measure.max_tokens=320",
        "generator.distill.stages.distill.steps=1",
        "generator.distill.stages.distill.groups=3",
    ),
    *("generator.distill.stages.distill.samples=1", "generator.distill.stages.distill.sampling.max_tokens=48"),
    *(f"~generator.merges.{name}" for name in ("ties", "ram", "slerp_prover_verifier")),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The settings of the run, with a table of problems and a server of judges."""
    table = tmp_path_factory.mktemp("problems") / "problems.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["problem"], *([statement] for statement in STATEMENTS)])
    with serving(well_behaved) as (_, url):
        yield (*SMALL, f"train.data.problems={table}", f"train.data.judges.endpoint.base_url={url}")


def start(run: Path, settings: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lemmata", "cotrain", f"run={run}", *settings]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(run: Path, settings: tuple[str, ...]) -> str:
    process = start(run, settings)
    output, errors = process.communicate(timeout=6 * HANG)
    assert process.returncode == 0, errors
    return output + errors


def made(run: Path) -> dict[str, bytes]:
    """Every table, record, choice and weight of the run; metrics and answers of judges hold times."""
    paths = [path for ending in ("*.jsonl", "*.json", "*.safetensors") for path in (run / "steps").rglob(ending)]
    kept = [path for path in paths if path.name != "metrics.jsonl" and not {"checkpoints", "judges"} & {*path.parts}]
    return {str(path.relative_to(run)): path.read_bytes() for path in kept}


def done_steps(run: Path) -> set[str]:
    return {path.parent.name for path in (run / "steps").glob("*/done")}


@pytest.fixture(scope="module")
def undisturbed(settings: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    run = tmp_path_factory.mktemp("cotrain") / "run"
    return run, finish(run, settings)


def test_an_iteration_proves_labels_reviews_trains_and_measures(undisturbed: tuple[Path, str]) -> None:
    run, output = undisturbed
    files = made(run)
    proofs = [json.loads(line) for line in files["steps/1-proofs/table.jsonl"].splitlines()]
    labels = [json.loads(line) for line in files["steps/1-labels/table.jsonl"].splitlines()]
    examined = [json.loads(line) for line in files["steps/1-labels/examined.jsonl"].splitlines()]
    assert {row["statement"] for row in proofs} <= {*STATEMENTS}
    assert all(row["label"] is None for row in proofs)
    assert labels
    assert all({**row, "label": None} in proofs for row in labels)
    assert len(examined) == len(proofs)
    assert all(len(row["analyses"]) == 4 and row["truth"] is None for row in examined)  # two judges, two analyses each
    assert any(analysis["reviews"] for row in examined for analysis in row["analyses"])
    measured = [json.loads(line) for line in files["steps/measure-1-generator/prover.jsonl"].splitlines()]
    trained = {row["statement"] for row in proofs}
    assert not {row["problem"] for row in measured} & trained
    for name in ("1-verifier", "1-prover", "1-merge-linear", "1-distill", "1-generator"):
        assert f"steps/{name}/model/model.safetensors" in files
    for name in ("base", "1-verifier", "1-prover", "1-generator"):
        assert f"\n{name}: complete " in output.replace("\r", "")
    assert "1-prover/model/model.safetensors" not in {  # it has learned
        name for name in files if files[name] == files["steps/base/model/model.safetensors"]
    }


def test_killed_and_resumed_it_ends_the_same(
    undisturbed: tuple[Path, str], settings: tuple[str, ...], tmp_path: Path
) -> None:
    run, whole = tmp_path / "run", done_steps(undisturbed[0])
    for count in (3, 5, len(whole) - 2):
        process = start(run, settings)
        deadline = time.monotonic() + 6 * HANG
        while len(done_steps(run)) < count:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.communicate()
    finish(run, settings)
    assert done_steps(run) == whole
    expected, found = made(undisturbed[0]), made(run)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_what_is_missing_is_named(
    settings: tuple[str, ...], undisturbed: tuple[Path, str], lemmata: CommandLine, tmp_path: Path
) -> None:
    run = f"run={tmp_path / 'run'}"
    assert "base=FOLDER" in lemmata.fails("cotrain", run, *settings, "base=null")
    assert "train.data.problems=TABLE" in lemmata.fails("cotrain", run, *settings, "train.data.problems=null")
    assert "validation.share" in lemmata.fails("cotrain", run, *settings, "train.data.validation.share=0")
    assert "endpoints.c" in lemmata.fails("cotrain", run, *settings, "labels.verifier=endpoint:c")
    assert "lab=none" in lemmata.fails("cotrain", run, "recipe=smoke", "labels.verifier=endpoint:c")
    assert "summary.json" in lemmata.fails("report", str(undisturbed[0]))
