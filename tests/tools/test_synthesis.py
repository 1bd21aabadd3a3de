"""Synthesis of tasks: the funnel refuses each kind of fault by its stage, and a package holds what passed."""

import asyncio
import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from core.tables import open_table
from tools.interpreter import Output
from tools.pool import InterpreterPool
from tools.synthesis.candidate import SEEDS, Candidate, read_candidates
from tools.synthesis.funnel import STAGES, Examined, FunnelConfig, GuessSolver, examine, funnel_counts, mutations
from tools.synthesis.package import CARD, TABLE, write_package
from tools.synthesis.runner import Runner

CONFIG = FunnelConfig(seeds=6, rounds=3, low=0.1, high=0.8)
GOOD = """
import random
def generate(seed, level):
    n = random.Random(f"{seed} {level}").randrange(20 * level)
    return {"statement": f"Find the root of x - {n} - 1 = 0.", "reference": str(n + 1), "data": n}
def verify(data, answer):
    return answer.lstrip("-").isdigit() and int(answer) == data + 1
"""


class InThisProcess:
    """Runs trusted code of tests as a pool does, each call with variables of its own."""

    async def run(self, conversation: str, earlier: Sequence[str], code: str) -> Output:
        """The output of ``code``."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, {})
        except Exception as error:  # noqa: BLE001
            return Output("error", f"{type(error).__name__}: {error}", 0.0)
        return Output("ok", printed.getvalue(), 0.0)

    async def end(self, conversation: str) -> None:
        """Nothing is held."""


def examined(code: str, guesses: int = 15, config: FunnelConfig = CONFIG) -> Examined:
    """A family after the funnel."""
    runner = Runner(cast("InterpreterPool", InThisProcess()))
    return asyncio.run(examine(Candidate("family", code, "scripted"), runner, GuessSolver(guesses), config))


def test_a_sound_family_is_accepted_at_the_level_in_the_band() -> None:
    found = examined(GOOD)
    assert found.accepted
    assert len(found.instances) == CONFIG.seeds
    assert CONFIG.low <= found.rates[-1] <= CONFIG.high


def test_the_level_is_raised_while_the_pass_rate_is_above_the_band() -> None:
    found = examined(GOOD, guesses=30)
    assert found.rates[0] > CONFIG.high
    assert found.accepted
    assert {instance.level for instance in found.instances} == {len(found.rates)}


@pytest.mark.parametrize(
    ("old", "new", "stage", "reason"),
    [
        ("import random", "import random(", "written", "SyntaxError"),
        ("str(n + 1)", "n + 1", "written", "must be texts"),
        ('"data": n}', '"more": n}', "written", "statement, reference and data"),
        ('"data": n}', '"data": {1, 2}}', "written", "TypeError"),
        ("x - {n} - 1", "x", "written", "the same statement"),
        ('f"{seed} {level}"', "None", "ran", "other instances"),
        ("== data + 1", "== data", "deterministic", "refuses a reference"),
        ("== data + 1", ">= data", "deterministic", "mutations"),
        ('answer.lstrip("-").isdigit() and ', "", "deterministic", "ValueError"),
        ("== data + 1", "- data - 1", "deterministic", "refuses a reference"),
        ("of x - {n} - 1", "of x - {n + 1}", "deterministic", "hold their answers"),
        ("randrange(20 * level)", "randrange(10**6, 10**9)", "sound", "too hard"),
        ("randrange(20 * level)", "randrange(10)", "sound", "too easy"),
    ],
)
def test_a_fault_ends_a_family_at_its_stage(old: str, new: str, stage: str, reason: str) -> None:
    assert old in GOOD
    found = examined(GOOD.replace(old, new))
    assert (found.stage, found.instances) == (stage, ())
    assert reason in found.reason


def test_mutations_differ_from_the_reference_in_each_of_its_integers() -> None:
    assert {"13", "11", "", "unknown"} <= set(mutations("12"))
    assert {"1, 6", "3, 6", "2, 5", "2, 7"} <= set(mutations("2, 6"))
    assert "12" not in mutations("12")


def test_a_package_has_the_tasks_as_a_problem_set_and_the_funnel(tmp_path: Path) -> None:
    found = [examined(GOOD), examined(GOOD.replace("== data + 1", "== data"))]
    assert funnel_counts(found) == dict(zip(STAGES, (2, 2, 2, 1, 1), strict=True))
    assert write_package(tmp_path, found, CONFIG, "guesses") == CONFIG.seeds
    rows = [json.loads(line) for line in (tmp_path / TABLE).read_text().splitlines()]
    assert {row["family"] for row in rows} == {"family"}
    assert "refuses a reference" in (tmp_path / CARD).read_text()
    assert [row.cells["problem"] for row in open_table(str(tmp_path / TABLE), None, None)] == [
        row["problem"] for row in rows
    ]


def test_the_families_that_are_shipped_have_the_form_and_are_ten_at_least() -> None:
    candidates = read_candidates(SEEDS)
    assert len(candidates) >= 10
    for candidate in candidates:
        runner = Runner(cast("InterpreterPool", InThisProcess()))
        [instance, *_] = asyncio.run(runner.generate(candidate, [1, 2], 1))
        answers = [(instance, instance.reference), *((instance, wrong) for wrong in mutations(instance.reference))]
        assert asyncio.run(runner.verify(candidate, answers)) == [True] + [False] * (len(answers) - 1)
