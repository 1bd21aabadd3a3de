"""verl: a reward function and the rows of its Parquet files.

custom_reward_function.path=rl/adapters/for_verl.py custom_reward_function.name=compute_score
data.train_files=FOLDER/train.parquet, with LEMMATA_ADAPTER=FOLDER in the environment of the workers.
"""

from typing import Any

import pyarrow as pa

from core.errors import LemmataError
from rl.adapters.rewards import configured_rewards
from rl.task import Answer

SOURCE = "lemmata"
SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        ("extra_info", pa.struct([("split", pa.string()), ("index", pa.int64())])),
    ]
)


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **_others: Any
) -> dict[str, float]:
    """The reward of an answer as ``score``, and its parts as far as they are known.

    ``extra_info`` may state ``truncated``: the answer ended at the token limit.

    Raises:
        LemmataError: the judge failed. verl has no way to leave a sample out, and 0 would be wrong.
    """
    answer = Answer(solution_str, truncated=bool((extra_info or {}).get("truncated")))
    (reward,) = await configured_rewards().score_async([ground_truth], [answer])
    if reward.total is None:
        raise LemmataError(f"no reward for an answer of {data_source}: the judge failed on it; see FOLDER/judges")
    parts = {name: part for name, part in reward.parts.items() if part is not None}
    return {"score": reward.total, **parts}


def verl_row(prompt: str, ground_truth: str, split: str, index: int) -> dict[str, Any]:
    """A row of `SCHEMA`."""
    return {
        "data_source": SOURCE,
        "prompt": [{"role": "user", "content": prompt}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": ground_truth},
        "extra_info": {"split": split, "index": index},
    }
