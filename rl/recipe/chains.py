"""Self-refinement in batches: the chains of `refine.sequential`, one round of all of them at a time."""

from collections import Counter
from collections.abc import Sequence

from core.templates import Templates
from prover.attempt import Attempt, read_attempt
from refine.transitions import next_request
from rl.judge import Judge
from rl.task import Answer

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


def sample_apart(judge: Judge, prompts: Sequence[str], draw: int) -> list[Answer | None]:
    """One answer to each prompt, independent ones where prompts are equal; None where a prompt leaves no room."""
    times = Counter(prompts)
    found: dict[str, list[Answer]] = {}
    for count in sorted(set(times.values())):
        distinct = [prompt for prompt, number in times.items() if number == count]
        found |= dict(zip(distinct, map(list, judge.ask(distinct, count, draw)), strict=True))
    return [found[prompt].pop(0) if found[prompt] else None for prompt in prompts]
