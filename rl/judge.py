"""Judges in training: trained models whose answers are the reward. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.config import STRICT, Name, NonNegativeFloat, Positive, settings
from rl.task import Answer


class Judge(Protocol):
    """A model that answers prompts and is not trained."""

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """Returns ``count`` independent answers to each prompt.

        The seed follows from the prompt and ``draw``: the same prompt and draw always have the same answers.
        """
        ...


@settings(frozen=True, config=STRICT)
class JudgesConfig:
    """Folders of trained judges, or ``pkg://PACKAGE/FOLDER``; None: the exact truth in their place.

    ``verifier``: R_Y is the mean of its scores over ``analyses`` of each proof. ``meta_verifier``: R_meta is its mean
    rating over ``reviews`` of each analysis or self-evaluation.
    """

    verifier: Name | None
    meta_verifier: Name | None
    analyses: Positive
    reviews: Positive
    temperature: NonNegativeFloat
    max_tokens: Positive


@dataclass(frozen=True)
class Judges:
    """The judges of a task; in place of one that is None the exact truth is used."""

    config: JudgesConfig
    verifier: Judge | None = None
    meta_verifier: Judge | None = None
