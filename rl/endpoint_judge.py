"""Endpoint judge: a model behind an OpenAI-compatible server that answers the prompts of a verifier or meta-verifier.

Every answer is appended to RUN/judges/NAME-RANK.jsonl before it is used, so that an answer that is paid for is not
asked for again, also after a kill. A prompt that the server refuses has no answer, and its sample no reward.
Imports no torch.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from core.config import merge_settings, read_config
from core.errors import LemmataError
from core.finish import cut_off
from core.ids import derive_seed, digest
from core.log import ProblemLog, read_log
from core.records import JudgeAnswer, Refusal, Usage, total_usage
from core.store import now
from policy.endpoint import Endpoint
from policy.endpoint_config import EndpointConfig
from policy.guard import BudgetConfig, Guard
from policy.interface import (
    Completion,
    Policy,
    PolicyUnavailable,
    Prompt,
    PromptRefused,
    Sampling,
    gather_all,
    user_prompt,
)
from policy.meters import Meters
from policy.throttle import Throttle
from rl.judge import ENDPOINT, Judge, JudgesConfig
from rl.task import Answer

T = TypeVar("T")
TEMPLATE = "judge"  # of the records: the prompt is the asking role's


class JudgeLoop:
    """An event loop in a thread of its own, in which calls go on while this process samples or trains."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="judges", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of ``work``; several threads may wait at a time."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stops the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)


