"""The final-answer checker: equal and unequal answers, references that cannot be parsed, and hostile answers."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from core import answer_check
from core.answer_check import AnswerChecker, AnswerConfig
from core.columns import Columns
from core.errors import LemmataError
from core.problems import load_problems
from evaluation.answers import patched
from tests.shared import shared

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
        ("The bound is 5.\nThe answers are 2 and 3.", "2, 3", 1),
        ("n = 42", "42", 1),
        ("\\boxed{1} first, but then \\boxed{2}" + " and so on" * 4000, "2", 1),  # the last box of the whole text
        ("\\boxed{2} first, but then \\boxed{1}", "2", 0),
        ("\\boxed{42\\text{ cm}}", "42", 1),
        ("\\boxed{1,234}", "1234", 1),
        ("\\boxed{25,325,1,13}", "1, 13, 25, 325", 1),
        ("\\boxed{n=3 \\text{ or } n=4}", "3, 4", 1),
        ("\\boxed{3}", "3, 4", 0),
        ("\\boxed{3,4,5}", "3, 4", 0),
        ("\\boxed{5 \\text{ if } n \\text{ is odd}}", "5", 0),
        ("\\boxed{0}", "$2-2m$", 0),
        ("\\boxed{2(1-m)}", "$2-2m$", 1),
        ("\\boxed{2m}", "2", 0),
        ("\\boxed{-r}", "$R-2r$", 0),
        ("\\boxed{-2r+R}", "$R-2r$", 1),
        ("\\boxed{7^{dp}}", "$7^d p$", 0),
        ("\\boxed{p\\cdot 7^d}", "$7^d p$", 1),
        ("\\boxed{(0,2]}", "$(0,2)$", 0),
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


@pytest.mark.parametrize(
    "reference",
    ["All powers of 2", "$1,2,\\ldots, 1235$", "1 if n is odd, otherwise 2", "$f(x)=0$ if $x=0$, $1$ otherwise",
     "odd $n$", "no solutions", "$(2k-1)!!$", "$a+1$ ($a \\ge 2$)\n0 ($a=1$)", "$\\{n : n > 2\\}$",
     "\\begin{cases} 1 & n=2 \\\\ 2 & n>2 \\end{cases}", "$cx$, where $c \\ne 0$", "", " \n"],
)  # fmt: skip
def test_what_algebra_cannot_decide_is_reported_and_accepts_nothing(checker: AnswerChecker, reference: str) -> None:
    for answer in ("0", "1", "2", "n", reference):
        with pytest.raises(LemmataError, match="not gradable"):
            checker.check(f"\\boxed{{{answer}}}", reference)


def wordings(reference: str) -> list[str]:
    bare = reference.strip().replace("$", "")
    return [f"\\boxed{{{bare}}}", f"$\\boxed{{{bare}}}$.", f"The answer is {reference.strip()}.", f"Answer: ${bare}$",
            reference, f"**Final answer:** $$\\boxed{{\\displaystyle {bare}}}$$"]  # fmt: skip


@pytest.mark.slow
def test_every_reference_of_answerbench_accepts_itself_or_is_reported(checker: AnswerChecker) -> None:
    columns = Columns(statement="Problem", name="Problem ID", reference="", answer="Short Answer", guidelines="")
    source = str(shared("data/imobench/answerbench_v2.csv"))
    reported = []
    for problem in patched(load_problems(source, columns=columns)):
        reference = problem.answer or ""
        try:
            scores = [checker.check(wording, reference).score for wording in wordings(reference)]
        except LemmataError:
            reported.append(problem.name)
            continue
        assert set(scores) == {1.0}, (reference, scores)
        for junk in ("0", "2", "n"):
            if reference.strip(" $\n") != junk:
                assert checker.check(f"\\boxed{{{junk}}}", reference).score == 0, (reference, junk)
    assert len(reported) == 31


def test_a_busy_machine_changes_no_result() -> None:
    pytest.importorskip("math_verify")
    with AnswerChecker(AnswerConfig(seconds=1)) as checker:
        assert checker.check("\\boxed{1}", "1").score == 1
        assert checker._process is not None
        process = checker._process.pid
        thread = threading.Timer(3.0, os.kill, (process, signal.SIGCONT))
        os.kill(process, signal.SIGSTOP)  # three times its seconds, in which it gets no CPU time
        thread.start()
        assert checker.check("\\boxed{2x}", "$x+x$").score == 1
        thread.join()


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
