"""What judges in training: answers of a trained model to prompts. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.config import STRICT, Name, NonNegativeFloat, Positive, settings
from rl.task import Answer


class Judge(Protocol):
    """A role that is not learning."""

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """``count`` independent answers to each prompt; the same prompt gets the same answers whenever it is asked, and
        others by another ``draw``.
        """
        ...


@settings(frozen=True, config=STRICT)
class JudgesConfig:
    """Folders of trained judges, None for the exact truth in their place.

    ``verifier``: R_Y is the mean of its scores over ``analyses`` of each proof. ``meta_verifier``: R_meta is its mean
    rating over ``reviews`` of each analysis or self-evaluation.
    """

    verifier: Name | None = None
    meta_verifier: Name | None = None
    analyses: Positive = 1
    reviews: Positive = 1
    temperature: NonNegativeFloat = 1.0
    max_tokens: Positive = 160


@dataclass(frozen=True)
class Judges:
    """The judges of a task; a role that is None has no say."""

    config: JudgesConfig
    verifier: Judge | None = None
    meta_verifier: Judge | None = None
