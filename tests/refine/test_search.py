"""Pool search: what is asked for in which round, what waits for what, and that nothing depends on timing."""

import asyncio
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.records import Analysis, Proof, Record, Review, Selection
from policy.interface import PolicyUnavailable, PromptRefused
from policy.recorder import Recorder
from refine.loop import selection_id
from tests.clocks import HANG
from tests.presets import ACCEPTANCE, JUDGE, LIGHT
from tests.scripted import (
    PROBLEM,
    Answer,
    Asked,
    Scripted,
    analysis_text,
    by_role,
    comparables,
    drawn,
    generated,
    jittered,
    loop_of,
    open_recorder,
    proof_text,
    records_of,
    review_text,
    run_loop,
)

NO_REVIEWS = replace(JUDGE, reviews=0)


def numbered(asked: Asked) -> str:
    """A proof unlike every other one."""
    return proof_text(f"Proof number {asked.number}.")


def by_round(records: list[Record], kind: type) -> dict[int, int]:
    return dict(sorted(Counter(record.round for record in generated(records, kind)).items()))


def test_light_asks_for_what_its_settings_say(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, analysis_text("0.5"), review_text(1)))
    selection, records = run_loop(policy, LIGHT, tmp_path)
    assert by_round(records, Proof) == {0: 4, 1: 4, 2: 4}
    assert by_round(records, Analysis) == {0: 16, 1: 16, 2: 16}
    assert by_round(records, Review) == {0: 16, 1: 16, 2: 16}
    assert len(policy.asked) == 12 + 48 + 48
    assert (selection.accepted, selection.rounds, selection.verdicts, selection.mean_score) == (False, 3, 4, 0.5)
    assert records[-1] == selection


@pytest.mark.parametrize(("top", "pairs", "refined"), [(1, 1, 1), (1, 3, 3), (3, 1, 3), (9, 9, 16)])
def test_later_rounds_refine_the_best_with_each_of_their_critiques(
    tmp_path: Path, top: int, pairs: int, refined: int
) -> None:
    """16: no more than 4 proofs with 4 analyses each are there to be paired."""
    policy = Scripted(by_role(numbered, analysis_text(0)))
    config = replace(LIGHT, top=top, pairs=pairs, rounds=2)
    _, records = run_loop(policy, config, tmp_path, judge=NO_REVIEWS)
    assert by_round(records, Proof) == {0: 4, 1: refined}
    assert sum(asked.refines for asked in policy.asked) == refined


def test_a_refinement_stands_on_one_proof_and_one_analysis_of_it(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, lambda asked: analysis_text(0, f"Defect {asked.number}.")))
    _, records = run_loop(policy, replace(LIGHT, rounds=2), tmp_path, judge=NO_REVIEWS)
    known = {record.id: record for record in records}
    asked = [each.text for each in policy.asked if each.refines]
    refined = [proof for proof in generated(records, Proof) if proof.round == 1]
    assert len({proof.parents for proof in refined}) == len(asked) == 4
    for proof in refined:
        source, critique = (known[name] for name in proof.parents)
        assert isinstance(source, Proof)
        assert isinstance(critique, Analysis)
        assert critique.proof_id == source.id
        assert sum((source.body or "") in text and critique.text in text for text in asked) == 1


def test_a_critique_is_used_again_only_when_all_have_been_used(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        if asked.role == "prover":
            return proof_text("Poor." if asked.refines else "Good.")
        return analysis_text(0 if "Poor." in asked.text else 0.5)

    config = replace(LIGHT, proofs=1, top=1, pairs=2, rounds=4)
    _, records = run_loop(Scripted(answer), config, tmp_path, judge=NO_REVIEWS)
    used = [proof.parents[1] for proof in generated(records, Proof) if proof.round]
    assert len(used) == 6
    assert len(set(used[:4])) == 4
    assert len(set(used[4:])) == 2


def scored(scores: dict[str, float]) -> Answer:
    """Proofs by name, each analyzed with its own score; refinements are poor."""

    async def answer(asked: Asked) -> str:
        if asked.role == "prover":
            return proof_text("Poor." if asked.refines else f"Name {list(scores)[asked.number]}.", "0")
        return analysis_text(next((s for name, s in scores.items() if f"Name {name}." in asked.text), 0.0))

    return answer


def test_the_best_are_refined(tmp_path: Path) -> None:
    policy = Scripted(scored({"A": 0.0, "B": 0.5, "C": 0.0, "D": 0.5}))
    selection, records = run_loop(policy, replace(LIGHT, rounds=2), tmp_path, judge=NO_REVIEWS)
    bodies = {record.id: record.body for record in generated(records, Proof)}
    refined = Counter(bodies[proof.parents[0]] for proof in generated(records, Proof) if proof.round == 1)
    assert refined == {"Name B.": 2, "Name D.": 2}
    assert bodies[selection.proof_id or ""] == "Name B."


def test_acceptance_ends_the_search(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, analysis_text(1)))
    selection, records = run_loop(policy, LIGHT, tmp_path)
    assert by_round(records, Proof) == {0: 4}
    assert by_round(records, Review) == {}
    assert (selection.accepted, selection.rounds) == (True, 1)


