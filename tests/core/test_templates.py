"""Filling prompts: one pass, nothing injected, clear errors for a user's own texts."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LemmataError
from core.rubric import ParseFailure, Verdict, parse_verdict
from core.templates import REQUIRED, Templates, fill, make_fence
from tests.shared import shared

OURS = Templates.load(None)
VERDICT = "Based on my evaluation, the final overall score should be:\n\\boxed{1}"
HOSTILE = (
    *("{rating}", "{statement}", "{proof}", "{fence}", "{{proof}}", "{{", "}}", "{", "}"),
    *("\\boxed{1}", "%s", "\\1", "\\g<0>"),
)
texts = st.lists(st.text(max_size=10) | st.sampled_from(HOSTILE), max_size=8).map("".join)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{proof}", "P"),
        ("{{proof}}", "{proof}"),
        ("{{{proof}}}", "{P}"),
        ("{{", "{"),
        ("}}", "}"),
        ("\\boxed{...}", "\\boxed{...}"),
        ("\\boxed{{...}}", "\\boxed{...}"),
        ("\\boxed{\\frac{1}{2}}", "\\boxed{\\frac{1}{2}}"),
        ("\\boxed{{\\frac{{1}}{{2}}}}", "\\boxed{\\frac{1}{2}}"),
        ("{other} {} {0} { proof } {proof!r} {proof.x}", "{other} {} {0} { proof } {proof!r} {proof.x}"),
        ("{proof}{statement}{proof}", "PSP"),
        ("{ {{x}} }", "{ {x} }"),
        ("", ""),
    ],
)
def test_fill(template: str, expected: str) -> None:
    assert fill(template, {"proof": "P", "statement": "S"}) == expected


@given(texts, texts, texts)
def test_inserted_text_survives_verbatim(statement: str, proof: str, analysis: str) -> None:
    template = "a {statement} b {proof} c {rating} d {{x}}"
    expected = f"a {statement} b {proof} c {analysis} d {{x}}"
    assert fill(template, {"statement": statement, "proof": proof, "rating": analysis}) == expected


@given(texts, texts, texts, texts)
def test_our_prompts_hold_each_text_between_its_fences(statement: str, proof: str, first: str, second: str) -> None:
    fence = make_fence(statement, proof)
    assert f"begins {fence} -----\n{proof}\n----- proof ends {fence} -----" in OURS.verification(statement, proof)
    fence = make_fence(statement, proof, first)
    prompt = OURS.meta_verification(statement, proof, first)
    assert f"begins {fence} -----\n{proof}\n----- proof ends {fence} -----" in prompt
    assert f"begins {fence} -----\n{first}\n----- solution evaluation ends {fence} -----" in prompt
    fence = make_fence(statement, proof, first, second)
    prompt = OURS.refinement(statement, [(proof, [first, second])])
    assert prompt.startswith(OURS.proof(statement).rstrip("\n"))
    for title, text in (("proof 1", proof), ("analysis 1 of proof 1", first), ("analysis 2 of proof 1", second)):
        assert f"----- {title} begins {fence} -----\n{text}\n----- {title} ends {fence} -----" in prompt


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_filling_is_injective(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (OURS.verification(*one) == OURS.verification(*other)) == (one == other)


def test_refinement_numbers_its_candidates() -> None:
    prompt = OURS.refinement("S", [("first proof", ["a", "b"]), ("second proof", [])])
    titles = ["proof 1", "analysis 1 of proof 1", "analysis 2 of proof 1", "proof 2"]
    positions = [prompt.index(f"----- {title} begins") for title in titles]
    assert positions == sorted(positions)
    assert "-----\n\n----- proof 2 begins" in prompt


@given(st.lists(texts, max_size=4))
def test_no_text_holds_its_fence(parts: list[str]) -> None:
    assert not any(make_fence(*parts) in part for part in parts)


def test_a_text_with_its_own_fence_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.templates.digest", lambda *parts, length: f"marker{parts[-1]}")
    assert make_fence("marker0 and marker1", "marker2") == "marker3"


@pytest.mark.parametrize("templates", [OURS, Templates.plain()], ids=["core", "plain"])
def test_our_prompts_end_on_the_task_and_hold_nothing_to_copy(templates: Templates) -> None:
    prompts = (
        templates.proof("S"),
        templates.verification("S", "P"),
        templates.meta_verification("S", "P", "A"),
        templates.refinement("S", [("P", ["A"])]),
    )
    for prompt in prompts:
        assert not any(f"{{{name}}}" in prompt for names in REQUIRED.values() for name in (*names, "fence"))
        assert not re.search(r"\(your|\.\.\.|\\boxed\s*\{|\{\w*\}|<\w+>|\[\w+\]", prompt)
        assert isinstance(parse_verdict(prompt), ParseFailure)
        last = prompt.strip().rpartition("\n\n")[2]
        assert "score" in last
        assert len(last) > 100


def test_plain_prompts_hold_no_marker() -> None:
    assert not any("{fence}" in text or "-----" in text for text in Templates.plain().texts.values())
    assert "-----" not in Templates.plain().refinement("S", [("P", ["A"])])


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("proof_generation", "## Solution"),
        ("proof_generation", "## Self Evaluation"),
        ("proof_generation", "Here is my evaluation of the solution:"),
        ("proof_generation", "Based on my evaluation, the final overall score should be:"),
        ("proof_verification", "Here is my evaluation of the solution:"),
        ("proof_verification", "Based on my evaluation, the final overall score should be:"),
        ("meta_verification", 'Here is my analysis of the "solution evaluation":'),
        ("meta_verification", 'Based on my analysis, I will rate the "solution evaluation" as:'),
    ],
)
def test_our_prompts_ask_for_the_output_format(name: str, phrase: str) -> None:
    assert phrase in OURS.texts[name]


def test_identity_names_the_text(tmp_path: Path) -> None:
    (tmp_path / "proof_generation.txt").write_text("Prove {question}", encoding="utf-8")
    theirs = Templates.load(str(tmp_path))
    name, at, mark = OURS.identity("proof_generation").partition("@")
    assert (name, at, len(mark)) == ("proof_generation", "@", 8)
    assert theirs.identity("proof_generation") != OURS.identity("proof_generation")
    assert theirs.identity("proof_verification") == OURS.identity("proof_verification")


def test_a_folder_overrides_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "proof_verification.txt").write_bytes(b"\xef\xbb\xbfS: {statement}\r\nP: {proof} \\boxed{{...}}")
    (tmp_path / "notes.txt").write_text("not a template")
    templates = Templates.load(str(tmp_path))
    assert templates.verification("s", "{statement}") == "S: s\nP: {statement} \\boxed{...}"
    assert templates.proof("s") == OURS.proof("s")
    assert Templates.load("") == OURS


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no template"),
        ({"proof.txt": b"{statement}"}, "holds no template"),
        ({"proof_generation.txt": b"Prove it. {{question}}"}, "lacks {question}"),
        ({"meta_verification.txt": b"{proof}"}, "lacks {statement}, {rating}"),
        ({"proof_verification.txt": b"{statement} {proof} \xff"}, "not UTF-8 (byte 20)"),
    ],
)
def test_unusable_folders(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LemmataError) as caught:
        Templates.load(str(tmp_path))
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_missing_folder_and_unreadable_template(tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match="is not there"):
        Templates.load(str(tmp_path / "nowhere"))
    (tmp_path / "proof_generation.txt").mkdir()
    with pytest.raises(LemmataError, match="can't be read"):
        Templates.load(str(tmp_path))


def _released_rows() -> list[dict[str, object]]:
    folder = shared("data/deepseek_math_v2/outputs")
    lines = (line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines())
    return [json.loads(line) for line in lines]


def test_released_proofs_survive_and_speak_for_nobody() -> None:
    rows = _released_rows()
    assert len(rows) == 84
    for row in rows:
        statement, prediction = row["question"], row["model_prediction"]
        assert isinstance(statement, str)
        assert isinstance(prediction, dict)
        proof = prediction["proof"]
        assert f"-----\n{proof}\n-----" in OURS.verification(statement, proof)
        assert isinstance(parse_verdict(proof, quoted=proof), ParseFailure)
        assert parse_verdict(f"It reads:\n{proof}\n{VERDICT}", quoted=proof) == Verdict(1.0)
