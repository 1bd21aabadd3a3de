"""A policy in memory whose answers a test writes down, and answers in the form that our prompts ask for."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from core.ids import digest
from core.log import ProblemLog, read_log
from core.problems import single_problem
from core.records import Generated, Problem, Record, Selection, Usage
from core.templates import Templates
from meta_verifier.role import MetaVerifier
from policy.guard import Guard
from policy.interface import Completion, Policy, Prompt, Sampling
from policy.meters import Meters
from policy.recorder import Recorder
from policy.throttle import Throttle
from prover.role import Prover
from refine.assess import Assessor, AssessorConfig
from refine.config import RefineConfig
from refine.loop import ProofLoop
from tests.clocks import HANG
from tests.fake_server import META_PHRASE, PHRASE, answer_text, role_of
from tests.presets import JUDGE, budget_config, judge_preset
from verifier.comparison import Comparer
from verifier.role import Verifier

PROBLEM = single_problem("Prove that the sum of two odd integers is even.")
TEMPLATES = Templates.load()
JUDGES = {"search": JUDGE, "sequential": judge_preset("sequential")}


def proof_text(body: str, score: float | str = 1) -> str:
    """A prover's answer in the required form."""
    return f"## Solution\n{body}\n\n## Self Evaluation\nI checked it.\n{PHRASE} \\boxed{{{score}}}"


def analysis_text(score: float | str, issues: str = "Step two.") -> str:
    """A verifier's answer in the required form."""
    return f"Here is my evaluation of the solution: {issues}\n{PHRASE} \\boxed{{{score}}}"


def review_text(score: float | str) -> str:
    """A meta-verifier's answer in the required form."""
    return f'Here is my analysis of the "solution evaluation": agreed.\n{META_PHRASE} \\boxed{{{score}}}'


@dataclass(frozen=True)
class Asked:
    """One sample that somebody asks for: which role, with which prompt text, and the seed and index within the call."""

    role: str
    text: str
    seed: int | None
    n: int
    number: int  # counts the requests to this policy

    @property
    def refines(self) -> bool:
        """True for a refinement of an earlier proof."""
        return "----- proof 1 begins" in self.text


Answer = Callable[[Asked], Awaitable[str | list[str]]]


async def drawn(asked: Asked) -> list[str]:
    """Well-formed answers that follow from prompt and seed alone."""
    return [answer_text(asked.role, f"{asked.text}|{asked.seed}|{index}") for index in range(asked.n)]


Reply = str | Callable[[Asked], str] | None


def by_role(
    prover: Reply = None, verifier: Reply = None, meta_verifier: Reply = None, comparer: Reply = None
) -> Answer:
    """Answers by role: a text, a function of what is asked, or None for drawn ones."""
    chosen = {"prover": prover, "verifier": verifier, "meta_verifier": meta_verifier, "comparer": comparer}

    async def answer(asked: Asked) -> str | list[str]:
        reply = chosen[asked.role]
        if reply is None:
            return await drawn(asked)
        return reply if isinstance(reply, str) else reply(asked)

    return answer


@dataclass
class Scripted:
    """Policy that gives the answers of ``answer``, which may block and may raise. ``asked`` lists every request."""

    answer: Answer = drawn
    name: str = "policy"
    samples_per_request: int = 1
    asked: list[Asked] = field(default_factory=list)
    closed: bool = False

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """Completions with the scripted answers."""
        return [await self._one(prompt, sampling) for prompt in prompts]

    async def _one(self, prompt: Prompt, sampling: Sampling) -> list[Completion]:
        text = "".join(message.content for message in prompt.messages)
        asked = Asked(role_of(text), text, sampling.seed, sampling.n, len(self.asked))
        self.asked.append(asked)
        await asyncio.sleep(0)
        reply = await self.answer(asked)
        texts = reply if isinstance(reply, list) else [_variant(asked, reply, index) for index in range(sampling.n)]
        return [
            Completion(text, "stop", "scripted", 0.0, Usage(10, 0, 5) if index == 0 else None)
            for index, text in enumerate(texts)
        ]

    async def close(self) -> None:
        """Record that the policy was closed."""
        self.closed = True

    def count(self, role: str) -> int:
        """Requests to play a role."""
        return sum(asked.role == role for asked in self.asked)


