"""Task protocol: the prompts, rewards and SFT examples of a role, as the trainer uses them. Imports no torch.

The reward of a sample is computed in four places: `rl.rollout` samples a trajectory and passes its answers to
`Task.rewards`; the role's task (`rl.tasks.lab`, or `rl.tasks.judged` with trained judges) finds the score of the proof,
from the lab's checker or from a judge; `prover.reward`, `verifier.reward` or `meta_verifier.reward` reads the answer
and applies the paper's formula; `rl.reward_shaping` adds the configured terms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.reward import Reward
from core.rubric import Verdict, parse_verdict
from policy.interface import ToolCall, ToolSpec
from policy.tool_loop import ContextPolicy


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of one turn, of ``tokens`` tokens. ``truncated``: it ended at the token limit."""

    text: str
    truncated: bool = False
    tokens: int = 0

    def score(self, quoted: str) -> float | None:
        """The score of its verdict about the ``quoted`` text; None where it is truncated or unparseable."""
        verdict = parse_verdict(self.text, quoted=quoted, truncated=self.truncated)
        return verdict.score if isinstance(verdict, Verdict) else None


@dataclass(frozen=True)
class TaskTools:
    """Tools of the answers to a problem. ``run``: the output of a call, which follows from the call alone.

    ``turns``: answers with calls that run, at most. ``context``: the policy above ``context_share`` of the context.
    """

    specs: tuple[ToolSpec, ...]
    run: Callable[[ToolCall], str]
    turns: int
    context: ContextPolicy
    context_share: float


@dataclass(frozen=True, slots=True)
class ExampleTurn:
    """A turn of an SFT example that ends with calls: its ``text`` and ``calls`` are targets, their outputs are not."""

    text: str
    calls: tuple[ToolCall, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """An SFT example: the user's ``prompt`` and the ``answer`` to learn.

    ``given``: a start of the answer that is no target, such as a faulty proof before its honest evaluation. ``rest``:
    an end of it that is left out, such as the evaluation of a proof that is always right. ``turns``: those with calls
    before the answer, of the tools ``tools``, which the prompt describes.
    """

    prompt: str
    answer: str
    given: str = ""
    rest: str = ""
    turns: tuple[ExampleTurn, ...] = ()
    tools: tuple[ToolSpec, ...] = ()

    @property
    def whole(self) -> str:
        """The whole answer."""
        return self.given + self.answer + self.rest


class Task(Protocol):
    """A role with its problems, numbered from 0: a number always names the same problem.

    ``domain``: the subject, for which an algorithm may have its own KL coefficient.
    """

    @property
    def domain(self) -> str:
        """The subject."""
        ...

    def prompt(self, number: int) -> str:
        """Returns the user's message of problem ``number``."""
        ...

    def tools(self, number: int) -> TaskTools | None:
        """Returns the tools of the answers to problem ``number``; None without any."""
        return None

    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        """Returns the user's message of each trajectory's next turn, such as a refinement; None after the last turn.

        Trajectories are given as to `rewards`, all that are in progress at once. Raises as `rewards`.
        """
        ...

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """Rewards trajectories, each given by its problem's number and the answers of all turns.

        Raises LemmataError where no judging is possible.
        """
        ...

    def example(self, number: int) -> Example:
        """Returns SFT example ``number``."""
        ...
