"""The final-answer checker: equal and unequal answers, references that cannot be parsed, and hostile answers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core import answer_check
from core.answer_check import AnswerChecker, AnswerConfig
from core.errors import LemmataError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checker() -> Any:
    pytest.importorskip("math_verify")
    with AnswerChecker(AnswerConfig(seconds=5)) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        ("so it is \\boxed{42}", "42", 1),
        ("The answer is 42.", "42", 1),
        ("<think>\\boxed{1}</think> \\boxed{\\frac{1}{2}}", "0.5", 1),
        ("\\boxed{x^2+2x+1}", "(x+1)^2", 1),
        ("\\boxed{\\{2, 1\\}}", "$\\{1,2\\}$", 1),
        ("\\boxed{43}", "42", 0),
        ("\\boxed{1} or \\boxed{2}", "1", 0),
        ("<think>\\boxed{42}", "42", 0),
        ("no number at all", "42", 0),
        ("", "42", 0),
    ],
)
def test_final_answers(checker: AnswerChecker, text: str, reference: str, score: float) -> None:
    result = checker.check(text, reference)
    assert result.score == score
    assert bool(result.reason) == (score == 0)


def test_a_reference_that_cannot_be_read_is_an_error_and_not_a_zero(checker: AnswerChecker) -> None:
    with pytest.raises(LemmataError, match="reference answer"):
        checker.check("\\boxed{1}", "")
    assert checker.check("\\boxed{1}", "1").score == 1


def test_a_hostile_answer_ends_in_time_and_the_next_one_is_checked() -> None:
    pytest.importorskip("math_verify")
    with AnswerChecker(AnswerConfig(seconds=3)) as checker:
        assert checker.check("\\boxed{1}", "1").score == 1  # has started
        for bomb in ("\\boxed{9^{9^{9^9}}}", "\\boxed{(10^{100000000})!}", "\\boxed{" * 50_000, "1" * 10**6):
            assert checker.check(bomb, "1").score == 0
        assert checker.check("\\boxed{1}", "1").score == 1


def test_without_math_verify_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_check, "find_spec", lambda name: None)
    with pytest.raises(LemmataError, match=r"\.\[rl\]"):
        AnswerChecker(AnswerConfig())


def test_the_checker_loads_no_torch_and_no_sympy() -> None:
    code = "import sys, core.answer_check; print(sorted({'torch', 'transformers', 'sympy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
