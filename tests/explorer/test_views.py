"""Computations behind the pages: lineage, differences, comparison, training, checked steps, prompts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.records import Generated
from core.store import Run
from explorer.comparison import pairs
from explorer.index import LogIndex
from explorer.lab_check import missing_at_end, steps
from explorer.lineage import MAX_NODES, chain, edges, graph, shown_nodes
from explorer.metrics import problem_metrics, proof_metrics
from explorer.prompts import prompt_of
from explorer.training_log import (
    PLOTS,
    Curve,
    best_and_worst,
    curves,
    group_rewards,
    last_line,
    other_metrics,
    read_lines,
    smoothed,
    stages,
    thinned,
)
from lab.checker import check_statement
from lab.defects import CheckResult
from lab.generator import families, generate
from lab.planter import labeled_proof
from lab.statements import Unsupported
from tests.command import CommandLine, serving
from tests.records import PROBLEM, PROOF, analysis, run_of


def logged(folder: Path, *records) -> LogIndex:  # type: ignore[no-untyped-def]
    run_of(folder, [PROBLEM, *records])
    index = LogIndex(folder / "run" / "problems" / "p.jsonl")
    index.refresh()
    return index


def test_the_lineage_leads_from_the_first_proof_to_the_last(tmp_path: Path) -> None:
    second = replace(PROOF, id="z", round=1, parents=("y", "a"))
    third = replace(PROOF, id="w", round=2, parents=("z",))
    other = replace(PROOF, id="v", round=1, parents=("y", "b"))
    log = logged(tmp_path, PROOF, analysis("a", 0.0), analysis("b", 1.0), second, other, third)
    assert [(edge.old, edge.new, edge.critiques) for edge in chain(log, "w")] == [("y", "z", ("a",)), ("z", "w", ())]
    assert len(edges(log)) == 3
    proofs = proof_metrics(log)
    names = {proof.row.id: "#000" for proof in proofs}
    text = graph(proofs, log, names, dict.fromkeys(names, '?a="b'), "w")
    assert '"y" -> "z" [color="#26241f", penwidth=2];' in text
    assert '"y" -> "v";' in text
    assert r'URL="?a=\"b"' in text


def test_a_graph_too_large_keeps_the_way_to_the_chosen_proof(tmp_path: Path) -> None:
    many = [replace(PROOF, id=f"n{number}") for number in range(MAX_NODES + 40)]
    last = replace(PROOF, id="last", round=1, parents=(f"n{MAX_NODES + 30}",))
    log = logged(tmp_path, *many, last)
    shown = {proof.row.id for proof in shown_nodes(proof_metrics(log), log, "last")}
    assert shown == {"last", f"n{MAX_NODES + 30}"}


def test_two_runs_are_compared_problem_by_problem(tmp_path: Path) -> None:
    left = problem_metrics(logged(tmp_path / "a", PROOF, analysis("a", 0.0)))
    right = problem_metrics(logged(tmp_path / "b", PROOF, analysis("a", 1.0)))
    [pair] = pairs({"p": left, "q": left}, {"p": right})
    assert pair.change == 1.0


def test_metrics_of_a_training_are_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [{"step": step, "stage": "rl", "reward": step / 10, "reward/proof": 0.5, "time": {}} for step in range(4)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9')
    assert last_line(path) == lines[-1]
    found, message = read_lines(path)
    assert found == lines
    assert "incomplete" in message
    assert stages(found) == ["rl"]
    reward = curves(found, "rl")["reward"]
    assert reward.points == ((0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3))
    assert [value for _, value in smoothed(reward, 2).points] == pytest.approx([0.0, 0.05, 0.15, 0.25])
    assert "cannot be read" in read_lines(tmp_path / "nothing.jsonl")[1]
    path.write_text("no json\n" + json.dumps(lines[0]) + "\n")
    assert read_lines(path) == ([lines[0]], "metrics.jsonl: 1 damaged line left out.")


def test_trajectories_without_reward_are_left_out() -> None:
    trajectories = [{"problem": n // 2, "reward": reward} for n, reward in enumerate((0.5, 1.0, None, 0.0))]
    best, worst = best_and_worst(trajectories, 2)
    assert [one["reward"] for one in best] == [1.0, 0.5]
    assert [one["reward"] for one in worst] == [0.0, 0.5]
    assert group_rewards(trajectories) == {0: [0.5, 1.0], 1: [0.0]}


def test_a_metric_of_the_validation_is_in_the_plot_of_its_metric() -> None:
    names = {
        "validation/length": "Length in tokens",
        "validation/reward": "Reward",
        "validation/token_accuracy": "Accuracy",
        "reward/exact": "Parts of the reward",
        "tokens": None,
    }
    assert {name: next((plot.title for plot in PLOTS if plot.fits(name)), None) for name in names} == names
    assert other_metrics(names) == ["tokens"]


def test_a_thinned_curve_keeps_its_ends() -> None:
    curve = Curve("loss", tuple((step, float(step)) for step in range(1003)))
    found = thinned(curve, 100).points
    assert len(found) <= 102
    assert (found[0], found[-1]) == (curve.points[0], curve.points[-1])


@pytest.mark.parametrize("family", families())
def test_steps_are_the_whole_proof_and_carry_the_checkers_defects(family: str) -> None:
    seen = 0
    for seed in range(12):
        theorem = generate(family, 2, seed)
        body = labeled_proof(theorem, seed, (1, 0, 0)).text
        verdict = check_statement(theorem.statement, body)
        if not isinstance(verdict, CheckResult):
            continue  # the statements of some families are not read
        pieces = steps(body, verdict)
        assert "".join(step.text for step in pieces) == body
        inside = {defect.place.start for step in pieces for defect in step.defects}
        ends = {defect.place.start for defect in missing_at_end(body, verdict)}
        assert inside | ends == {defect.place.start for defect in verdict.defects}
        seen += len(inside)
    assert seen or isinstance(check_statement(generate(family, 2, 0).statement, ""), Unsupported)


def test_a_statement_that_the_lab_cannot_read_has_no_exact_verdict() -> None:
    assert isinstance(check_statement("Prove that there are infinitely many primes.", "Euclid."), Unsupported)


def test_prompts_are_reconstructed_exactly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as served:
        CommandLine(tmp_path, capsys).ok(
            "refine", "problem=Prove that 2 + 2 = 4.", f"run={tmp_path / 'run'}", *served.policy(),
            "refine=light", "refine.rounds=2", "judge.review=all", "refine.select=pairwise",
        )  # fmt: skip
        asked = set(served.prompts)
    [path] = (tmp_path / "run" / "problems").glob("*.jsonl")
    log = LogIndex(path)
    log.refresh()
    manifest = Run.read(tmp_path / "run").manifest
    records = [record for row in log.rows if isinstance(record := log.read(row), Generated)]
    assert {record.kind for record in records} == {"proof", "analysis", "review", "comparison"}
    assert {prompt_of(manifest, log, record) for record in records} == asked
    strange = replace(records[0], prompt="another")
    assert "another" in prompt_of(manifest, log, strange)
