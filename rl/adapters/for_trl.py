"""TRL: a reward function, and a data set with the columns ``prompt`` and ``ground_truth``.

GRPOTrainer(reward_funcs=trl_reward(load_rewards("FOLDER"), tokenizer.eos_token_id, 512), train_dataset=...)
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from rl.adapters.rewards import RoleRewards
from rl.task import Answer

RewardFunction = Callable[..., Coroutine[Any, Any, list[float | None]]]


def trl_reward(rewards: RoleRewards, eos_token_id: int | None = None, max_tokens: int | None = None) -> RewardFunction:
    """An asynchronous reward function for TRL's trainers; None where a judge failed, which TRL leaves out.

    TRL does not say whether a completion is cut off: it is where it has ``max_tokens`` tokens and the last one is not
    ``eos_token_id``. A completion is a text, or messages of which the last counts.
    """

    def is_cut_off(ids: Sequence[int]) -> bool:
        return max_tokens is not None and len(ids) >= max_tokens and ids[-1] != eos_token_id

    async def lemmata_reward(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        ground_truth: Sequence[str],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **_columns: Any,
    ) -> list[float | None]:
        ids = completion_ids or [()] * len(completions)
        answers = [Answer(_text(one), is_cut_off(own), len(own)) for one, own in zip(completions, ids, strict=True)]
        return [reward.total for reward in await rewards.score_async(ground_truth, answers)]

    return lemmata_reward


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
