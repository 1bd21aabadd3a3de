"""Replay policy: completions of a recorded run, found by prompt and seed, without a server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from core.config import STRICT, Name, Positive, settings
from core.errors import LemmataError
from core.log import read_record, record_places
from core.records import Generated, Refusal, ToolOutput, ToolTurn
from core.store import Run
from policy.interface import Completion, Policy, Prompt, PromptRefused, Sampling, ToolCall

FilePosition = tuple[Path, int, int]  # file, offset and length in bytes


@settings(frozen=True, config=STRICT)
class ReplayConfig:
    """Settings of a replay; ``run`` is the folder of the recorded run, under any policy names."""

    run: Name
    concurrency: Positive


class Replay(Policy):
    """Policy that finds recorded completions by prompt and seed. Memory holds file positions, not texts."""

    def __init__(self, name: str, config: ReplayConfig) -> None:
        self.name = name
        self.config = config
        self._positions: dict[tuple[str, int], FilePosition] = {}
        self._outputs: dict[str, FilePosition] = {}
        for path in Run.read(config.run).log_paths():
            self._index(path)

    def _index(self, path: Path) -> None:
        for record, offset, length in record_places(path):
            if isinstance(record, Generated | Refusal):
                self._positions[record.prompt, record.seed] = (path, offset, length)
            elif isinstance(record, ToolOutput):
                self._outputs[record.id] = (path, offset, length)

    def recorded_output(self, record_id: str) -> ToolOutput | None:
        """The output of a tool in the recorded run, so that its call does not run again; None where it has none."""
        if record_id not in self._outputs:
            return None
        record = read_record(*self._outputs[record_id])
        assert isinstance(record, ToolOutput)
        return record

    @property
    @override
    def samples_per_request(self) -> int:
        return 1  # every recorded completion is found by its own seed

    @override
    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        await asyncio.sleep(0)
        return [[self._find(prompt, sampling.seed)] for prompt in prompts]

    def _find(self, prompt: Prompt, seed: int | None) -> Completion:
        position = self._positions.get((prompt.digest, seed)) if seed is not None else None
        if position is None:
            raise LemmataError(
                f"the recorded run {self.config.run} holds no answer to a prompt of this run (policy '{self.name}'). "
                "Replaying needs the same problems, prompts, settings and seed as the recorded run."
            )
        record = read_record(*position)
        if isinstance(record, Refusal):
            raise PromptRefused(record.error)
        assert isinstance(record, Generated)
        calls = tuple(ToolCall(**call) for call in record.calls) if isinstance(record, ToolTurn) else ()
        return Completion(
            record.text,
            record.finish_reason,
            record.model,
            record.seconds,
            record.usage,
            record.reasoning,
            tool_calls=calls,
        )

    @override
    async def close(self) -> None:
        return
