"""The lab behind the interfaces of reasoning-gym, TRL and verl. None of them is needed to import this.

from lab.scorers import register; register(); reasoning_gym.create_dataset("lemmata_lab", role="verify", size=100)
GRPOTrainer(..., reward_funcs=trl_reward, train_dataset=...)         # columns prompt and ground_truth
custom_reward_function.path=lab/scorers.py custom_reward_function.name=compute_score           # verl
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lab.generator import HELD_OUT_LEVEL, LEVELS, families
from lab.items import Stream, read_item

NAME = "lemmata_lab"


@dataclass
class LabConfig:
    """Settings of a data set. ``families``, ``levels``: empty means all (but the level without a training stream)."""

    role: str = "prove"
    families: Sequence[str] = ()
    levels: Sequence[int] = ()
    split: str = "train"
    seed: int = 0
    size: int = 500

    @property
    def stream(self) -> Stream:
        """The items. Raises ValueError for what does not exist."""
        levels = self.levels or [level for level in LEVELS if level != HELD_OUT_LEVEL]
        return Stream(self.role, self.families or families(), levels, self.split, self.seed)

    def validate(self) -> None:
        """Raises ValueError for what does not exist."""
        _ = self.stream


class LabDataset:
    """A data set as reasoning-gym has it: entries with question, answer and metadata, and a scorer of answers."""

    def __init__(self, config: LabConfig | None = None, seed: int | None = None, size: int | None = None) -> None:
        self.config = config or LabConfig()
        self.seed = self.config.seed if seed is None else seed
        self.size = self.config.size if size is None else size
        self.stream = self.config.stream

    def __len__(self) -> int:
        """Number of entries."""
        return self.size

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All entries in order."""
        return (self[number] for number in range(self.size))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Entry ``number``, the same in every process. Raises IndexError past the end."""
        if not 0 <= number < self.size:
            raise IndexError(number)
        item = self.stream.item(number)
        metadata = {
            "source_dataset": NAME,
            "source_index": number,
            "ground_truth": item.ground_truth,
            "difficulty": {"level": item.level},
        }
        return {"question": item.prompt, "answer": item.answer, "metadata": metadata}

    def score_answer(self, answer: str | None, entry: dict[str, Any]) -> float:
        """The exact reward of an answer to an entry, in [0, 1]; 0 for no answer."""
        return 0.0 if answer is None else read_item(entry["metadata"]["ground_truth"]).score(answer)


def register(name: str = NAME) -> None:
    """Makes ``reasoning_gym.create_dataset(name, ...)`` know the lab. Needs reasoning-gym; once per process."""
    gym = import_module("reasoning_gym.factory")
    base = import_module("reasoning_gym.dataset").ProceduralDataset
    gym.register_dataset(name, type("RegisteredLabDataset", (LabDataset, base), {}), LabConfig)


def trl_reward(
    prompts: Sequence[Any], completions: Sequence[Any], *, ground_truth: Sequence[str], **_columns: Any
) -> list[float]:
    """A reward function for TRL's trainers; completions are texts, or lists of messages of which the last counts."""
    return [read_item(truth).score(_text(text)) for truth, text in zip(ground_truth, completions, strict=True)]


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **_others: Any
) -> float:
    """A reward function for verl."""
    return read_item(ground_truth).score(solution_str)


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
