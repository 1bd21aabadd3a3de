"""Loops at the end of a text are found; ordinary mathematics is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.repetition import Repetition, find_repetition
from tests.shared import shared

TABLE = "\\begin{array}{c|c}\n" + "\n".join(f"{n} & {n * n % 7} \\\\ \\hline" for n in range(200)) + "\n\\end{array}"
SENTENCE = "Wait, let me check this case once more. "


def _naive(text: str, min_repeats: int, min_length: int) -> Repetition | None:
    """The definition, read off directly."""
    for period in range(1, len(text)):
        length = period
        while length < len(text) and text[-1 - length] == text[-1 - length + period]:
            length += 1
        if length >= min_length and length // period >= min_repeats:
            return Repetition(period, length // period)
    return None


@given(st.text("ab", max_size=40), st.integers(2, 4), st.integers(1, 12))
def test_agrees_with_the_definition(text: str, min_repeats: int, min_length: int) -> None:
    assert find_repetition(text, min_repeats=min_repeats, min_length=min_length) == _naive(
        text, min_repeats, min_length
    )


@given(st.text(max_size=200), st.text(min_size=1, max_size=50), st.integers(300, 400))
def test_a_planted_loop_is_found(before: str, passage: str, repeats: int) -> None:
    repetition = find_repetition(before + passage * repeats)
    assert repetition is not None
    assert repetition.period <= len(passage)
    assert repetition.repeats >= 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Proof. " + SENTENCE * 10, Repetition(len(SENTENCE), 10)),
        ("Proof. " + SENTENCE * 10 + SENTENCE[:17], Repetition(len(SENTENCE), 10)),
        ("Proof. " + SENTENCE * 10 + "\n\n", Repetition(len(SENTENCE), 10)),
        ("Proof." + "\n" * 400, Repetition(1, 400)),
        ("0." + "3" * 9000, Repetition(1, 4000)),
    ],
)
def test_loops(text: str, expected: Repetition) -> None:
    assert find_repetition(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Proof.",
        TABLE,
        SENTENCE * 5,
        "ha" * 140,
        SENTENCE * 20 + "But this settles it: the claim holds for every $n$.",
        "".join(f"{n}. {SENTENCE}\n" for n in range(60)),
        "| --- " * 40 + "|\n" + "| 0 | 1 |\n" * 5,
        "\\begin{pmatrix}" + " & ".join(["0"] * 60) + " \\\\\n" + "\\end{pmatrix}",
    ],
)
def test_what_is_no_loop(text: str) -> None:
    assert find_repetition(text) is None


def test_only_the_tail_is_looked_at() -> None:
    assert find_repetition(SENTENCE * 100 + "End. ", tail=4000) is None
    assert find_repetition("abcdefghij" * 100, tail=0) is None
    assert find_repetition("abcdefghij" * 100, tail=299) is None
    assert find_repetition("abc", min_length=0) is None


@pytest.mark.parametrize("text", ["a" * 200_000, "a" * 100_000 + "b" + "a" * 99_999, "ab" * 100_000 + "c"])
def test_a_long_tail_ends(text: str) -> None:
    # Comparing every period letter by letter would take hours on these.
    find_repetition(text, tail=len(text), min_repeats=len(text))


def test_released_proofs_hold_no_loop() -> None:
    for path in shared("data/deepseek_math_v2/outputs").glob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            proof = json.loads(line)["model_prediction"]["proof"]
            assert all(find_repetition(proof[:end]) is None for end in range(2000, len(proof) + 2000, 2000))
