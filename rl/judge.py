"""Judges in training: models whose answers are the reward. Imports no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import override

from core.config import STRICT, Name, NonNegativeFloat, Positive, settings
from policy.guard import BudgetConfig
from rl.task import Answer

ENDPOINT = "endpoint:"  # begins the name of a judge behind a server


class Judge(Protocol):
    """A model that answers prompts and is not trained."""

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """Returns ``count`` independent answers to each prompt.

        The seed follows from the prompt and ``draw``: the same prompt and draw always have the same answers.
        """
        ...


@settings(frozen=True, config=STRICT)
class JudgesConfig:
    """Judges by role: a model folder, ``pkg://PACKAGE/FOLDER``, ``endpoint:NAME``, or several of these.

    None: the exact truth in their place. ``verifier``: R_Y is the mean of its scores over ``analyses`` of each proof.
    ``meta_verifier``: R_meta is its mean rating over ``reviews`` of each analysis or self-evaluation. Of several models
    each is asked so often, and the mean is over all. ``guidelines``: a proof of a problem that has a rubric is graded
    by it. ``endpoints``: servers by name, what they do not set is that of ``endpoint``; ``budget``: of all of them.
    """

    verifier: Name | tuple[Name, ...] | None
    meta_verifier: Name | tuple[Name, ...] | None
    guidelines: bool
    endpoint: Mapping[str, Any]
    endpoints: Mapping[str, Mapping[str, Any]]
    budget: BudgetConfig
    analyses: Positive
    reviews: Positive
    temperature: NonNegativeFloat
    max_tokens: Positive

    @property
    def all_behind_servers(self) -> bool:
        """True where there are judges, and all are behind servers: they answer while this process computes."""
        names = (*judge_names(self.verifier), *judge_names(self.meta_verifier))
        return bool(names) and all(name.startswith(ENDPOINT) for name in names)


def judge_names(value: Name | tuple[Name, ...] | None) -> tuple[str, ...]:
    """The judges that a setting names: none, one or several."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


@dataclass(frozen=True)
class Panel(Judge):
    """Several judges that are asked the same; their answers count alike."""

    judges: Sequence[Judge]

    @override
    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        """Returns the answers of all judges to each prompt: ``count`` of each."""
        found = [judge.ask(prompts, count, draw) for judge in self.judges]
        return [[answer for group in groups for answer in group] for groups in zip(*found, strict=True)]


def panel(judges: Sequence[Judge]) -> Judge | None:
    """One judge for several; None for none."""
    return Panel(judges) if len(judges) > 1 else judges[0] if judges else None


@dataclass(frozen=True)
class Judges:
    """The judges of a task; in place of one that is None the exact truth is used."""

    config: JudgesConfig
    verifier: Judge | None = None
    meta_verifier: Judge | None = None
