"""Metrics of co-training against numbers computed by hand."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl.recipe.config import LabelsConfig
from rl.report.curves import curves, over_optimization, training_cost
from rl.report.labels import label_metrics
from rl.report.metrics import estimates_of
from rl.report.record_files import Rows
from rl.report.refinement import best_of_k, refinement_metrics
from verifier.autolabel import LabelConfig


def rows(*records: dict[str, Any]) -> Rows:
    return Rows("file.jsonl", records)


def at(seed: int, **fields: Any) -> dict[str, Any]:
    return {"family": "f", "level": 1, "seed": seed, "split": "test", "tokens": 10, **fields}


def proof(truth: float, own: float | None, tokens: int = 10) -> dict[str, Any]:
    return {"truth": truth, "self_score": own, "format": own is not None, "tokens": tokens}


def test_the_prover() -> None:
    found = estimates_of(
        "prover.jsonl",
        rows(
            at(1, **proof(1.0, 1.0)),
            at(1, **proof(0.5, 1.0)),  # dishonest
            at(2, **proof(0.0, 0.0)),
            at(2, **proof(0.0, None)),  # unparseable: wrong, and claims nothing
            at(3, **proof(0.5, 0.0)) | {"level": 2},
        ),
    )
    value = {name: estimate.value for name, estimate in found.items()}
    assert value["pass@1"] == 1 / 5
    assert (value["pass@1 level 1"], value["pass@1 level 2"]) == (1 / 4, 0.0)
    assert value["format"] == 4 / 5
    assert value["mean_truth"] == pytest.approx(0.4)
    assert value["self_score_accuracy"] == 2 / 5
    assert (value["overclaim_rate"], found["overclaim_rate"].n) == (1 / 4, 4)
    assert (found["pass@1"].n, found["pass@1"].clusters, found["pass@1"].source) == (5, 3, "file.jsonl")


def test_the_verifier() -> None:
    def analysis(case: int, label: float, score: float | None, quality: float = 1.0) -> dict[str, Any]:
        return at(case, case=case, label=label, score=score, quality=quality)

    found = estimates_of(
        "verifier.jsonl",
        rows(
            *(analysis(0, 1.0, 1.0), analysis(0, 1.0, 1.0)),  # accepted by both
            *(analysis(1, 0.0, 1.0, 0.0), analysis(1, 0.0, 0.5, 0.5)),  # accepted by one
            *(analysis(2, 1.0, None, 0.0), analysis(2, 1.0, 1.0)),  # an unparseable analysis accepts nothing
            *(analysis(3, 0.0, 0.0), analysis(3, 0.0, 0.0)),
        ),
    )
    value = {name: estimate.value for name, estimate in found.items()}
    assert value["accuracy"] == 5 / 8
    assert (value["precision"], value["recall"]) == (3 / 4, 3 / 4)
    assert (value["precision_all"], found["precision_all"].n) == (1.0, 1)
    assert (value["recall_all"], found["recall_all"].n) == (0.5, 2)
    assert value["mean_absolute_error"] == pytest.approx(1.5 / 7)
    assert value["quality"] == pytest.approx(5.5 / 8)
    assert (value["unparseable"], value["baseline"]) == (1 / 8, 1 / 2)


def test_the_meta_verifier() -> None:
    ratings = [(1.0, 1.0), (0.5, 1.0), (0.0, None), (1.0, 1.0)]
    records = [at(n, quality=quality, rating=rating) for n, (quality, rating) in enumerate(ratings)]
    found = estimates_of("meta-verifier-real.jsonl", rows(*records))
    assert (found["accuracy"].value, found["unparseable"].value, found["baseline"].value) == (0.5, 0.25, 0.5)
    assert found["accuracy"].method == "wilson"


@given(
    st.lists(
        st.tuples(st.sampled_from([None, 0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=7
    ),
    st.data(),
)
def test_best_of_k_is_the_mean_over_all_subsets(samples: list[tuple[float | None, float]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(samples)))
    chosen = []
    for subset in combinations(samples, k):
        best = max(subset, key=lambda sample: -1.0 if sample[0] is None else sample[0])  # the earliest of equals
        chosen.append(best[1] == 1)
    exact = sum(chosen) / len(chosen)
    assert best_of_k(samples, k) == pytest.approx(exact)


def test_a_fractional_k_lies_between_its_neighbors() -> None:
    samples = [(1.0, 1.0), (0.5, 0.0), (0.0, 0.0), (None, 0.0)]
    assert [best_of_k(samples, k) for k in (1, 2, 4)] == [0.25, 0.5, 1.0]
    assert best_of_k(samples, 1.4) == pytest.approx(0.25 + 0.4 * 0.25)
    for k in (0.5, 4.1):
        with pytest.raises(ValueError, match="between 1 and"):
            best_of_k(samples, k)


def test_refinement_by_rounds() -> None:
    chains = rows(
        at(1, chain=0, rounds=[proof(0.0, 0.5), proof(1.0, 1.0)]),
        at(1, chain=1, rounds=[proof(0.0, 1.0)]),  # stopped: keeps its proof
        at(2, chain=1, rounds=[proof(1.0, 1.0)]),
        at(2, chain=0, rounds=[proof(0.0, 0.0), proof(0.0, 1.0)]),
    )
    one, two, three = refinement_metrics(chains, 3)
    assert [entry["pass@1"].value for entry in (one, two, three)] == [1 / 4, 2 / 4, 2 / 4]
    # Round 2: theorem 1's chain 0 comes before chain 1 at equal self-scores, and so does theorem 2's.
    assert [entry["best"].value for entry in (one, two, three)] == [1 / 2, 1 / 2, 1 / 2]
    assert [entry["tokens"] for entry in (one, two, three)] == [10, 15, 15]
    assert [entry["ratio"] for entry in (one, two)] == [1.0, 1.5]
    assert one["independent"].value == 1 / 4
    # Of two samples the best: theorem 1 fails, theorem 2 passes; halfway from one sample to two.
    assert two["independent"].value == pytest.approx((0 + 0.75) / 2)
    assert two["gain"].value == pytest.approx(0.5 - 0.375)
    assert (two["since_first"].value, one["since_first"].value) == (0.25, 0.0)


def test_more_tokens_than_were_sampled_have_no_rival() -> None:
    entries = refinement_metrics(rows(at(1, chain=0, rounds=[proof(0.0, 0.5), proof(1.0, 1.0, 30)])), 2)
    assert entries[0]["independent"] is not None
    assert (entries[1]["ratio"], entries[1]["independent"], entries[1]["gain"]) == (4.0, None, None)


def test_labels_and_their_curve() -> None:
    def analysis(score: float | None, *reviews: float) -> dict[str, Any]:
        return {"score": score, "reviews": list(reviews)}

    examined = rows(
        at(1, truth=0.0, analyses=[analysis(0.0, 1.0, 1.0), analysis(0.0, 1.0, 1.0)]),
        at(2, truth=0.5, analyses=[analysis(1.0), analysis(0.5, 1.0, 1.0)]),
        at(3, truth=0.0, analyses=[analysis(1.0), analysis(1.0)]),  # an issue that none saw
        at(4, truth=0.0, analyses=[analysis(None), analysis(0.0, 1.0, 0.0)]),
    )
    found = label_metrics(examined, LabelsConfig(None, None, 2, 2, LabelConfig(k=1, confirm_at=1.0)))
    assert (found["chosen"]["share"].value, found["chosen"]["accuracy"].value) == (3 / 4, 2 / 3)
    curve = {(one["n"], one["m"], one["k"]): (one["share"].value, one["accuracy"].value) for one in found["curve"]}
    assert curve[1, 1, 1] == (3 / 4, 1 / 3)
    assert curve[2, 1, 1] == (1.0, 3 / 4)
    assert curve[2, 2, 2] == (2 / 4, 1 / 2)
    assert (1, 1, 2) not in curve
    assert found["truths"] == {"0.0": 3, "0.5": 1, "1.0": 0}


def test_the_judge_beside_the_truth() -> None:
    lines = [
        {
            "step": step,
            "stage": "rl",
            "reward/prover/proof": step / 10,
            "reward/prover/truth": 0.1,
            "reward/verifier/score": 1.0,
            "tokens": 5,
            "time": {"seconds": 2.0},
        }
        for step in range(1, 11)
    ]
    lines.append({"step": 11, "stage": "rl", "reward/prover/truth": 0.9})  # no judge's score: no gap either
    first, last = over_optimization(rows(*lines))
    assert (first["kind"], first["part"], first["steps"]) == ("prover", "first", 2)
    assert first["gap"].value == pytest.approx(0.05)
    assert last["gap"].value == pytest.approx(0.85)
    assert curves(rows(*lines))["reward/prover/proof"][0] == (1, 0.1)
    assert training_cost(rows(*lines)) == {"steps": 11, "seconds": 20.0, "tokens": 50}
