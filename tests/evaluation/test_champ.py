"""CHAMP: annotated solutions as a run, and the error location of a verifier."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.champ import champ_file, read_champ, wrong_step
from core.errors import LemmataError
from core.records import Label, Proof
from evaluation.error_location import chance_of, names_step, quoted_spans
from tests.command import CommandLine, serving
from tests.fake_server import PHRASE, FakeServer, Reply, completion, json_reply

pytest_plugins = ["tests.lemmata.conftest"]

GOOD = "Let n = 2k. Then n^2 = 4k^2, which is even."
BAD = "Let n = 2k + 1. Then n^2 = 4k^2 + 1.\n\nSo n^2 leaves the\nremainder 1. This ends it."
STEP = "Then n^2 = 4k^2 + 1."


def champ(folder: Path) -> Path:
    """A file in the form of champ-dataset 1.0 with two problems."""
    start = BAD.index(STEP)
    annotated = {
        "A|x": {"text": GOOD, "start_idx": None, "end_idx": None, "author": "A"},
        "B|x": {"text": BAD, "start_idx": start, "end_idx": start + len(STEP), "author": "B"},
    }
    problems = {
        f"P_{number}": {
            "_text": f"Find the square of n, part {number}.",
            "_answer": "1",
            "category": "Number-Theory",
            "solution": {"steps": [{"_text": "Square it."}]},
            "fws_annotations": annotated,
        }
        for number in range(2)
    }
    path = folder / "v0.json"
    path.write_text(json.dumps({"problems": problems, "concepts": {}, "hints": {}}))
    return path


def test_annotated_solutions_become_labeled_proofs(tmp_path: Path) -> None:
    groups = list(read_champ(champ(tmp_path)))
    assert [problem.source for problem, _ in groups] == ["CHAMP Number-Theory"] * 2
    for _, records in groups:
        proofs = {record.id: record for record in records if isinstance(record, Proof)}
        labels = [record for record in records if isinstance(record, Label)]
        assert [label.score for label in labels] == [1.0, 0.0]
        assert wrong_step(labels[0]) is None
        step = wrong_step(labels[1])
        assert step is not None
        assert (proofs[labels[1].proof_id].body or "")[slice(*step)] == STEP


@pytest.mark.skipif(find_spec("champ_dataset") is None, reason="needs champ-dataset")
def test_the_real_data() -> None:
    labels = [record for _, group in read_champ(champ_file()) for record in group if isinstance(record, Label)]
    assert len(labels) == 540
    assert sum(label.score == 1.0 for label in labels) == 96


@pytest.mark.parametrize("text", ["", "[]", '{"problems": {"a": {}}}', '{"problems": 3}'])
def test_another_file_is_one_message(tmp_path: Path, text: str) -> None:
    path = tmp_path / "v0.json"
    path.write_text(text)
    with pytest.raises(LemmataError, match="is not the data file of champ-dataset"):
        list(read_champ(path))


@pytest.mark.parametrize(
    ("analysis", "found"),
    [
        ('The step "Then n^2 = 4k^2 + 1." is wrong.', [STEP.rstrip(".")]),
        ("In “n^2  leaves the remainder 1.” it", ["n^2 leaves the\nremainder 1"]),
        ("> So n^2 leaves the remainder 1.\nNo.", ["So n^2 leaves the\nremainder 1"]),
        ("Here $n^2 = 4k^2$ and `Let n = 2k + 1`.", ["Let n = 2k + 1", "n^2 = 4k^2"]),
        (r"From \(n^2 = 4k^2\) it says \[n^2 = 4k^2 + 1\]", ["n^2 = 4k^2", "n^2 = 4k^2 + 1"]),
        ('"short" and "words that it never says"', []),
    ],
)
def test_quotations_are_found_in_the_proof(analysis: str, found: list[str]) -> None:
    assert sorted(BAD[start:end] for start, end in quoted_spans(analysis, BAD)) == sorted(found)


@given(st.data())
def test_chance_is_the_share_of_places_that_would_be_named(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 40))
    ends = st.lists(st.integers(0, length), min_size=2, max_size=2, unique=True)
    cut = ends.map(lambda pair: (min(pair), max(pair)))
    step = data.draw(cut)
    spans = data.draw(st.lists(cut, max_size=4))
    size = step[1] - step[0]
    named = [names_step(spans, (start, start + size)) for start in range(length - size + 1)]
    assert chance_of(spans, step, length) == pytest.approx(sum(named) / len(named))


def test_a_verifier_measured_on_champ(lemmata: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def careful(body: Mapping[str, Any], server: FakeServer) -> Reply:
        right = GOOD in "".join(message["content"] for message in body["messages"])
        issue = "All is well." if right else f'The step "{STEP}" forgets a term.'
        verdict = f"{PHRASE} \\boxed{{{1 if right else 0}}}"
        head = f"Here is my evaluation of the solution, number {body['seed']}"
        return json_reply(
            completion(body, [f"{head}-{place}: {issue}\n{verdict}" for place in range(body.get("n", 1))])
        )

    path = champ(tmp_path)
    monkeypatch.setattr("lemmata.commands.evaluate_champ.champ_file", lambda: path)
    lemmata.ok("evaluate", "champ", "run=champ")
    with serving(careful) as served:
        lemmata.ok("verify", "source=champ", "run=judged", *served.policy(), "judge.analyses=3", "judge.reviews=0")
    output = lemmata.ok("evaluate", "report", "run=judged", "out=report", "plots=false").out
    assert "verifier against human, CHAMP Number-Theory: precision 2/2, recall 2/2" in output
    text = (lemmata.folder / "report" / "report.md").read_text()
    assert "| judged | model-x | 2 | 6 | 6 | 1.000" in text
    assert 0 < float(text.partition("| judged | model-x | 2 | 6 | 6 | 1.000")[2].split("|")[1].split()[0]) < 0.7
