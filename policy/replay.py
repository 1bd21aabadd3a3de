"""Answers from a recorded run: same problems, prompts and seed give the same run again, without a server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from core.config import STRICT, Name, Positive, settings
from core.errors import LemmataError
from core.log import read_record, record_places
from core.records import Generated, Refusal
from core.store import Run
from policy.interface import Completion, Prompt, PromptRefused, Sampling

Place = tuple[Path, int, int]


@settings(frozen=True, config=STRICT)
class ReplayConfig:
    """``run`` is the folder of the recorded run; recorded under whatever policy names."""

    run: Name
    concurrency: Positive = 64


class Replay:
    """Policy that finds a recorded answer by prompt and seed. Keeps places in files, not texts, in memory."""

    def __init__(self, name: str, config: ReplayConfig) -> None:
        self.name = name
        self.config = config
        self._places: dict[tuple[str, int], Place] = {}
        for path in Run.read(config.run).log_paths():
            self._index(path)

    def _index(self, path: Path) -> None:
        for record, offset, length in record_places(path):
            if isinstance(record, Generated | Refusal):
                self._places[record.prompt, record.seed] = (path, offset, length)

    @property
    def samples_per_request(self) -> int:
        """One, so that every recorded answer is found by its own seed."""
        return 1

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """As Policy.sample. Raises LemmataError when the recorded run does not hold the answer."""
        await asyncio.sleep(0)
        return [[self._find(prompt, sampling.seed)] for prompt in prompts]

    def _find(self, prompt: Prompt, seed: int | None) -> Completion:
        place = self._places.get((prompt.digest, seed)) if seed is not None else None
        if place is None:
            raise LemmataError(
                f"the recorded run {self.config.run} holds no answer to a prompt of this run (policy '{self.name}'). "
                "Replaying needs the same problems, prompts, settings and seed as the recorded run."
            )
        record = read_record(*place)
        if isinstance(record, Refusal):
            raise PromptRefused(record.error)
        assert isinstance(record, Generated)
        return Completion(
            record.text, record.finish_reason, record.model, record.seconds, record.usage, record.reasoning
        )

    async def close(self) -> None:
        """Nothing to release."""