class EndpointJudge(Judge):
    """The model of ``policy``. ``log``: file of its answers; another process must not write it."""

    def __init__(self, policy: Policy, log: Path, sampling: Sampling, seed: int, loop: JudgeLoop) -> None:
        self.policy, self.sampling, self.seed = policy, sampling, seed
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log, self._loop = ProblemLog(log), loop
        self._calls: dict[tuple[str, int, int], asyncio.Task[list[Answer]]] = {}

    @override
    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """A prompt that the server refuses, or does not answer, has fewer answers, or none.

        Raises RunStopped where the budget is used up or no server answers, LemmataError where none ever can.
        """
        return self._loop.run(self.answers(prompts, count, draw))

    async def answers(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """Returns what `ask` returns, from inside the loop of this judge."""
        return await gather_all(self._shared(user_prompt(prompt), count, draw) for prompt in prompts)

    def close(self) -> None:
        """Closes the connections and the file."""
        self._loop.run(self.policy.close())
        self._log.close()

    async def _shared(self, prompt: Prompt, count: int, draw: int) -> list[Answer]:
        """The answers to a prompt; callers that ask at the same time share one call."""
        key = (prompt.digest, count, draw)
        if key not in self._calls:
            self._calls[key] = asyncio.create_task(self._answers(prompt, count, draw))
            self._calls[key].add_done_callback(lambda _: self._calls.pop(key))
        return await self._calls[key]

    async def _answers(self, prompt: Prompt, count: int, draw: int) -> list[Answer]:
        names = [digest("judge", self.policy.name, self.seed, draw, prompt.digest, index) for index in range(count)]
        missing = [index for index, name in enumerate(names) if name not in self._log]
        size = max(1, self.policy.samples_per_request)
        parts = [missing[start : start + size] for start in range(0, len(missing), size)]
        await gather_all(self._obtain(prompt, draw, names, part) for part in parts)
        records = [self._log.get(name) for name in names if name in self._log]
        return [_answer(record) for record in records if isinstance(record, JudgeAnswer)]

    async def _obtain(self, prompt: Prompt, draw: int, names: Sequence[str], indices: Sequence[int]) -> None:
        """Asks for some samples of a prompt and records what arrives; a server that is unavailable gives none."""
        while indices:
            first = indices[0]
            seed = derive_seed(self.seed, "judge", self.policy.name, draw, prompt.digest, first)
            try:
                ((*completions,),) = await self.policy.sample([prompt], _with(self.sampling, len(indices), seed))
            except PromptRefused as error:
                self._log.append([self._refusal(names[index], prompt, seed, error) for index in indices])
                return
            except PolicyUnavailable:
                return
            pairs = zip(indices, completions, strict=False)
            self._log.append([self._record(names, index, prompt, seed, first, one) for index, one in pairs])
            indices = indices[len(completions) :]

    def _record(
        self, names: Sequence[str], index: int, prompt: Prompt, seed: int, first: int, completion: Completion
    ) -> JudgeAnswer:
        return JudgeAnswer(
            id=names[index],
            problem_id=prompt.digest,
            parents=(),
            round=0,
            index=index,
            policy=self.policy.name,
            model=completion.model,
            template=TEMPLATE,
            prompt=prompt.digest,
            seed=seed,
            text=completion.text,
            reasoning=completion.reasoning,
            finish_reason=completion.finish_reason,
            usage=completion.paid,
            request=names[first],
            seconds=completion.seconds,
            created=now(),
        )

    def _refusal(self, name: str, prompt: Prompt, seed: int, error: PromptRefused) -> Refusal:
        return Refusal(
            id=name,
            problem_id=prompt.digest,
            parents=(),
            role=TEMPLATE,
            policy=self.policy.name,
            prompt=prompt.digest,
            seed=seed,
            error=str(error),
            created=now(),
        )


class EndpointJudges:
    """Makes the endpoint judges of a run, which share the budget; each named endpoint is made once."""

    def __init__(self, config: JudgesConfig, folder: Path, rank: int, seed: int) -> None:
        self._config, self._folder, self._rank, self._seed = config, folder / "judges", rank, seed
        self._loop, self._made = JudgeLoop(), dict[str, EndpointJudge]()
        self._meters = Meters()
        self._guard = Guard(config.budget, _spent(self._folder.glob(f"*-{rank}.jsonl"), config.budget))

    def of(self, name: str) -> EndpointJudge:
        """The judge ``endpoint:NAME``. Raises LemmataError where there are no settings of that name."""
        key = name.removeprefix(ENDPOINT)
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def _make(self, name: str) -> EndpointJudge:
        config, where = self._config, f"data.judges.endpoints.{name}"
        if name not in config.endpoints:
            known = ", ".join(config.endpoints) or "none"
            raise LemmataError(
                f"data.judges: no endpoint {name!r}; known: {known}. Give {where}.base_url=URL and {where}.model=MODEL"
            )
        values = merge_settings(config.endpoint, config.endpoints[name])
        for key in ("base_url", "model"):
            if not values.get(key):
                raise LemmataError(f"{where}.{key} is not set; give it as {where}.{key}=VALUE")
        settings = read_config(EndpointConfig, {k: v for k, v in values.items() if k != "kind"}, where)
        policy = Throttle(
            Endpoint(name, settings, self._guard, self._meters), settings.concurrency, self._guard, self._meters
        )
        sampling = Sampling(temperature=config.temperature, max_tokens=config.max_tokens)
        return EndpointJudge(policy, self._folder / f"{name}-{self._rank}.jsonl", sampling, self._seed, self._loop)

    def close(self) -> None:
        """Closes all judges."""
        for judge in self._made.values():
            judge.close()
        self._loop.close()


def _answer(record: JudgeAnswer) -> Answer:
    tokens = record.usage.completion_tokens if record.usage else 0
    return Answer(record.answer, truncated=cut_off(record.finish_reason) is not None, tokens=tokens)


def _with(sampling: Sampling, n: int, seed: int) -> Sampling:
    return Sampling(n=n, temperature=sampling.temperature, max_tokens=sampling.max_tokens, seed=seed)


def _spent(logs: Iterable[Path], budget: BudgetConfig) -> Usage:
    """The usage of all recorded answers, where a budget needs it."""
    if budget.tokens is None and budget.cost is None:
        return Usage()
    return total_usage(record for path in logs for record in read_log(path))
