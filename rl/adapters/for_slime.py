"""slime and miles: a reward function for one sample or a group, and the rows of a prompt file.

--custom-rm-path rl.adapters.for_slime.custom_rm --prompt-data FOLDER/train.jsonl --input-key prompt --label-key label
--apply-chat-template, with LEMMATA_ADAPTER=FOLDER in the environment.
"""

from collections.abc import Sequence
from typing import Any

from rl.adapters.rewards import configured_rewards
from rl.task import Answer


async def custom_rm(_args: Any, sample: Any, **_others: Any) -> float | list[float]:
    """The reward of a sample, or of each of a list (``--group-rm``).

    A sample whose judge failed is removed from the loss (``remove_sample``); its reward of 0 has no effect.
    """
    samples: Sequence[Any] = sample if isinstance(sample, list) else [sample]
    answers = [Answer(one.response, truncated=_status(one) == "truncated") for one in samples]
    rewards = await configured_rewards().score_async([one.label for one in samples], answers)
    for one, reward in zip(samples, rewards, strict=True):
        if reward.total is None:
            one.remove_sample = True
    totals = [0.0 if reward.total is None else reward.total for reward in rewards]
    return totals if isinstance(sample, list) else totals[0]


def slime_row(prompt: str, ground_truth: str) -> dict[str, Any]:
    """A row of a prompt file."""
    return {"prompt": [{"role": "user", "content": prompt}], "label": ground_truth}


def _status(sample: Any) -> str:
    status = getattr(sample, "status", "")
    return str(getattr(status, "value", status))
