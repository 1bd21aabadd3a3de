"""Judges that grade in points: schemes, prompts, panels, and grades over proofs that exist already."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.records import Grading, Label, Problem, Proof, Selection, Usage
from core.store import Run
from evaluation.answer_judge import PREFIX
from evaluation.folders import parts_of
from evaluation.gather import gather
from evaluation.grader import GradingConfig, build_grading, grading_prompt
from evaluation.graders import shown_names
from evaluation.grading_scheme import allowed_points
from policy.interface import Completion
from tests.command import CommandLine, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of, well_behaved
from tests.records import COMMON
from tests.shared import shared

pytest_plugins = ["tests.lemmata.conftest"]
LEVELS = "(Partial)\n1. Guessed it\n(Almost)\n1. Forgot the check"


@pytest.mark.parametrize(
    ("guidelines", "scheme", "allowed"),
    [
        (LEVELS, "auto", (0, 1, 6, 7)),
        ("(PARTIAL) x", "auto", (0, 1, 6, 7)),
        ("(Partial, 3 points) x", "auto", tuple(range(8))),
        ("(Partial) x: 2 points", "auto", tuple(range(8))),
        ("Two points for x", "auto", tuple(range(8))),
        (None, "auto", tuple(range(8))),
        (None, "levels", (0, 1, 6, 7)),
        (LEVELS, "points", tuple(range(8))),
    ],
)
def test_the_scheme_follows_the_guidelines(guidelines: str | None, scheme: Any, allowed: tuple[int, ...]) -> None:
    assert allowed_points(Problem(id="p", statement="s", guidelines=guidelines), scheme, 7) == allowed


def test_all_of_proofbench_is_graded_by_levels() -> None:
    with shared("data/imobench/proofbench_v2.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    schemes = {
        allowed_points(Problem(id="p", statement="s", guidelines=row["Grading guidelines"]), "auto", 7) for row in rows
    }
    assert (len(rows), schemes) == (60, {(0, 1, 6, 7)})


@pytest.mark.parametrize(("points", "fault"), [(7, False), (6, False), (1, False), (0, False), (5, True), (3, True)])
def test_points_between_the_levels_are_a_fault(points: int, fault: bool) -> None:
    answer = Completion(f"Final points:\n\\boxed{{{points}}}", "stop", "m", 0.0, Usage(1, 0, 1))
    common = {**COMMON, "id": "g", "parents": ("y",), "text": answer.text}
    grading = build_grading(common, answer, proof_id="y", allowed=(0, 1, 6, 7), quoted="")
    assert (grading.points, grading.fault is not None) == ((None, True) if fault else (points, False))
    assert grading.max_points == 7


def test_reference_answer_solution_and_levels_reach_the_judge() -> None:
    problem = Problem(id="p", statement="S", reference="By symmetry.", answer="$f(x)=2x+c$", guidelines=LEVELS)
    [message] = grading_prompt(problem, "It is so.", GradingConfig()).messages
    for text in ("By symmetry.", "$f(x)=2x+c$", LEVELS, "It is so.", "0, 1, 6 or 7 points", "almost complete"):
        assert text in message.content
    [message] = grading_prompt(Problem(id="p", statement="S"), "It is so.", GradingConfig(max_points=21)).messages
    assert "whole points from 0 to 21" in message.content
    assert "{" not in message.content.replace("\\boxed{...}", "")


def test_names_of_graders_tell_them_apart() -> None:
    one = ["human", "judge\tbig\tpolicy\tgrading@1", "verifier"]
    assert list(shown_names(one).values()) == ["verifier", "judge", "human"]
    models = [*one, "judge\tsmall\tpolicy\tgrading@1"]
    assert list(shown_names(models).values()) == ["verifier", "judge big", "judge small", "human"]
    prompts = [*one, "judge\tbig\tpolicy\tgrading@2", "automatic\tA", "automatic\tB"]
    assert set(shown_names(prompts).values()) == {
        "verifier", "judge big, policy, grading@1", "judge big, policy, grading@2",
        "human", "automatic A", "automatic B",
    }  # fmt: skip


def by_model(points: Mapping[str, int]) -> Any:
    """A server whose judges give points by the name of the model; None of them where the model is not named."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = "".join(message["content"] for message in body["messages"])
        if prompt.startswith("You compare a final answer"):
            equal = "powers of two" in prompt.partition("final answer begins")[2]
            return json_reply(completion(body, [f"Final points:\n\\boxed{{{int(equal)}}}"]))
        if role_of(prompt) == "grader" or prompt.startswith("MY PROMPT"):
            text = f"Final points:\n\\boxed{{{points[body['model']]}}}" if body["model"] in points else "I cannot say."
            return json_reply(completion(body, [text]))
        return await well_behaved(body, server)

    return behave


