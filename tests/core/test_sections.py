"""Taking a prover's answer apart, with nothing hidden from the verifier."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.headings import SELF_EVALUATION
from core.rubric import ParseFailure, Verdict
from core.sections import ProofSections, analysis_faults, answer_part, self_score, split_proof

VERDICT = "Based on my evaluation, the final overall score should be:\n\\boxed{0.5}"
PERFECT = VERDICT.replace("0.5", "1")
REVIEW = 'Based on my analysis, I will rate the "solution evaluation" as:\n\\boxed{1}'
CORPUS = [
    json.loads(line) for line in Path(__file__).with_name("headings.jsonl").read_text(encoding="utf-8").splitlines()
]
SOLUTIONS, EVALUATIONS, NO_HEADINGS = (
    [case["line"] for case in CORPUS if case["kind"] == kind] for kind in ("solution", "self", "none")
)
UNITS = ("## Solution\n", "## Self Evaluation\n", "## ", "**", "* ", " ", "\n", "_", "#", "\r", "self ")
lines = st.lists(
    st.text(max_size=30) | st.sampled_from(["## Solution", "## Self Evaluation", "**Self-Evaluation**", VERDICT]),
    max_size=8,
).map("\n".join)


def _answer(solution: str, evaluation: str) -> str:
    return f"Preamble.\n{solution}\nThe proof.\n\n{evaluation}\nThe judgment.\n"


@pytest.mark.parametrize("solution", [*SOLUTIONS, "## Solution\r"])
def test_solution_headings(solution: str) -> None:
    assert split_proof(_answer(solution, "## Self Evaluation")) == ProofSections("The proof.", "The judgment.", ())


@pytest.mark.parametrize("evaluation", [*EVALUATIONS, "## Self_Evaluation\r"])
def test_self_evaluation_headings(evaluation: str) -> None:
    assert split_proof(_answer("## Solution", evaluation)) == ProofSections("The proof.", "The judgment.", ())


@given(st.sampled_from(SOLUTIONS), st.sampled_from(EVALUATIONS))
def test_headings_in_combination(solution: str, evaluation: str) -> None:
    assert split_proof(_answer(solution, evaluation)) == ProofSections("The proof.", "The judgment.", ())


def test_the_corpus_is_not_thinned_out() -> None:
    assert min(len(SOLUTIONS), len(EVALUATIONS)) >= 50
    assert len(NO_HEADINGS) >= 25


@pytest.mark.parametrize("line", NO_HEADINGS)
def test_lines_that_are_no_heading(line: str) -> None:
    sections = split_proof(_answer(line, "## Self Evaluation"))
    assert sections.faults == ("no '## Solution' heading",)
    assert sections.body == f"Preamble.\n{line}\nThe proof."
    assert split_proof(f"## Solution\nFirst.\n{line}\nLast.").body == f"First.\n{line}\nLast."


@pytest.mark.parametrize(
    "evaluation",
    [
        f"Here is my evaluation of the solution:\nIt is fine.\n{VERDICT}",
        f"**Here is my evaluation of the solution:** It is fine.\n{VERDICT}",
        VERDICT,
        f"## Evaluation\nIt is fine.\n{VERDICT}",
        f"### Evaluation of the solution:\nIt is fine.\n{VERDICT}",
        "## 评价\n最终得分：0.5",
        f"## Self Evaluation\nIt is fine.\n\n**Self-Assessment**\n\nYes.\n### Self-Evaluation: \n{VERDICT}",
        f"## Self Evaluation\nIt is fine.\n## Final Self-Assessment\n{VERDICT}",
    ],
)
def test_no_self_evaluation_reaches_the_verifier(evaluation: str) -> None:
    sections = split_proof(f"## Solution\nThe proof.\n\n{evaluation}")
    assert sections.body == "The proof."
    assert self_score(sections) == Verdict(0.5)


def test_an_evaluation_that_gives_no_score_is_part_of_the_proof() -> None:
    assert (
        split_proof("## Solution\na\n## Evaluation\nThe integral is 2.").body == "a\n## Evaluation\nThe integral is 2."
    )


def test_a_heading_about_a_part_of_the_proof_hides_nothing_of_it() -> None:
    text = "## Solution\na\n## Self-check of Lemma 3\nb\n## Self Evaluation\nc"
    assert split_proof(text) == ProofSections("a\n## Self-check of Lemma 3\nb", "c", ())


def test_everything_between_first_and_last_heading_is_shown() -> None:
    text = "## Solution\na\n## Self Evaluation\nb\n## Solution\nc\n## Self Evaluation\nd"
    sections = split_proof(text)
    assert sections.body == "a\n## Self Evaluation\nb\n## Solution\nc"
    assert sections.self_evaluation == "d"
    assert sections.faults == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ProofSections(None, None, ("no '## Solution' heading", "empty proof", "no '## Self Evaluation' heading"))),
        ("a", ProofSections("a", None, ("no '## Solution' heading", "no '## Self Evaluation' heading"))),
        ("## Solution\na", ProofSections("a", None, ("no '## Self Evaluation' heading",))),
        ("## Solution\n\n## Self Evaluation\nb", ProofSections(None, "b", ("empty proof",))),
        ("## Solution\na\n## Self Evaluation\n", ProofSections("a", None, ("empty self evaluation",))),
        ("## Self Evaluation\nb\n## Solution\na", ProofSections("a", None, ("no '## Self Evaluation' heading",))),
        ("a\n## Self Evaluation\nb", ProofSections("a", "b", ("no '## Solution' heading",))),
        ("<think>## Solution\na", ProofSections(None, None, ("a <think> never closes",))),
        ("<think>## Solution\nx</think>## Solution\na\n## Self Evaluation\nb", ProofSections("a", "b", ())),
    ],
)
def test_incomplete_answers(text: str, expected: ProofSections) -> None:
    assert split_proof(text) == expected


@given(lines, lines)
def test_nothing_of_a_proof_is_hidden(proof: str, evaluation: str) -> None:
    # Whatever fake headings stand in either: the verifier is shown the whole proof, and nothing of what comes last.
    text = f"## Solution\n{proof}\n## Self Evaluation\n{evaluation}".replace("think>", "")
    sections = split_proof(text)
    assert (sections.body or "").startswith(proof.replace("think>", "").strip())
    assert text.rstrip().endswith(sections.self_evaluation or "")
    if all(heading.level > 2 for heading in SELF_EVALUATION.find(evaluation)):
        assert sections.body == (proof.replace("think>", "").strip() or None)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("prefix", ["", "## ", "## Solution", "## Self"])
def test_a_megabyte_of_anything_ends(prefix: str, unit: str) -> None:
    split_proof(prefix + unit * (1_000_000 // len(unit)) + "x")


def test_self_score() -> None:
    answer = f"## Solution\nThe proof.\n## Self Evaluation\nHere is my evaluation of the solution:\nFine.\n{VERDICT}"
    assert self_score(split_proof(answer)) == Verdict(0.5)
    assert isinstance(self_score(split_proof(answer[:-1])), ParseFailure)
    assert self_score(split_proof("a")) == ParseFailure("no '## Solution' heading; no '## Self Evaluation' heading")


def test_self_score_is_not_quoted_from_the_proof() -> None:
    result = self_score(split_proof(f"## Solution\n{PERFECT}\n## Self Evaluation\nAs I said, {PERFECT}"))
    assert isinstance(result, ParseFailure)
    assert "quotation" in result.reason


@pytest.mark.parametrize(
    ("text", "review", "faults"),
    [
        (f"Here is my evaluation of the solution:\nFine.\n{VERDICT}", False, ()),
        (f"**Here is my evaluation of the solution:**\nFine.\n{VERDICT}", False, ()),
        (f"<think>Hm.</think>here is my evaluation of the solution\n{VERDICT}", False, ()),
        (f"Fine.\n{VERDICT}", False, ("opening missing",)),
        (f"<think>Here is my evaluation of the solution:</think>\n{VERDICT}", False, ("opening missing",)),
        (f'Here is my analysis of the "solution evaluation":\nFine.\n{REVIEW}', True, ()),
        (f"Here is my analysis of the “solution evaluation”:\nFine.\n{REVIEW}", True, ()),
        (f"Here is my evaluation of the solution:\nFine.\n{REVIEW}", True, ("opening missing",)),
    ],
)
def test_analysis_faults(text: str, review: bool, faults: tuple[str, ...]) -> None:
    assert analysis_faults(text, review=review) == faults


def test_analysis_faults_name_an_unparseable_verdict() -> None:
    opening, verdict = analysis_faults("<think>Hm.")
    assert opening == "opening missing"
    assert verdict.startswith("verdict unparseable: a <think> never closes")
    assert analysis_faults(f"Here is my evaluation of the solution:\n{PERFECT}", quoted=PERFECT)


def test_answer_part_is_offered_here_too() -> None:
    assert answer_part("<think>a</think>b") == "b"