def verdicts(*scores: str) -> Answer:
    """Analyses of each proof with these scores in turn; the same proof every time is avoided."""
    turns: Counter[str] = Counter()

    async def answer(asked: Asked) -> str:
        if asked.role == "prover":
            return numbered(asked)
        if asked.role == "meta_verifier":
            return review_text(1)
        turns[asked.text] += 1
        return analysis_text(scores[(turns[asked.text] - 1) % len(scores)])

    return answer


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (("1", "1", "1", "0.5"), "one verdict below 1"),
        (("1", "1", "?", "?"), "only two verdicts that can be read"),
        (("1", "1", "1", "0"), "a fatal error"),
    ],
)
def test_nothing_but_acceptance_ends_it_early(tmp_path: Path, scores: tuple[str, ...], why: str) -> None:
    selection, records = run_loop(Scripted(verdicts(*scores)), LIGHT, tmp_path)
    assert by_round(records, Proof) == {0: 4, 1: 4, 2: 4}, why
    assert not selection.accepted


def test_no_proof_reaches_the_judge_without_a_body(tmp_path: Path) -> None:
    policy = Scripted(by_role("## Solution\n\n## Self Evaluation\n", analysis_text(1)))
    selection, records = run_loop(policy, LIGHT, tmp_path)
    assert policy.count("verifier") == 0
    assert by_round(records, Proof) == {0: 4, 1: 4, 2: 4}  # new ones, since nothing can be refined
    assert not any(asked.refines for asked in policy.asked)
    assert (selection.proof_id, selection.accepted, selection.rounds) == (None, False, 3)
    assert selection.reason.startswith("no proof in 12 answers: ")


def test_fresh_proofs_where_no_analysis_can_be_read(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, "I cannot say."))
    selection, records = run_loop(policy, LIGHT, tmp_path)
    assert by_round(records, Proof) == {0: 4, 1: 4, 2: 4}
    assert not any(asked.refines for asked in policy.asked)
    assert len({proof.seed for proof in generated(records, Proof)}) == 12
    assert (selection.mean_score, selection.verdicts) == (None, 0)
    assert selection.proof_id is not None


def test_identical_proofs_are_one_candidate(tmp_path: Path) -> None:
    policy = Scripted(by_role(proof_text("Always the same."), analysis_text("0.5")))
    selection, records = run_loop(policy, replace(LIGHT, rounds=2), tmp_path, judge=NO_REVIEWS)
    assert by_round(records, Proof) == {0: 4, 1: 2}
    first = [proof for proof in generated(records, Proof) if proof.round == 0 and proof.index == 0]
    assert selection.proof_id == first[0].id
    assert selection.verdicts == 24


def test_refuted_analyses_do_not_count(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, lambda asked: analysis_text((asked.seed or 0) % 2), review_text(0)))
    judge = replace(JUDGE, analyses=8, acceptance=replace(ACCEPTANCE, min_verdicts=1))
    selection, records = run_loop(policy, replace(LIGHT, proofs=1), tmp_path, judge=judge)
    reviews, analyses = generated(records, Review), generated(records, Analysis)
    assert len(reviews) == sum(analysis.score == 0 for analysis in analyses) > 0
    assert selection.accepted
    assert "refuted" in selection.reason