def _variant(asked: Asked, reply: str, index: int) -> str:
    """A text that is scripted for every sample; analyses differ in a word, for identical ones count once."""
    return reply.replace("\n", f" ({asked.seed}-{index})\n", 1) if asked.role == "verifier" else reply


def open_recorder(folder: Path, seed: int = 0, problem: Problem = PROBLEM) -> Recorder:
    """A recorder on the log of ``problem`` in ``folder``, as a run has it."""
    folder.mkdir(parents=True, exist_ok=True)
    log = ProblemLog(folder / f"{problem.id}.jsonl")
    if problem.id not in log:
        log.append([problem])
    return Recorder(problem, log, seed, Meters())


def loop_of(policy: Policy, config: RefineConfig, seed: int = 0, judge: AssessorConfig | None = None) -> ProofLoop:
    """The proof loop with one policy in all three roles; ``judge``: None means that of the strategy's preset."""
    sampling = Sampling()
    judge = judge or JUDGES[config.strategy]
    assessor = Assessor(Verifier(policy, TEMPLATES, sampling), MetaVerifier(policy, TEMPLATES, sampling), judge)
    comparer = Comparer(policy, TEMPLATES, sampling) if config.select == "pairwise" else None
    return ProofLoop(Prover(policy, TEMPLATES, sampling), assessor, config, seed, comparer=comparer)


def run_loop(
    policy: Policy, config: RefineConfig, folder: Path, seed: int = 0, judge: AssessorConfig | None = None
) -> tuple[Selection, list[Record]]:
    """One problem through the loop; its selection and all its records."""

    async def run() -> tuple[Selection, list[Record]]:
        recorder = open_recorder(folder, seed)
        with closing(recorder.log):
            selection = await asyncio.wait_for(loop_of(policy, config, seed, judge).run(recorder), HANG)
            return selection, records_of(recorder.log)

    return asyncio.run(run())


def records_of(log: ProblemLog) -> list[Record]:
    """Everything that a log holds."""
    return list(read_log(log.path))


def throttled(policy: Policy, concurrency: int, meters: Meters | None = None) -> Throttle:
    """``policy`` behind a limit, with a guard that knows no budget."""
    return Throttle(policy, concurrency, Guard(budget_config()), meters or Meters())


def comparable(record: Record, *ignored: str) -> dict[str, Any]:
    """The fields of a record without those that two runs may differ in."""
    names = {field.name for field in fields(record)} - {"created", *ignored}
    return {"kind": record.kind} | {name: getattr(record, name) for name in sorted(names)}


def comparables(records: Sequence[Record], *ignored: str) -> list[dict[str, Any]]:
    """``comparable`` of all, in the order of their ids: the order of a log follows the timing of the answers."""
    return [comparable(record, *ignored) for record in sorted(records, key=lambda record: record.id)]


def jittered(seed: int) -> Answer:
    """Drawn answers that come after a random number of turns of the event loop."""
    generator = random.Random(seed)

    async def answer(asked: Asked) -> list[str]:
        for _ in range(generator.randrange(8)):
            await asyncio.sleep(0)
        return await drawn(asked)

    return answer


def generated(records: Sequence[Record], kind: type[Generated]) -> list[Any]:
    """The records of one kind."""
    return [record for record in records if isinstance(record, kind)]


def many_problems(count: int) -> list[Problem]:
    """Distinct problems."""
    return [
        Problem(id=digest("problem", number), statement=f"Prove {number}.", name=f"p{number}")
        for number in range(count)
    ]
