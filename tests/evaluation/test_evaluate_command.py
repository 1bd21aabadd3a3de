"""Evaluations from the command line, against servers that answer in the right form, and in wrong ones."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from core.errors import LemmataError
from core.records import Analysis, Grading, Label, Proof, Selection
from core.store import Run
from evaluation.folders import attempt_seed
from evaluation.lab_theorems import LabTheoremsConfig, lab_problems
from lab.checker import DATE
from lab.domain import outside, read_domain
from policy.local_config import model_folder
from tests.command import CommandLine, Served, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of, well_behaved
from tests.processes import stored

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.lemmata.conftest"]

SMALL = ["refine.proofs=2", "refine.rounds=2", "judge.analyses=3", "control.problems=1"]


def problem_file(folder: Path, count: int, **more: str) -> str:
    path = folder / "problems.jsonl"
    rows = [{"name": f"p{n}", "statement": f"Prove that {n} + {n} = {2 * n}.", **more} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def of(folder: str, kind: type) -> list[Any]:
    return [record for record in Run.read(folder).records() if isinstance(record, kind)]


def table(lemmata: CommandLine, *runs: str) -> list[dict[str, Any]]:
    """The rows of a report on the runs."""
    lemmata.ok("evaluate", "report", f"run=[{','.join(runs)}]", "out=report", "plots=false")
    return pq.read_table(lemmata.folder / "report" / "proofs.parquet").to_pylist()


def test_attempts_of_two_models_with_one_judge(lemmata: CommandLine, served: Served) -> None:
    problems = problem_file(lemmata.folder, 3)
    command = ["evaluate", f"problems={problems}", "run=r", *served.policy("strong"), "+policies.weak.model=small"]
    command += ["entrants=[policy,weak]", "verifier.policy=policy", "meta_verifier.policy=policy", *SMALL]
    output = lemmata.ok(*command, "attempts=2").out
    assert "evaluate report run=r" in output
    folders = sorted(str(path.relative_to(lemmata.folder)) for path in (lemmata.folder / "r").glob("*/*/run.yaml"))
    assert folders == [
        f"r/{name}/{part}/run.yaml" for name in ("policy", "weak") for part in ("attempt-000", "attempt-001", "control")
    ]
    for name, model in (("policy", "strong"), ("weak", "small")):
        for number in range(2):
            folder = f"r/{name}/attempt-00{number}"
            assert {proof.model for proof in of(folder, Proof)} == {model}
            assert {analysis.model for analysis in of(folder, Analysis)} == {"strong"}
            assert len(of(folder, Selection)) == 3
            assert Run.read(folder).manifest["config"]["seed"] == attempt_seed(0, number)
    texts = {proof.text for name in ("000", "001") for proof in of(f"r/policy/attempt-{name}", Proof)}
    assert len(texts) == sum(len(of(f"r/policy/attempt-{name}", Proof)) for name in ("000", "001"))

    # The same command asks for nothing; more attempts keep what is there.
    before, asked = stored(lemmata.folder / "r/weak/attempt-001"), len(served.server.requests)
    lemmata.ok(*command, "attempts=2")
    assert len(served.server.requests) == asked
    lemmata.ok(*command, "attempts=3")
    assert stored(lemmata.folder / "r/weak/attempt-001") == before
    assert len(of("r/weak/attempt-002", Selection)) == 3
    assert "refine.proofs: 2 -> 3" in lemmata.fails(*command, "attempts=3", "refine.proofs=3")
    assert yaml.safe_load((lemmata.folder / "r" / "run.yaml").read_text())["config"]["refine"]["proofs"] == 2


def test_every_score_is_by_one_grader_and_the_judges_cost_is_separate(lemmata: CommandLine, served: Served) -> None:
    problems = problem_file(
        lemmata.folder, 4, grading_guidelines="(Partial) half of it: 3 points", solution="See there."
    )
    settings = [
        *served.policy(),
        "+policy.headers.x-key=secret",
        "+policies.judge.model=referee",
        "grader.policy=judge",
        "grading.samples=2",
        *SMALL,
    ]
    lemmata.ok("evaluate", f"problems={problems}", "run=r", *settings)
    graded = of("r/policy/attempt-000", Grading)
    assert len(graded) == 8
    assert {grading.model for grading in graded} == {"referee"}
    assert {grading.points for grading in graded} <= set(range(8))
    asked = Counter(role_of(prompt) for prompt in served.prompts)
    assert asked["grader"] == 4 * 1 + 5  # two samples a request; the junk proofs are graded too
    shown = [prompt for prompt in served.prompts if role_of(prompt) == "grader"]
    assert all("(Partial) half of it" in prompt and "See there." in prompt for prompt in shown)
    hidden = [prompt for prompt in served.prompts if role_of(prompt) != "grader"]
    assert not any("(Partial)" in prompt for prompt in hidden)

    rows = table(lemmata, "r")
    final = [row for row in rows if row["selected"]]
    by_proof = {g.proof_id: [x.points for x in graded if x.proof_id == g.proof_id] for g in graded}
    assert {row["proof_id"]: row["judge_points"] for row in final} == {k: sum(v) / 2 for k, v in by_proof.items()}
    assert {row["judge_author"] for row in final} == {"referee"}
    assert {row["verifier_author"] for row in final} == {"model-x"}
    assert {row["human_score"] for row in rows} == {None}
    text = (lemmata.folder / "report" / "report.md").read_text()
    total = sum(row["judge_points"] for row in final)
    assert f"| r/policy | model-x | judge (referee) | problems.jsonl | {total:g}/28 |" in text
    for work in ("proving", "verifying and reviewing", "grading", "control"):
        assert f"| r/policy | model-x | {work} | " in text
    assert "problems: 1" in text  # settings, to run it again
    assert "secret" not in text
    assert "(not shown)" in text


def test_a_judge_that_fails_leaves_a_proof_unscored(lemmata: CommandLine) -> None:
    async def off_the_scale(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = "".join(message["content"] for message in body["messages"])
        if role_of(prompt) != "grader":
            return await well_behaved(body, server)
        points = "8" if "0 + 0" in prompt else "7"
        return json_reply(completion(body, [f"Final points:\n\\boxed{{{points}}}"] * body.get("n", 1)))

    with serving(off_the_scale) as served:
        problems = problem_file(lemmata.folder, 3)
        lemmata.ok("evaluate", f"problems={problems}", "run=r", *served.policy(), "grading.samples=1", *SMALL)
    output = lemmata.ok("evaluate", "report", "run=r", "out=report", "plots=false").out
    assert "r/policy, problems.jsonl: 14/14 by judge (model-x), unscored 1" in output
    [fault] = [grading.fault for grading in of("r/policy/attempt-000", Grading) if grading.points is None]
    assert "'8'" in fault


def test_a_judge_that_accepts_everything_accepts_the_junk(lemmata: CommandLine) -> None:
    async def yes(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = "".join(message["content"] for message in body["messages"])
        if role_of(prompt) != "verifier":
            return await well_behaved(body, server)
        verdict = "Based on my evaluation, the final overall score should be:\n\\boxed{1}"
        places = range(body.get("n", 1))
        return json_reply(completion(body, [f"I agree, {body['seed']}-{place}.\n{verdict}" for place in places]))

    with serving(yes) as served:
        problems = problem_file(lemmata.folder, 2)
        lemmata.ok("evaluate", f"problems={problems}", "run=r", *served.policy(), *SMALL)
        asked = [prompt for prompt in served.prompts if role_of(prompt) == "verifier"]
    rows = [row for row in table(lemmata, "r") if row["attempt"] is None]
    assert {row["model"] for row in rows} == {
        "junk: empty",
        "junk: off-topic",
        "junk: confident nonsense",
        "junk: another problem's proof",
        "junk: injected verdict",
    }
    # The injected verdict's own words might be a quotation where the judge says them in the same way; elsewhere not.
    assert {row["model"] for row in rows if row["accepted"]} >= {"junk: empty", "junk: off-topic"}
    text = (lemmata.folder / "report" / "report.md").read_text()
    accepted = sum(row["accepted"] for row in rows)
    assert f"| 2/2 | 2/2 | {accepted}/5 |" in text
    assert any("\\boxed{1}\nFinal points" in prompt for prompt in asked)


def test_lab_levels_with_exact_verdicts(lemmata: CommandLine, served: Served) -> None:
    settings = ["benchmark=lab", "lab.count=4", "lab.levels=[1,2]", "lab.families=[identities,sums]", *SMALL]
    lemmata.ok("evaluate", *settings, "run=r", *served.policy(), "prompts=null")
    labels = of("r/policy/attempt-000", Label)
    assert len(labels) == 4
    assert {label.grader for label in labels} == {"exact"}
    assert {label.score for label in labels} == {0.0}  # the server does not write proofs
    config = LabTheoremsConfig(4, ("identities", "sums"), (1, 2))
    assert {row["cluster"] for row in table(lemmata, "r")} == {one.extra["left_side"] for one in lab_problems(config)}
    output = lemmata.ok("evaluate", "report", "run=r", "out=report", "plots=false").out
    assert f"r/policy, lab level 1: 0/2 by exact (the lab's checker of {DATE}), unscored 0" in output
    assert "verifier against exact, all: precision 0/" in output


def test_two_runs_are_compared_in_pairs(lemmata: CommandLine, served: Served) -> None:
    problems = problem_file(lemmata.folder, 5)
    for seed in (0, 1):
        lemmata.ok("evaluate", f"problems={problems}", f"run=r{seed}", f"seed={seed}", *served.policy(), *SMALL)
    rows = table(lemmata, "r0", "r1")
    means = [
        {row["problem_id"]: row["verifier_score"] for row in rows if row["selected"] and row["entrant"] == name}
        for name in ("r0/policy", "r1/policy")
    ]
    difference = sum(means[1][key] - means[0][key] for key in means[0]) / 5
    text = (lemmata.folder / "report" / "report.md").read_text()
    assert f"| r0/policy | model-x | r1/policy | model-x | verifier | 5 | {difference:.3f} " in text.replace("\\", "")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["entrants=[nobody]"], "no such policy; known: policy"),
        (["entrants=[]"], "entrants must name at least one policy"),
        (["entrants=[policy,policy]"], "and each once"),
        (["entrants=[a/b]", "+policies={a/b: {model: x}}"], "'a/b'"),
        (["lab={count: 1, families: [nothing]}"], "lab: no family 'nothing'"),
        (["control.problem=1"], "control.problem"),
        (["grading.samples=-1"], "grading.samples=-1"),
    ],
)
def test_bad_settings_are_one_message(lemmata: CommandLine, served: Served, settings: list[str], expected: str) -> None:
    problems = problem_file(lemmata.folder, 1)
    assert expected in lemmata.fails("evaluate", f"problems={problems}", "run=r", *served.policy(), *settings)


def test_presets_name_their_files(lemmata: CommandLine, served: Served) -> None:
    for preset, file in (("imo", "IMO2025.json"), ("answerbench", "answerbench_v2.csv")):
        assert f"{file}'" in lemmata.fails("evaluate", f"benchmark={preset}", "run=r", *served.policy())


@pytest.mark.parametrize("domain_of", [None, "pkg://model/shipped"])
def test_a_theorem_of_the_lab_is_one_problem(domain_of: str | None) -> None:
    config = LabTheoremsConfig(count=20, families=("inequalities",), levels=(1, 2), domain_of=domain_of)
    problems = list(lab_problems(config))
    assert len({problem.id for problem in problems}) == len(problems) == 20
    domain = read_domain(model_folder("pkg://model/shipped"))
    assert domain
    inside = [not outside(domain, problem.statement) for problem in problems]
    assert all(inside) == (domain_of is not None)


def test_a_model_without_a_domain_draws_nothing(tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match=r"lab\.domain_of=.* has no domain\.json"):
        next(lab_problems(LabTheoremsConfig(count=1, domain_of=str(tmp_path))))