def proofs_file(folder: Path, count: int = 3) -> str:
    rows = [
        {"problem": f"Prove {n}.", "id": f"p{n}", "proof": f"So {n}.", "grading_guidelines": LEVELS, "answer": "7"}
        for n in range(count)
    ]
    (folder / "proofs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "proofs.jsonl"


def of(folder: str, kind: type) -> list[Any]:
    return [record for record in Run.read(folder).records() if isinstance(record, kind)]


def judges(url: str, *names: str) -> list[str]:
    """Settings of policies with these names, each a model of the same name on one server."""
    return ["policy=endpoint", f"policy.base_url={url}", "policy.model=none",
            *(f"+policies.{name}.model={name}" for name in names)]  # fmt: skip


def test_a_panel_over_imported_proofs_and_a_second_judge_beside_it(lemmata: CommandLine) -> None:
    with serving(by_model({"a": 7, "b": 6, "c": 1, "d": 0})) as served:
        lemmata.ok("import", f"source={proofs_file(lemmata.folder)}", "run=imported")
        panel = judges(served.url, "a", "b", "c")
        command = ["evaluate", "grade", "source=imported", "run=graded", "grading.panel=[a,b,c]", *panel]
        lemmata.ok(*command, "grading.samples=2")
        assert len(served.server.requests) == 18
        lemmata.ok(*command, "grading.samples=2")
        assert len(served.server.requests) == 18  # nothing is asked twice
        assert not of("imported", Grading)  # the source stays as it is
        lemmata.ok("evaluate", "grade", "source=graded", "run=again", "grader.policy=d", *judges(served.url, "d"))
        assert len(served.server.requests) == 21
    data = gather(parts_of("again"), lemmata.folder / "t.parquet")
    assert data.graders == ("judge a", "judge b", "judge c", "judge d")  # the panel was of another run
    for entry in gather(parts_of("graded"), lemmata.folder / "t.parquet").entries:
        assert {name: grade.points for name, grade in entry.grades.items()} == {
            "judge a": 7, "judge b": 6, "judge c": 1, "panel": pytest.approx(14 / 3)
        }  # fmt: skip
        assert not entry.accepted
    output = lemmata.ok("evaluate", "report", "run=graded", "out=o", "plots=false").out
    assert "14/21 by panel (a, b, c)" in output
    rows = pq.read_table(lemmata.folder / "o" / "proofs.parquet").to_pylist()
    assert [row["judge_points"] for row in rows] == [pytest.approx(14 / 3)] * 3


def test_another_prompt_is_another_judge(lemmata: CommandLine) -> None:
    (lemmata.folder / "mine.txt").write_text("MY PROMPT about {statement}: {proof}. Choices: {choices}.")
    (lemmata.folder / "bad.txt").write_text("MY PROMPT without the text")
    with serving(by_model({"a": 7})) as served:
        lemmata.ok("import", f"source={proofs_file(lemmata.folder, 1)}", "run=imported")
        command = ["evaluate", "grade", "grader.policy=a", *judges(served.url, "a")]
        lemmata.ok(*command, "source=imported", "run=first")
        lemmata.ok(*command, "source=first", "run=second", "grading.prompt=mine.txt")
        assert [grading.points for grading in of("second", Grading)] == [7, 7]
        assert len({grading.template for grading in of("second", Grading)}) == 2
        assert "0, 1, 6 or 7 points" in served.prompts[-1]
        assert "{proof}" in lemmata.fails(*command, "source=imported", "run=third", "grading.prompt=bad.txt")
        message = lemmata.fails(*command, "source=imported", "run=first", "grading.prompt=mine.txt")
        assert "grading.prompt" in message


@pytest.mark.slow
def test_grades_over_an_evaluation_keep_its_verdicts_and_its_acceptance(lemmata: CommandLine) -> None:
    rows = [{"name": f"p{n}", "statement": f"Prove {n}."} for n in range(2)]
    (lemmata.folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving(by_model({"a": 7})) as served:
        small = ["refine.proofs=1", "refine.rounds=1", "control.problems=1"]
        policy = judges(served.url, "a")
        lemmata.ok("evaluate", "problems=problems.jsonl", "run=r", "attempts=2", *policy, *small)
        accepted = [selection.accepted for selection in of("r/policy/attempt-001", Selection)]
        asked = len(served.server.requests)
        lemmata.ok("evaluate", "grade", "source=r", "run=g", "grader.policy=a", *policy)
        assert len(served.server.requests) == asked + 4 + 5
    assert [selection.accepted for selection in of("g/policy/attempt-001", Selection)] == accepted
    before, after = (gather(parts_of(name), lemmata.folder / "t.parquet") for name in ("r", "g"))
    assert [entry.grades["verifier"] for entry in before.candidates] == [
        entry.grades["verifier"] for entry in after.candidates
    ]
    assert [entry.accepted for entry in before.candidates] == [entry.accepted for entry in after.candidates]
    assert {entry.grades["judge"].points for entry in after.candidates} == {7}


def test_what_math_verify_cannot_decide_goes_to_a_judge_of_its_own(lemmata: CommandLine) -> None:
    pytest.importorskip("math_verify")
    answers = {"Find A.": ("All powers of 2", "\\boxed{\\text{the powers of two}}", 1.0, None),
               "Find B.": ("All powers of 2", "\\boxed{0}", 0.0, None),
               "Find C.": ("7", "\\boxed{7}", None, 1.0), "Find D.": ("7", "\\boxed{8}", None, 0.0)}  # fmt: skip
    rows = [
        {"problem": statement, "proof": proof, "answer": answer} for statement, (answer, proof, *_) in answers.items()
    ]
    (lemmata.folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving(by_model({})) as served:
        lemmata.ok("import", "source=t.jsonl", "run=i")
        settings = ["answers=true", "answer_judge.samples=1", "grading.samples=0", *judges(served.url, "a")]
        lemmata.ok("evaluate", "grade", "source=i", "run=g", "answer_judge.policy=a", *settings)
        assert len(served.server.requests) == 2
    problems = {problem.id: problem.statement for problem in of("g", Problem)}
    for entry in gather(parts_of("g"), lemmata.folder / "t.parquet").entries:
        _, _, judged, decided = answers[problems[entry.problem_id]]
        assert entry.grades["answer"].score == decided
        assert ("answer judge" in entry.grades) == (judged is not None)
        if judged is not None:
            assert entry.grades["answer judge"].score == judged
    assert all(grading.template.startswith(PREFIX) for grading in of("g", Grading))


def test_a_panel_names_each_judge_once_and_something_must_grade(lemmata: CommandLine) -> None:
    lemmata.ok("import", f"source={proofs_file(lemmata.folder, 1)}", "run=i")
    command = ["evaluate", "grade", "source=i", *judges("http://127.0.0.1:9/v1", "a")]
    assert "each policy once" in lemmata.fails(*command, "run=g", "grading.panel=[a,a]")
    assert "nothing grades" in lemmata.fails(*command, "run=g", "grading.samples=0")
    assert "grader x.policy=x: no such policy" in lemmata.fails(*command, "run=g", "grading.panel=[x]")
    assert "choose a folder beside it" in lemmata.fails(*command, "run=i/g", "grader.policy=a")
    assert not of("i", Grading)
    assert not of("i", Label)
    assert len(of("i", Proof)) == 1


def test_an_imported_attempt_without_a_proof_has_0_points_and_asks_no_judge(lemmata: CommandLine) -> None:
    rows = [{"problem": f"Prove A{number}.", "generation": text, "model": "m", "finish_reason": end}
            for number, (text, end) in enumerate([("So A.", "stop"), ("", "stop"), ("So, as", "length")])]  # fmt: skip
    (lemmata.folder / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serving(by_model({"a": 7})) as served:
        command = ["evaluate", "grade", "source=r.jsonl", "run=graded", "grader.policy=a"]
        lemmata.ok(*command, *judges(served.url, "a"))
        assert len(served.server.requests) == 1
    output = lemmata.ok("evaluate", "report", "run=graded", "out=o", "plots=false").out
    assert "7/21 by judge (a)" in output
