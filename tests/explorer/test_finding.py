"""Search in texts, order of tables, and the results of an evaluation."""

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.folders import parts_of
from evaluation.gather import gather
from explorer.evaluation_results import EvaluationReader
from explorer.runs import RunIndex
from explorer.text_search import search, statement_of
from explorer.ui.tables import Column, ordered
from explorer.ui.widgets import link
from tests.explorer.evaluation_runs import evaluation_run
from tests.records import PROBLEM, PROOF, analysis, review, run_of

KINDS = ("problem", "proof", "analysis", "review")


@pytest.fixture
def index(tmp_path: Path) -> RunIndex:
    proof = replace(PROOF, text='## Solution\nBy "Ćebyšev" we get \\(\\binom{n}{k}\\).\nThe BINOM again.')
    other = replace(PROBLEM, id="q", statement="Prove that binom is odd.", name="two")
    run_of(tmp_path, [PROBLEM, proof, analysis("a", 0.0), review("r", 1.0, "a")], [other])
    found = RunIndex(tmp_path / "run")
    found.refresh()
    return found


@pytest.mark.parametrize(("words", "kinds", "expected"), [
    ("BiNoM", KINDS, [("proof", "y", 2), ("problem", "q", 1)]),
    ("binom", ("problem",), [("problem", "q", 1)]),
    ('"ćebyšev"', KINDS, [("proof", "y", 1)]),
    ("\\(\\binom{n}", KINDS, [("proof", "y", 1)]),
    ("\n", ("proof",), [("proof", "y", 2)]),
    ("finish_reason", KINDS, []),  # a field of the log, not of a text
])  # fmt: skip
def test_words_are_found_in_texts_alone(
    index: RunIndex, words: str, kinds: tuple[str, ...], expected: list[tuple[str, str, int]]
) -> None:
    hits, searched = search(list(index.logs.values()), words, kinds, limit=10, seconds=60)
    assert [(hit.kind, hit.id, hit.count) for hit in hits] == expected
    assert searched == 2
    assert all(hit.found.casefold() == words.casefold() for hit in hits)


def test_a_search_ends_at_its_limit_and_says_where(index: RunIndex) -> None:
    logs = list(index.logs.values())
    hits, searched = search(logs, "binom", KINDS, limit=1, seconds=60)
    assert (len(hits), searched) == (1, 1)
    assert search(logs, "binom", KINDS, limit=9, seconds=-1) == ([], 0)
    assert statement_of(index.logs["q"]) == "Prove that binom is odd."


def test_a_link_takes_the_words_of_a_search() -> None:
    assert 'href="./?page=search&amp;words=a%3Cb&amp;from=3"' in link("More", "search", words="a<b", **{"from": 3})


def test_items_without_a_value_come_last_in_both_orders() -> None:
    columns: list[Column[float | None]] = [Column("Judges' mean", str, lambda value: value, numeric=True)]
    values = [0.5, None, 1.0, 0.0]
    assert ordered(columns, values, "judges-mean") == [0.0, 0.5, 1.0, None]
    assert ordered(columns, values, "-judges-mean") == [1.0, 0.5, 0.0, None]
    assert ordered(columns, values, "nothing") == values


def test_an_evaluations_page_has_the_numbers_of_its_report(tmp_path: Path) -> None:
    evaluation_run(tmp_path / "contest")
    reader = EvaluationReader(tmp_path / "contest")
    while reader.refresh(0.0) < 1:
        reader.results()  # partial results change nothing of what was read
    found = reader.results()
    assert found.entrants == ("contest/large", "contest/small")
    assert found.grader is not None
    data = gather(parts_of(tmp_path / "contest"), tmp_path / "proofs.parquet")
    assert data.entrants == list(found.entrants)
    rows = {str(row[1]): row[3] for row in found.tables["Leaderboard"].rows}
    assert rows == {"contest/large": "40/42", "contest/small": "14/42"}
    assert [row.problem for row in found.matrix] == ["PB-Basic-1", "PB-Basic-2", "PB-Basic-10"]
    cells = found.matrix[2].cells["contest/small"]
    assert [(cell.part.attempt, cell.proof_id, cell.accepted) for cell in cells] == [
        (0, "small02", True), (1, "small12", False),
    ]  # fmt: skip
    assert found.matrix[2].mean("contest/small") == pytest.approx(6 / 7)
    assert found.matrix[0].spread == 1.0
