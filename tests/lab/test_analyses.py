"""Analyses of the lab: right ones have quality 1 and read back; the rubric by small cases; planted faults; formats."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rubric import Verdict as Score
from core.rubric import parse_verdict
from core.sections import analysis_faults, self_score, split_proof
from lab import LEVELS, CheckResult, Defect, Kind, Place, check, families, generate
from lab.analyses import (
    CLOSING,
    OPENING,
    ComplaintVerdict,
    analysis_quality,
    compose,
    following,
    judge,
    parse_analysis,
    quality,
    write_analysis,
)
from lab.answers import write_answer
from lab.complaints import END, END_PHRASES, PHRASES, Complaint, complaint_of, quotation, read_complaint
from lab.faulty import Fault, labeled_analysis, plant_analysis
from lab.planter import LabeledProof, labeled_proof
from lab.prompts import templates
from lab.reviews import write_review
from lab.theorem import Theorem

PROOF = "x = x + 1.\nx + x = 2x.\nThe claim is true."
FAULTY = CheckResult(0.0, (Defect(Kind.INVALID_STEP, Place(0, 0, 9), "the two sides are not equal"),))
SMALL = CheckResult(0.5, (Defect(Kind.GAP, Place(1, 11, 21), "7 operations", minor=True),))
RIGHT = CheckResult(1.0, ())
WRONG_STEP = "Line 1: x = x + 1 is a wrong step."
GAP = "Line 2: x + x = 2x is true but skips some work."
ELSEWHERE = "Line 3: this is a wrong step."


def analysis(*lines: str, score: str) -> str:
    """An analysis with these lines."""
    return "\n".join([OPENING, *lines, CLOSING, f"\\boxed{{{score}}}"])


def proofs() -> list[tuple[Theorem, LabeledProof]]:
    """Labeled proofs of every family and level."""
    theorems = [generate(family, level, seed, "test") for family in families() for level in LEVELS for seed in range(6)]
    return [(theorem, labeled_proof(theorem, number)) for number, theorem in enumerate(theorems)]


@pytest.fixture(scope="module")
def labeled() -> list[tuple[Theorem, LabeledProof]]:
    """Those proofs."""
    return proofs()


def test_right_analyses_have_quality_1_and_read_back(labeled: list[tuple[Theorem, LabeledProof]]) -> None:
    for number, (theorem, proof) in enumerate(labeled):
        text = write_analysis(theorem, proof.text, proof.verdict, number)
        parsed = parse_analysis(text)
        assert analysis_quality(theorem, proof.text, text) == 1
        assert parsed.score == proof.label
        assert not parsed.strange
        wanted = tuple(dict.fromkeys(complaint_of(proof.text, defect) for defect in proof.verdict.defects))
        assert parsed.complaints == wanted[: len(parsed.complaints)]
        grave = [not complaint.minor for complaint in parsed.complaints]
        assert not any(grave[:-1])
        assert len(parsed.complaints) == min(len(wanted), 5) or grave[-1]
        assert not analysis_faults(text, quoted=proof.text)


@pytest.mark.parametrize(
    ("verdict", "lines", "score", "expected"),
    [
        # No complaint: reasonable, whether or not the proof is right, with a score that says so.
        (RIGHT, ["I find no defect: all is right."], "1", 1),
        (FAULTY, ["I find no defect: all is right."], "1", 1),
        (FAULTY, [], "1", 1),
        (FAULTY, ["I find no defect: all is right."], "0", 0.5),
        # All real.
        (FAULTY, [WRONG_STEP], "0", 1),
        (FAULTY, [WRONG_STEP, "Line 2: x + x = 2x is right.", WRONG_STEP], "0", 1),
        (FAULTY, ["Line 1: this is a wrong step."], "0", 1),
        (SMALL, [GAP], "0.5", 1),
        # A score that does not follow.
        (FAULTY, [WRONG_STEP], "0.5", 0.5),
        (FAULTY, [WRONG_STEP], "1", 0.5),
        (SMALL, [GAP], "0", 0.5),
        (SMALL, [GAP], "1", 0.5),
        # Put wrongly: kind, gravity, quote.
        (FAULTY, ["Line 1: x = x + 1 is a large gap, it is not proved."], "0", 0.5),
        (SMALL, ["Line 2: x + x = 2x is a large gap, it is not proved."], "0", 0.5),
        (FAULTY, ["Line 1: x = x + 2 is a wrong step."], "0", 0.5),
        # Some false.
        (FAULTY, [WRONG_STEP, ELSEWHERE], "0", 0.5),
        (FAULTY, [WRONG_STEP, "At the end: the verdict is not stated."], "0", 0.5),
        (FAULTY, [WRONG_STEP, "I like this proof."], "0", 0.5),
        (FAULTY, [WRONG_STEP, "I find no defect: all is right."], "0", 0.5),
        # All false.
        (RIGHT, [WRONG_STEP], "0", 0),
        (FAULTY, [ELSEWHERE], "0", 0),
        (FAULTY, [ELSEWHERE, "At the end: nothing is shown."], "0", 0),
        (FAULTY, ["I like this proof."], "1", 0),
        (FAULTY, ["Line 999: x = x + 1 is a wrong step."], "0", 0),
    ],
)
def test_the_rubric_case_by_case(verdict: CheckResult, lines: list[str], score: str, expected: float) -> None:
    assert quality(parse_analysis(analysis(*lines, score=score)), PROOF, verdict) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\\boxed{1}",
        OPENING,
        f"{CLOSING}\n\\boxed{{1}}\n{OPENING}",
        analysis(WRONG_STEP, score="0.7"),
        analysis(WRONG_STEP, score="0").replace(OPENING, ""),
        analysis(*[WRONG_STEP] * 1000, score="0"),
        f"<think>{analysis(WRONG_STEP, score='0')}",
    ],
)
def test_what_is_no_analysis_has_quality_0(text: str) -> None:
    assert quality(parse_analysis(text), PROOF, FAULTY) == 0


@given(
    st.text()
    | st.lists(st.sampled_from([OPENING, CLOSING, WRONG_STEP, GAP, "\\boxed{0}", "Line 9", ":", "At the end:"])).map(
        "\n".join
    )
)
@settings(max_examples=300, deadline=None)
def test_parsing_never_raises(text: str) -> None:
    assert quality(parse_analysis(text), PROOF, FAULTY) in (0, 0.5, 1)


def test_a_phrase_stands_for_one_kind_and_is_no_other_ones_end() -> None:
    for table in (PHRASES, END_PHRASES):
        phrases = [(phrase, key) for key, several in table.items() for phrase in several]
        for phrase, key in phrases:
            assert not [other for other, its in phrases if its != key and phrase.endswith(other)]


def test_every_complaint_reads_back() -> None:
    for (kind, minor), phrases in PHRASES.items():
        for phrase in phrases:
            assert read_complaint(f"Line 2: 2x = x {phrase}.") == Complaint(2, kind, minor, "2x = x")
    assert read_complaint("At the end: the base case n = 1 is missing.") == Complaint(
        END, Kind.MISSING_CASE, quote="the base case n = 1"
    )


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("x + x = 2x", "x + x = 2x"),
        ("Then x - 5 = 0", "x - 5 = 0"),
        ("Divide by x - 6: x - 5 = 0", "x - 5 = 0"),
        ("That is, x = 1 or x = 2", "x = 1 or x = 2"),
        ("So the claim is false", ""),
        ("x y z + 1", "x y z + 1"),
        ("x" * 70 + " = 2", "= 2"),
        ("1 = " + "x" * 70, "= " + "x" * 58 + "..."),
        ("\x00", ""),
    ],
)
def test_quotations(text: str, quote: str) -> None:
    assert quotation(text) == quote


@pytest.mark.parametrize(
    ("complaints", "score"),
    [
        ([], 1),
        ([True], 0.5),
        ([True, True], 0.5),
        ([True, True, True], 0),
        ([False], 0),
        ([True, False], 0),
    ],
)
def test_the_score_that_follows(complaints: list[bool], score: float) -> None:
    assert following([Complaint(1, Kind.GAP, minor) for minor in complaints]) == score


def test_planted_faults_have_the_expected_quality(labeled: list[tuple[Theorem, LabeledProof]]) -> None:
    found: Counter[tuple[Fault, float]] = Counter()
    for number, (theorem, proof) in enumerate(labeled):
        for fault in Fault:
            planted = plant_analysis(theorem, proof.text, number, fault)
            if planted is not None:
                assert planted.planted is fault
                assert planted.quality == analysis_quality(theorem, proof.text, planted.text)
                found[fault, planted.quality] += 1
    assert {quality for fault, quality in found if fault is Fault.FALSE_COMPLAINT} == {0, 0.5}
    assert {quality for fault, quality in found if fault is Fault.WRONG_PLACE} == {0, 0.5}
    assert {quality for fault, quality in found if fault is Fault.MISSED_DEFECT} == {1}
    assert {quality for fault, quality in found if fault is Fault.WRONG_SCORE} == {0.5}
    assert {quality for fault, quality in found if fault is Fault.WRONG_KIND} == {0.5}
    assert all(sum(count for (fault, _), count in found.items() if fault is kind) > 20 for kind in Fault)


def test_labeled_analyses_are_balanced_and_reviewed(labeled: list[tuple[Theorem, LabeledProof]]) -> None:
    qualities: Counter[float] = Counter()
    for number, (theorem, proof) in enumerate(labeled):
        drawn = labeled_analysis(theorem, proof.text, number)
        assert drawn.quality == analysis_quality(theorem, proof.text, drawn.text)
        qualities[drawn.quality] += 1
        review = write_review(theorem, proof.text, drawn.text, number)
        quoted = f"{proof.text}\n{drawn.text}"
        assert not analysis_faults(review, review=True, quoted=quoted)
        assert parse_verdict(review, quoted=quoted) == Score(drawn.quality)
    assert all(0.2 < count / len(labeled) < 0.47 for count in qualities.values()), qualities


def test_answers_are_provers_answers(labeled: list[tuple[Theorem, LabeledProof]]) -> None:
    for theorem, proof in labeled:
        sections = split_proof(write_answer(theorem, proof.text))
        assert (sections.body, sections.faults) == (proof.text, ())
        assert self_score(sections) == Score(proof.label)
        assert analysis_quality(theorem, proof.text, sections.self_evaluation or "") == 1
        assert self_score(split_proof(write_answer(theorem, proof.text, 0.5))) == Score(0.5)


def test_hostile_proofs_can_be_analyzed() -> None:
    theorem = generate("identities", 1, 0)
    for proof in (
        "",
        "\n",
        "\\boxed{1}",
        f"{OPENING}\n{CLOSING}\n\\boxed{{1}}",
        "(" * 50,
        "x" * 7000,
        "é",
        "x = (",
        "\u2028",
    ):
        text = write_analysis(theorem, proof)
        assert analysis_quality(theorem, proof, text) == 1
        assert parse_analysis(text).score == check(theorem, proof).score == 0
        labeled = labeled_analysis(theorem, proof, 1)
        assert labeled.quality == analysis_quality(theorem, proof, labeled.text)


def test_a_judgment_names_line_kind_and_quote() -> None:
    assert judge(Complaint(1, Kind.INVALID_STEP, quote="x = x + 1"), PROOF, FAULTY) is ComplaintVerdict.REAL
    assert judge(Complaint(1, Kind.INVALID_STEP), PROOF, FAULTY) is ComplaintVerdict.REAL
    assert judge(Complaint(1, Kind.CIRCULAR), PROOF, FAULTY) is ComplaintVerdict.MISPUT
    assert judge(Complaint(2, Kind.INVALID_STEP), PROOF, FAULTY) is ComplaintVerdict.FALSE


def test_the_prompts_are_short_and_complete() -> None:
    texts = templates()
    assert max(len(text) for text in texts.texts.values()) < 100
    assert "marker" not in texts.verification("S", "P")
    assert texts.refinement("S", [("P", ["A"])]).startswith(texts.proof("S"))
    assert [part in texts.meta_verification("S1", "P1", "A1") for part in ("S1", "P1", "A1")] == [True] * 3


def test_composed_analyses_keep_their_order() -> None:
    several = [Complaint(2, Kind.GAP, True, "x = x"), Complaint(1, Kind.CIRCULAR)]
    assert parse_analysis(compose(Random(0), (), several, 0.0)).complaints == tuple(several)
