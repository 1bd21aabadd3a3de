"""`lemmata report` on run folders written here: what it shows, what is missing, and what is damaged."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from core.config import read_config
from core.document import markdown
from core.store import Run
from rl.recipe.config import CotrainConfig
from rl.report.document import report_blocks
from rl.report.summary import Summary, summarize
from tests.command import CommandLine
from tests.cotrain_run import smoke_config, write_run

pytestmark = pytest.mark.slow

FEWER = (6, 4, "generator.distill=null")  # plots are what takes time here


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run at its end."""
    return write_run(tmp_path_factory.mktemp("runs") / "one", 0, *FEWER)


@pytest.fixture
def run(finished: Path, lemmata: CommandLine) -> Path:
    """A copy of it for a test to change."""
    shutil.copytree(finished, lemmata.folder / "run")
    return lemmata.folder / "run"


def summary(folder: Path) -> Summary:
    config = dict(Run.read(folder).manifest["config"])
    del config["command"]
    return summarize(read_config(CotrainConfig, config, ""), folder)


def test_the_report_of_a_run(run: Path, lemmata: CommandLine) -> None:
    message = lemmata.ok("report", "run")
    passed = next(line for line in message.out.splitlines() if line.startswith("Prover: pass@1"))
    records = [json.loads(line) for line in (run / "steps/measure-base/prover.jsonl").read_text().splitlines()]
    right = sum(record["truth"] == 1 for record in records)
    assert f"{100 * right / len(records):.1f} [" in passed
    report = json.loads((run / "report/estimates.json").read_text())["runs"][0]
    estimate = report["models"]["base"]["prover.jsonl"]["pass@1"]
    assert (estimate["value"], estimate["n"]) == (right / len(records), len(records))
    assert estimate["source"] == "steps/measure-base/prover.jsonl"
    text = (run / "report/report.md").read_text()
    page = (run / "report/report.html").read_text()
    assert re.search(r"<h2[^>]*>Gains by iteration</h2>", page)
    for heading in ("Gains by iteration", "Refinement", "Labels", "Over-optimization", "Cost", "R\\_meta"):
        assert f"## {heading}\n" in text
    plots = {path.name for path in (run / "report").glob("*.png")}
    assert {"refinement.png", "generators-2.png", "labels-2-labels.png", "training-1-prover.png"} <= plots
    assert all(f"]({name})" in text and f'src="{name}"' in page for name in plots)
    assert "missing" not in message.out


def test_nothing_is_loaded_that_trains(lemmata: CommandLine) -> None:
    before = set(sys.modules)
    assert lemmata("report", "nowhere").code == 1
    assert not {"torch", "transformers"} & (set(sys.modules) - before)


def test_an_unfinished_run_says_what_is_missing(run: Path) -> None:
    for step in (run / "steps").iterdir():
        if step.name.startswith(("2-", "measure-2-")) or step.name == "measure-1-generator":
            shutil.rmtree(step)
    with (run / "steps/1-prover/metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "sta')  # being written
    (run / "steps/1-prover/done").unlink()
    found = summary(run)
    assert {"1-prover", "measure-1-generator", "2-generator"} <= set(found.missing)
    assert "1-verifier" not in found.missing
    text = markdown(report_blocks([found], 2))
    assert f"{len(found.missing)} steps are missing, the next is 1-prover" in " ".join(text.split())
    assert "## Labels" not in text
    assert len(found.training["1-prover"]["curves"]["reward"]) == 4


def test_a_measurement_without_records_is_named_and_has_no_number(run: Path) -> None:
    empty = ("verifier-real.jsonl", "meta-verifier-real.jsonl")
    for name in empty:
        for path in (run / "steps").glob(f"measure-*/{name}"):
            path.write_text("")
    found = summary(run)
    assert "steps/measure-1-generator/verifier-real.jsonl" in found.empty
    estimates = [files[name]["accuracy"] for files in found.models.values() for name in empty if name in files]
    assert {one.value for one in estimates} == {None}
    text = markdown(report_blocks([found], 2))
    assert "had nothing to measure: steps/measure-base/verifier-real.jsonl" in " ".join(text.split())
    (row,) = [line for line in text.splitlines() if line.startswith("| Verifier, real proofs: accuracy |")]
    assert set(row.split("|")[2:-1]) == {" – "}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("measure-base/prover.jsonl", '{"truth": 1.0', "line 1 is damaged"),
        ("measure-base/prover.jsonl", "{\n", "line 1 is damaged"),
        ("measure-base/verifier.jsonl", '{"case": 0, "label": 7}\n', "`label` is invalid: 7"),
        ("measure-base/verifier.jsonl", '{"case": 0}\n', "`label` is missing"),
        ("measure-base/refinement.jsonl", '{"chain": 0, "rounds": []}\n', "`rounds` is invalid"),
        ("1-prover/metrics.jsonl", '{"step": 1, "stage": "rl"}\nnull\n', "line 2 is damaged: not a JSON object"),
        ("2-labels/examined.jsonl", '{"truth": NaN, "analyses": []}\n', "`truth` is invalid: nan"),
        ("2-generator/choice.json", '{"chosen": "x"}', "no candidates with their scores"),
        ("base/done", "", "is damaged"),
    ],
)
def test_damage_is_one_message(run: Path, lemmata: CommandLine, name: str, text: str, message: str) -> None:
    (run / "steps" / name).write_text(text)
    found = lemmata("report", "run")
    assert found.code == 1
    assert found.err.startswith("lemmata: ")
    assert name.rpartition("/")[2] in found.err
    assert message in found.err
    assert "Traceback" not in found.everything
    assert not (run / "report").exists()


