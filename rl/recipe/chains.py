"""Refinement in batches, one round of all chains at a time: by the prover's own evaluation, or by a verifier."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.questions import about_proof
from core.templates import Templates
from prover.attempt import Attempt, read_attempt
from refine.transitions import ProofRequest, next_request
from rl.judge import Judge
from rl.task import Answer
from rl.tasks.judged import critique_of

NO_ROOM = Answer("", truncated=True)  # in place of an answer to a prompt that fills the context


def refine_chains(prover: Judge, templates: Templates, statements: Sequence[str], rounds: int) -> list[list[Answer]]:
    """The answers of one chain of self-refinement for each of ``statements``, each of at most ``rounds`` answers.

    A prompt that leaves no room for an answer ends its chain; where it is the first, the chain is `NO_ROOM` alone.
    """
    answers: list[list[Answer]] = [[] for _ in statements]
    histories: list[list[Attempt]] = [[] for _ in statements]
    running = list(range(len(statements)))
    for number in range(rounds):
        requests = {chain: next_request(histories[chain], rounds) for chain in running}
        prompts = {
            chain: request.prompt(templates, statements[chain]) for chain, request in requests.items() if request
        }
        running = []
        for chain, answer in zip(prompts, sample_apart(prover, list(prompts.values()), number), strict=True):
            if answer is not None:
                answers[chain].append(answer)
                histories[chain].append(read_attempt(answer.text, truncated=answer.truncated))
                running.append(chain)
    return [chain or [NO_ROOM] for chain in answers]


@dataclass(frozen=True, slots=True)
class Verified:
    """A round of verify-and-refine: the prover's answer, and the verifier's scores of its proof, where it has one."""

    answer: Answer
    scores: tuple[float | None, ...] = ()
    verifier_tokens: int = 0

    @property
    def accepted(self) -> bool:
        """True where all analyses give 1."""
        return bool(self.scores) and all(score == 1.0 for score in self.scores)


def verify_refine_chains(
    prover: Judge, verifier: Judge, templates: Templates, statements: Sequence[str], rounds: int, analyses: int
) -> list[list[Verified]]:
    """Proofs of each statement, refined by the lowest of ``analyses`` until all of them give 1, at most ``rounds``.

    Without a proof, or without a readable issue, a new proof is asked for. A prompt that leaves no room for an answer
    ends its chain; where it is the first, the chain is `NO_ROOM` alone.
    """
    found: list[list[Verified]] = [[] for _ in statements]
    requests = dict.fromkeys(range(len(statements)), ProofRequest())
    for number in range(rounds):
        prompts = {chain: request.prompt(templates, statements[chain]) for chain, request in requests.items()}
        answers = zip(prompts, sample_apart(prover, list(prompts.values()), number), strict=True)
        written = {chain: answer for chain, answer in answers if answer is not None}
        requests = {}
        bodies = {chain: read_attempt(one.text, truncated=one.truncated).body for chain, one in written.items()}
        questions = {chain: about_proof(templates, statements[chain], body) for chain, body in bodies.items() if body}
        groups = verifier.ask([question.prompt for question in questions.values()], analyses, number)
        judged = dict(zip(questions, groups, strict=True))
        for chain, answer in written.items():
            group = judged.get(chain, [])
            scores = tuple(one.score(questions[chain].quoted) for one in group)
            found[chain].append(Verified(answer, scores, sum(one.tokens for one in group)))
            if not found[chain][-1].accepted:
                critique = critique_of([(one.text, score) for one, score in zip(group, scores, strict=True)])
                requests[chain] = ProofRequest(bodies[chain], (critique,)) if critique else ProofRequest()
    return [chain or [Verified(NO_ROOM)] for chain in found]


def sample_apart(judge: Judge, prompts: Sequence[str], draw: int) -> list[Answer | None]:
    """One answer to each prompt, independent ones where prompts are equal; None where a prompt leaves no room."""
    times = Counter(prompts)
    found: dict[str, list[Answer]] = {}
    for count in sorted(set(times.values())):
        distinct = [prompt for prompt, number in times.items() if number == count]
        found |= dict(zip(distinct, map(list, judge.ask(distinct, count, draw)), strict=True))
    return [found[prompt].pop(0) if found[prompt] else None for prompt in prompts]