def test_analyses_of_a_proof_do_not_wait_for_other_proofs(tmp_path: Path) -> None:
    """One proof comes only after all the others have been judged."""
    judged = 0
    others_judged = asyncio.Event()

    async def answer(asked: Asked) -> str:
        nonlocal judged
        if asked.role == "prover":
            if asked.number == 0:
                await others_judged.wait()
            return numbered(asked)
        judged += 1
        if judged == 12:
            others_judged.set()
        return analysis_text(1)

    selection, records = run_loop(Scripted(answer), LIGHT, tmp_path)
    kinds = [(record.kind, record.index) for record in records if isinstance(record, Proof | Analysis)]
    assert kinds.index(("proof", 0)) == 15
    assert by_round(records, Analysis) == {0: 16}
    assert selection.accepted


def test_reviews_do_not_wait_for_other_analyses(tmp_path: Path) -> None:
    reviewed = asyncio.Event()

    async def answer(asked: Asked) -> str:
        if asked.role == "prover":
            return numbered(asked)
        if asked.role == "meta_verifier":
            reviewed.set()
            return review_text(1)
        if asked.number == 1:
            await reviewed.wait()
        return analysis_text(0)

    run_loop(Scripted(answer), replace(LIGHT, proofs=1, rounds=1), tmp_path)
    assert reviewed.is_set()


@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_gives_the_same_run_whatever_the_timing(tmp_path: Path, seed: int) -> None:
    runs = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        selection, records = run_loop(Scripted(jittered(number)), LIGHT, tmp_path / str(number), seed)
        assert selection in records
        runs.append(comparables(records))
    assert runs[0] == runs[1] == runs[2]


def test_another_seed_gives_another_run(tmp_path: Path) -> None:
    texts = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        _, records = run_loop(Scripted(), LIGHT, tmp_path / str(seed), seed)
        texts.append({record.text for record in generated(records, Proof)})
    assert not texts[0] & texts[1]


def test_an_interrupted_search_goes_on_to_the_same_end(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    _, whole = run_loop(Scripted(), LIGHT, tmp_path / "whole")
    asked = 0
    for calls in (3, 10, 15):

        async def answer(request: Asked, most: int = calls) -> list[str]:
            if request.number >= most:
                raise PolicyUnavailable("down")
            return await drawn(request)

        policy = Scripted(answer)
        with pytest.raises(PolicyUnavailable):
            run_loop(policy, LIGHT, tmp_path / "broken")
        asked += min(calls, len(policy.asked))
    policy = Scripted()
    _, broken = run_loop(policy, LIGHT, tmp_path / "broken")
    assert comparables(broken) == comparables(whole)
    assert asked + len(policy.asked) == len(whole) - 2  # all but the problem and the selection, each once


def test_refused_prompts_leave_the_others_to_go_on(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        if asked.refines:
            raise PromptRefused("the context is full")
        return numbered(asked) if asked.role == "prover" else analysis_text("0.5")

    selection, records = run_loop(Scripted(answer), LIGHT, tmp_path, judge=NO_REVIEWS)
    assert by_round(records, Proof) == {0: 4}
    assert selection.verdicts == 4
    assert isinstance(records[-1], Selection)


def test_one_stuck_problem_does_not_block_another(tmp_path: Path) -> None:
    async def both() -> None:
        stuck = asyncio.Event()

        async def answer(asked: Asked) -> list[str]:
            if "two odd" in asked.text:
                await stuck.wait()
            return await drawn(asked)

        policy = Scripted(answer)
        other = replace(PROBLEM, id="other", statement="Prove B.")
        recorders = [open_recorder(tmp_path), open_recorder(tmp_path, problem=other)]
        tasks = [asyncio.create_task(_run(policy, recorder)) for recorder in recorders]
        await asyncio.wait_for(tasks[1], HANG)
        assert not tasks[0].done()
        stuck.set()
        assert [len(records) > 20 for records in await asyncio.gather(*tasks)] == [True, True]

    asyncio.run(both())


async def _run(policy: Scripted, recorder: Recorder) -> list[Record]:
    with closing(recorder.log):
        await loop_of(policy, LIGHT).run(recorder)
        assert selection_id(recorder.problem.id) in recorder.log
        return records_of(recorder.log)