def test_several_seeds_stand_side_by_side(run: Path, tmp_path: Path) -> None:
    both = [summary(run), summary(write_run(tmp_path / "two", 1, *FEWER))]
    values = [one.models["base"]["prover.jsonl"]["pass@1"].value or 0.0 for one in both]
    low, high = (100 * value for value in sorted(values))
    text = markdown(report_blocks(both, 2))
    assert f"| Prover: pass@1 | {(low + high) / 2:.1f} ({low:.1f} to {high:.1f}) |" in text
    assert "| metric | seed 0 | seed 1 | mean (lowest to highest) |" in text


def test_runs_that_cannot_stand_side_by_side(run: Path, lemmata: CommandLine) -> None:
    assert "out=FOLDER" in lemmata("report", "run", "run").err
    assert "seeds 0, 0" in lemmata("report", "run", "run", "out=both").err
    with Run.start(lemmata.folder / "longer", "cotrain", smoke_config("seed=1", "iterations=3", *FEWER[2:])):
        pass
    message = lemmata("report", "run", "longer", "out=both")
    assert "not runs of one recipe: iterations: 2 and 3" in message.err


def test_other_runs_are_refused(lemmata: CommandLine) -> None:
    with Run.start(lemmata.folder / "proofs", "prove", {"seed": 0}):
        pass
    assert "is a run of `lemmata prove`" in lemmata("report", "proofs").err


def test_matplotlib_missing_is_a_plain_message(
    run: Path, lemmata: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = lemmata("report", "run")
    assert message.code == 1
    assert "pip install '.[report]'" in message.err


def test_names_are_never_markup(run: Path) -> None:
    found = summary(run)
    found.models["[bold]|<b>\x1b[31m`x`"] = found.models["base"]
    text = markdown(report_blocks([found], 2))
    assert "\\[bold\\]\\|\\<b\\>\ufffd\\[31m\\`x\\`" in text


def test_help(lemmata: CommandLine) -> None:
    assert "seeds of one recipe" in lemmata.ok("report", "--help").out


def with_base(run: Path, content: str) -> Path:
    (run / "steps/base/model").mkdir(parents=True, exist_ok=True)
    (run / "steps/base/model/model.safetensors").write_text(content)
    return run


def test_two_recipes_from_one_base_are_compared(run: Path, lemmata: CommandLine) -> None:
    other = with_base(write_run(lemmata.folder / "other", 3, *FEWER, "measure.max_tokens=400"), "same")
    with_base(run, "same")
    lemmata.ok("report", "run", "beside=other")
    found = json.loads((run / "report/estimates.json").read_text())["beside"]
    for model in ("base", "1-prover", "2-generator"):
        for folder, key in ((run, "run"), (other, "beside")):
            lines = (folder / f"steps/measure-{model}/prover.jsonl").read_text().splitlines()
            tokens = [json.loads(line)["tokens"] for line in lines]
            assert found[model]["tokens of a proof"][key]["value"] == pytest.approx(sum(tokens) / len(tokens))
        pair = found[model]["pass@1"]
        assert pair["difference"]["value"] == pytest.approx(pair["beside"]["value"] - pair["run"]["value"])
    assert "refinement, tokens of a chain" in found["base"]
    text = (run / "report/report.md").read_text()
    assert "## Beside other" in text
    assert "tokens of a complete proof" in text


def test_runs_from_two_bases_are_not_compared(run: Path, lemmata: CommandLine) -> None:
    write_run(lemmata.folder / "other", 3, *FEWER)
    with_base(run, "one")
    assert "there is no base yet" in lemmata.fails("report", "run", "beside=other")
    with_base(lemmata.folder / "other", "another")
    assert "do not begin from one base" in lemmata.fails("report", "run", "beside=other")
    assert "give one run" in lemmata.fails("report", "run", "other", "out=both", "beside=other")


def test_the_generator_is_compared_to_each_specialist_and_to_the_base(run: Path, lemmata: CommandLine) -> None:
    path = run / "steps/measure-2-generator/prover.jsonl"
    first, *rest = path.read_text().splitlines()
    wrong = json.dumps({**json.loads(first), "truth": 0.0, "self_score": 1.0})  # without any there is no rate
    path.write_text("\n".join([wrong, *rest]) + "\n")
    lemmata.ok("report", "run")
    text = (run / "report/report.md").read_text()
    _, _, goals = text.partition("## Goals of the generator\n")
    rows = [line for line in goals.partition("\n## ")[0].splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 6
    assert rows[0].startswith("| Prover: pass@1 less that of 2-prover, at least -2 |")
    assert rows[-1].startswith("| Prover: overclaim rate of base less that of the generator")
    assert all(row.split("|")[3].strip() in ("yes", "no", "open") for row in rows)
    for step in ("early", "1-prover"):
        (run / f"steps/{step}").mkdir(exist_ok=True)
    chosen = {"chosen": "step-00000300", "pass_rates": {"step-00000300": 0.7}, "range": [0.3, 0.6], "in_range": False}
    (run / "steps/early/early.json").write_text(json.dumps(chosen))
    (run / "steps/1-prover/ended-early.txt").write_text("no variance\n")
    lemmata.ok("report", "run")
    text = (run / "report/report.md").read_text().replace("\\", "").replace("\n", " ")
    assert "Early start: step-00000300, pass rate 0.70 of [0.3, 0.6], which is out of the range." in text
    assert "1-prover ended early: no variance." in text
