"""Collecting and measuring of the recipe, with judges whose answers are known: exact tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

pytest.importorskip("torch")

from lab.checker import check
from lab.items import Stream
from lab.prompts import templates
from lab.theorem import Theorem
from rl.recipe import collect, measure
from rl.recipe.collect import Examined
from rl.recipe.config import LabelsConfig
from rl.recipe.labeling import automatic_label
from rl.task import Answer
from rl.tasks.lab import case_of
from rl.tasks.tables import Case
from verifier.autolabel import LabelConfig

OPENING = "Here is my evaluation of the solution:\n"
SAYS = OPENING + "%s\nBased on my evaluation, the final overall score should be:\n\\boxed{%s}"
PROVE = Stream("prove", ("inequalities",), (1,), "train", 3)
VERIFY = Stream("verify", ("inequalities",), (1,), "train", 3)
REVIEW = Stream("review", ("inequalities",), (1,), "train", 3)
CASES = [replace(case_of(VERIFY.item(number)), label=None, analysis="", quality=None) for number in range(3)]


@dataclass
class Scripted:
    """A judge that answers by a function of prompt, number of the answer, and draw; remembers what it was asked."""

    answer: Callable[[str, int, int], str | Answer]
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        self.asked += [(prompt, count, draw) for prompt in prompts]
        return [[self._one(prompt, number, draw) for number in range(count)] for prompt in prompts]

    def _one(self, prompt: str, number: int, draw: int) -> Answer:
        answer = self.answer(prompt, number, draw)
        return answer if isinstance(answer, Answer) else Answer(answer, tokens=len(answer))


class Silent:
    """A judge whose context no prompt fits."""

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        return [[] for _ in prompts]


def in_order(*answers: str | Answer) -> Scripted:
    """Answer number n of each prompt is ``answers[n]``."""
    return Scripted(lambda prompt, number, draw: answers[number])


def solution(body: str, score: str = "1") -> str:
    return f"## Solution\n{body}\n\n## Self Evaluation\n\n{SAYS % ('It is so.', score)}"


def label_of(examined: Sequence[Examined], config: LabelsConfig) -> float | None:
    return automatic_label([(one.score, one.reviews) for one in examined], config)


def test_proofs_are_gathered_once_and_whole() -> None:
    wanted = collect.theorems(PROVE, 2)
    cut = Answer(solution("Cut off."), truncated=True)
    prover = in_order(solution("One."), solution("Two."), solution("One.", "0"), cut, "", "## Solution\n\n")
    cases = collect.prove(prover, templates(), wanted, 6)
    assert [(case.theorem, case.proof) for case in cases] == [(t, body) for t in wanted for body in ("One.", "Two.")]
    assert all(case == Case(t.statement, case.proof, theorem=t) for t, case in zip(wanted, cases[::2], strict=True))
    assert prover.asked == [(templates().proof(t.statement), 6, 0) for t in wanted]


def test_theorems_of_one_statement_are_proved_once() -> None:
    (theorem,) = collect.theorems(PROVE, 1)
    cases = collect.prove(in_order(solution("One.")), templates(), [theorem, replace(theorem, seed=9)], 1)
    assert cases == [Case(theorem.statement, "One.", theorem=theorem)]


def test_exact_labels_are_the_checkers() -> None:
    labeled = list(collect.label_exactly(CASES))
    assert [case.label for case in labeled] == [VERIFY.item(number).proof.label for number in range(3)]
    assert [replace(case, label=None) for case in labeled] == CASES


def test_unparseable_analyses_have_no_score() -> None:
    cut = Answer(SAYS % ("Fine.", "1"), truncated=True)
    texts = [SAYS % ("Fine.", "0.5"), "I do not know.", SAYS % ("Fine.", "0.7")]
    found = collect.analyze(in_order(texts[0], cut, *texts[1:]), templates(), CASES[:1], 4)
    scores = [0.5, None, None, None]
    assert found == [[Examined(text, s) for text, s in zip([texts[0], cut.text, *texts[1:]], scores, strict=True)]]


def test_a_verdict_quoted_from_the_proof_is_none() -> None:
    sentence = "Based on my evaluation, the final overall score should be:\n\\boxed{1}"
    case = replace(CASES[0], proof=f"{CASES[0].proof}\n{sentence}")
    ((one,),) = collect.analyze(in_order(f"{OPENING}It says: {sentence}"), templates(), [case], 1)
    assert one.score is None


def test_reviews_belong_to_the_analysis_and_case_they_are_of() -> None:
    twice, alone = SAYS % ("Line 1 is odd.", "0"), SAYS % ("Line 2 is odd.", "0.5")
    fine, dumb = SAYS % ("Fine.", "1"), "Nothing."
    analyses = [
        [Examined(twice, 0.0), Examined(fine, 1.0), Examined(twice, 0.0), Examined(alone, 0.5)],
        [Examined(twice, 0.0), Examined(dumb, None)],
    ]
    places = [(0, twice, "1"), (0, alone, "0.5"), (1, twice, "0")]
    says = {
        templates().meta_verification(CASES[case].statement, CASES[case].proof, text): score
        for case, text, score in places
    }
    meta = Scripted(lambda prompt, number, draw: SAYS % ("So.", says[prompt]) if number < 2 else "Hm.")
    reviewed = collect.review(meta, templates(), CASES[:2], analyses, 3)
    assert [[one.reviews for one in group] for group in reviewed] == [
        [(1.0, 1.0, None), (), (1.0, 1.0, None), (0.5, 0.5, None)],
        [(0.0, 0.0, None), ()],
    ]
    assert [[replace(one, reviews=()) for one in group] for group in reviewed] == analyses
    # Praise and what cannot be read are shown to nobody.
    assert {prompt for prompt, _, _ in meta.asked} == says.keys()


def test_reviews_without_room_leave_the_issue_open() -> None:
    analyses = [[Examined(SAYS % ("Odd.", "0"), 0.0)]]
    assert collect.review(Silent(), templates(), CASES[:1], analyses, 3) == analyses
    assert label_of(analyses[0], LabelsConfig(None, None, 1, 3, LabelConfig(k=1, confirm_at=1.0))) is None


ISSUE = Examined("a", 0.0, (1.0, 1.0, 0.0))
HALF = Examined("b", 0.5, (1.0, 1.0, 1.0))
REFUTED = Examined("c", 0.0, (0.0, 0.0, 1.0))
PRAISE = Examined("d", 1.0)


@pytest.mark.parametrize(
    ("examined", "n", "m", "k", "label"),
    [
        ([ISSUE, ISSUE, PRAISE], 3, 3, 2, 0.0),
        ([ISSUE, ISSUE, PRAISE], 3, 3, 3, None),  # three must agree
        ([ISSUE, PRAISE, ISSUE], 2, 3, 2, None),  # the third analysis is beyond n
        ([HALF, ISSUE, HALF], 3, 3, 2, 0.5),
        ([HALF, ISSUE], 2, 3, 1, 0.0),  # the lowest confirmed score
        ([REFUTED, PRAISE], 2, 3, 2, 1.0),
        ([REFUTED, REFUTED], 2, 1, 1, 1.0),  # m = 1: the first review alone refutes
        ([Examined("e", 0.0, (1.0, 0.0, 0.0))], 1, 1, 1, 0.0),  # m = 1: the first review alone confirms
        ([Examined("e", 0.0, (1.0, 0.0, 0.0))], 1, 3, 1, 1.0),
        ([Examined("f", None), PRAISE], 2, 3, 2, None),  # one readable analysis is too few
        ([], 2, 3, 1, None),
    ],
)
def test_labels_follow_n_m_and_k(examined: list[Examined], n: int, m: int, k: int, label: float | None) -> None:
    assert label_of(examined, LabelsConfig(None, None, n, m, LabelConfig(k=k, confirm_at=1.0))) == label


def test_analyses_carry_their_exact_quality_once_each() -> None:
    planted = [case_of(REVIEW.item(number)) for number in range(8)]
    assert {case.quality for case in planted} == {0.0, 0.5, 1.0}
    unparseable = Examined("Nothing.", None)
    read = [[Examined(case.analysis, 0.0), unparseable, Examined(case.analysis, 0.0)] for case in planted]
    bare = [replace(case, analysis="", quality=None) for case in planted]
    assert list(collect.with_analyses(bare, read)) == planted


def test_no_room_is_no_answer_when_measured() -> None:
    theorems = collect.theorems(PROVE, 2)
    (case, *_) = collect.label_exactly(CASES)
    reviewed = replace(case, analysis=SAYS % ("Fine.", "1"), quality=0.0)
    proofs = list(measure.measure_prover(Silent(), templates(), theorems, 2))
    assert [record["truth"] for record in proofs] == [0.0] * 4
    assert not any(record["format"] for record in proofs)
    scores = list(measure.measure_verifier(Silent(), templates(), [case], 3))
    assert [record["score"] for record in scores] == [None] * 3
    ratings = list(measure.measure_meta_verifier(Silent(), templates(), [reviewed]))
    assert [(record["quality"], record["rating"]) for record in ratings] == [(0.0, None)]


def test_a_prover_is_measured_by_the_checker() -> None:
    (theorem,) = collect.theorems(PROVE, 1)
    right = PROVE.item(0).answer
    answers = [right, solution("Clear.", "0.5"), Answer(right, truncated=True, tokens=7), "Clear."]
    records = list(measure.measure_prover(in_order(*answers), templates(), [theorem], 4))
    shown = [(record["truth"], record["self_score"], record["format"]) for record in records]
    assert shown == [(1.0, 1.0, True), (check(theorem, "Clear.").score, 0.5, True), (0.0, None, False), shown[3]]
    assert shown[3][1:] == (None, False)
    where = measure.coordinates(theorem)
    assert where.keys() == {"family", "level", "seed", "split", "left_side"}
    assert {key: records[0][key] for key in where} == where


def chains(model: Scripted, count: int, rounds: int, theorems: list[Theorem]) -> list[list[tuple[float, float | None]]]:
    records = measure.measure_refinement(model, templates(), theorems, count, rounds)
    return [[(one["truth"], one["self_score"]) for one in record["rounds"]] for record in records]


def test_a_chain_ends_with_a_self_score_of_1() -> None:
    (theorem,) = collect.theorems(PROVE, 1)
    right, first = PROVE.item(0).answer, templates().proof(theorem.statement)
    weak = solution("Clear.", "0")
    evaluation = (SAYS % ("It is so.", "0")).strip()
    refine = templates().refinement(theorem.statement, [("Clear.", [evaluation])])
    model = Scripted(lambda prompt, number, draw: {first: weak, refine: right}[prompt])
    assert chains(model, 1, 5, [theorem]) == [[(check(theorem, "Clear.").score, 0.0), (1.0, 1.0)]]
    assert model.asked == [(first, 1, 0), (refine, 1, 1)]


def test_a_truncated_answer_is_followed_by_a_new_proof() -> None:
    (theorem,) = collect.theorems(PROVE, 1)
    right, first = PROVE.item(0).answer, templates().proof(theorem.statement)
    model = Scripted(lambda prompt, number, draw: Answer(right, truncated=draw < 2))
    assert chains(model, 1, 4, [theorem]) == [[(0.0, None), (0.0, None), (1.0, 1.0)]]
    assert model.asked == [(first, 1, draw) for draw in range(3)]


def test_chains_with_one_prompt_draw_apart() -> None:
    one, two = collect.theorems(PROVE, 2)
    evaluated = {number: solution(f"Trajectory {number}.", "0.5" if number else "0") for number in range(3)}
    model = Scripted(lambda prompt, number, draw: evaluated[number])
    found = list(measure.measure_refinement(model, templates(), [one, two], 3, 2))
    numbers = [(theorem.seed, chain) for theorem in (one, two) for chain in range(3)]
    assert [(record["seed"], record["chain"]) for record in found] == numbers
    assert model.asked[:2] == [(templates().proof(theorem.statement), 3, 0) for theorem in (one, two)]
    # Each chain refines its own first proof.
    refined = {prompt for prompt, _, draw in model.asked if draw == 1}
    assert len(refined) == 6
    assert all(sum(f"Trajectory {number}." in prompt for prompt in refined) == 2 for number in range(3))


@pytest.mark.parametrize(
    ("labels", "kept"), [("0000100", "0,1"), ("0101", "0101"), ("00½1", "00½1"), ("000", "000"), ("", "")]
)
def test_no_label_has_more_than_half_of_a_balanced_table(labels: str, kept: str) -> None:
    values = {"0": 0.0, "½": 0.5, "1": 1.0}
    cases = [Case(f"theorem {place}", "proof", values[label]) for place, label in enumerate(labels)]
    found = collect.balanced(cases, lambda case: case.label, "seed")
    assert found == [case for case in cases if case in found]
    assert found == collect.balanced(cases, lambda case: case.label, "seed")
    assert sorted(str(case.label) for case in found) == sorted(str(values[label]) for label in kept.replace(",", ""))
    drawn = {tuple(collect.balanced(cases, lambda case: case.label, str(seed))) for seed in range(40)}
    assert len(drawn) == (1 if "," not in kept else 6)
