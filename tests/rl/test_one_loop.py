"""The asynchronous loop and the batched trainer make the same requests, and read the same scores from answers."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Proof
from meta_verifier.role import MetaVerifier
from policy.interface import Completion, Prompt, PromptRefused, Sampling
from prover.attempt import read_attempt
from prover.role import Prover
from refine.assess import Assessed, Assessor
from refine.sequential import sequential
from rl.recipe import collect
from rl.recipe.chains import NO_ROOM, refine_chains
from rl.task import Answer
from rl.tasks.tables import Case
from tests.fake_server import PHRASE
from tests.presets import JUDGE, judge_preset, refine_preset
from tests.scripted import PROBLEM, TEMPLATES, analysis_text, open_recorder, proof_text, records_of, review_text
from verifier.role import Verifier

ROUNDS = 4
SEQUENTIAL = refine_preset("sequential")
SCORES = ("0", "0.5", "1", "?")
BODIES = ("First idea.", "Second idea.", f"It says: {PHRASE} \\boxed{{1}}", "")
TEXTS = st.one_of(
    st.builds(proof_text, st.sampled_from(BODIES), st.sampled_from(SCORES)),
    st.builds("## Solution\n{}".format, st.sampled_from(BODIES)),
    st.sampled_from(["", "I give up.", "<think> and on", "<think> so </think>" + proof_text("Third idea.", "0.5")]),
)
# None: the prompt leaves no room for an answer.
SCRIPTS = st.lists(
    st.one_of(st.none(), st.builds(Answer, TEXTS, st.booleans()), st.builds(Answer, TEXTS)),
    min_size=ROUNDS,
    max_size=ROUNDS,
)
ANALYSES = st.builds(Answer, st.builds(analysis_text, st.sampled_from(SCORES), st.sampled_from("AB")), st.booleans())
REVIEWS = st.builds(Answer, st.builds(review_text, st.sampled_from(SCORES)), st.booleans())
Write = Callable[[str, int, int], Answer | None]  # of prompt, number of the sample, and call


@dataclass
class Both:
    """One model for both loops: a policy, and a judge of the trainer; ``asked`` lists the prompts."""

    write: Write
    name: str = "policy"
    samples_per_request: int = 100
    asked: list[str] = field(default_factory=list)

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        (prompt,) = ["".join(message.content for message in one.messages) for one in prompts]
        self.asked.append(prompt)
        answers = [self.write(prompt, number, len(self.asked) - 1) for number in range(sampling.n)]
        known = [answer for answer in answers if answer is not None]
        if not known:
            raise PromptRefused("the context is full")
        return [[Completion(one.text, "length" if one.truncated else "stop", "scripted", 0.0, None) for one in known]]

    async def close(self) -> None: ...

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        self.asked += prompts
        answers = [[self.write(prompt, number, draw) for number in range(count)] for prompt in prompts]
        return [[answer for answer in group if answer is not None] for group in answers]


def chain_of(script: Sequence[Answer | None]) -> tuple[list[str], list[Proof]]:
    """Prompts and proofs of one chain of the asynchronous loop."""
    model = Both(lambda prompt, number, call: script[call])
    assessor = Assessor(
        Verifier(model, TEMPLATES, Sampling()),
        MetaVerifier(model, TEMPLATES, Sampling()),
        judge_preset("sequential"),
    )
    config = replace(SEQUENTIAL, rounds=ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        recorder = open_recorder(Path(folder))
        with closing(recorder.log):
            asyncio.run(sequential(recorder, Prover(model, TEMPLATES, Sampling()), assessor, config))
            return model.asked, [record for record in records_of(recorder.log) if isinstance(record, Proof)]


@settings(deadline=None, max_examples=60)
@given(SCRIPTS)
def test_a_chain_is_the_same_one_by_one_and_in_batches(script: list[Answer | None]) -> None:
    prompts, proofs = chain_of(script)
    model = Both(lambda prompt, number, call: script[call])
    ((*answers,),) = refine_chains(model, TEMPLATES, [PROBLEM.statement], ROUNDS)
    assert model.asked == prompts
    if not proofs:
        assert answers == [NO_ROOM]
        return
    assert [answer.text for answer in answers] == [proof.text for proof in proofs]
    attempts = [read_attempt(answer.text, truncated=answer.truncated) for answer in answers]
    for attempt, proof in zip(attempts, proofs, strict=True):
        assert (attempt.body, attempt.self_score, attempt.faults) == (proof.body, proof.self_score, proof.faults)


@settings(deadline=None, max_examples=20)
@given(st.lists(SCRIPTS, min_size=2, max_size=4))
def test_chains_in_one_batch_are_independent(scripts: list[list[Answer | None]]) -> None:
    statements = [f"Statement {place}." for place in range(len(scripts))]

    def write(prompt: str, number: int, call: int) -> Answer | None:
        (place,) = [place for place, statement in enumerate(statements) if statement in prompt]
        return scripts[place][call]

    together = refine_chains(Both(write), TEMPLATES, statements, ROUNDS)
    alone = [refine_chains(Both(write), TEMPLATES, [statement], ROUNDS)[0] for statement in statements]
    assert together == alone


def assessed_of(model: Both, body: str, count: int, reviews: int) -> Assessed:
    """The assessment of a proof by the asynchronous loop."""
    verifier, meta = Verifier(model, TEMPLATES, Sampling()), MetaVerifier(model, TEMPLATES, Sampling())
    assessor = Assessor(verifier, meta, replace(JUDGE, analyses=count, reviews=reviews))
    prover = Prover(Both(lambda prompt, number, call: Answer(proof_text(body))), TEMPLATES, Sampling())
    with tempfile.TemporaryDirectory() as folder:
        recorder = open_recorder(Path(folder))

        async def assess(proof: Proof) -> Assessed:
            return await assessor.assess(recorder, proof)

        with closing(recorder.log):
            (assessed,) = asyncio.run(prover.prove(recorder, assess, indices=[0]))
            return assessed


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(BODIES[:3]), st.lists(ANALYSES, min_size=1, max_size=4), st.lists(REVIEWS, max_size=3))
def test_an_assessment_is_the_same_one_by_one_and_in_batches(
    body: str, analyses: list[Answer], reviews: list[Answer]
) -> None:
    asks_verifier = TEMPLATES.verification(PROBLEM.statement, body)

    def write(prompt: str, number: int, call: int) -> Answer:
        return analyses[number] if prompt == asks_verifier else reviews[number]

    recorded, batched = Both(write), Both(write)
    assessed = assessed_of(recorded, body, len(analyses), len(reviews))
    case = Case(PROBLEM.statement, body)
    found = collect.analyze(batched, TEMPLATES, [case], len(analyses))
    if reviews:
        found = collect.review(batched, TEMPLATES, [case], found, len(reviews))
    assert [(one.score, one.reviews) for one in found[0]] == [(one.score, one.reviews) for one in assessed.judged]
    # The trainer reviews equal analyses once.
    assert list(dict.fromkeys(batched.asked)) == list(dict.fromkeys(recorded.asked))


def test_thoughts_of_a_verifier_are_not_reviewed() -> None:
    bare = analysis_text(0)
    answers = [Answer(f"<think>It is late.</think>{bare}"), Answer(bare)]
    verifier, meta = Both(lambda prompt, number, call: answers[number]), Both(lambda *_: Answer(review_text(1)))
    case = Case(PROBLEM.statement, "Proof.")
    found = collect.analyze(verifier, TEMPLATES, [case], 2)
    reviewed = collect.review(meta, TEMPLATES, [case], found, 1)
    assert meta.asked == [TEMPLATES.meta_verification(case.statement, case.proof, bare)] * 2
    assert [replace(one, text="") for one in reviewed[0]] == [collect.Examined("", 0.0, (1.0,))] * 2
