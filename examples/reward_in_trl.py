"""Reward in TRL: GRPO on theorems of the lab, with the exact checker as reward function.

    pip install -e '.[model,trl]'
    python examples/reward_in_trl.py                       (2 steps on the shipped model)
    python examples/reward_in_trl.py FOLDER 200            (a model of your own, 200 steps)

The data set needs two columns: ``prompt``, and ``ground_truth``, which names the theorem. The reward function reads the
theorem and decides every step of the completion by algebra; there is no reward model to exploit.
"""

import sys
from importlib.util import find_spec
from typing import Any

from lab.items import Stream
from lab.scorers import trl_reward

SHIPPED = "model/shipped"


def rows(count: int, role: str = "prove") -> list[dict[str, Any]]:
    """Prompts with the theorems that they are about, as rows of a data set."""
    stream = Stream(role, ("inequalities",), (1, 2), "train", 0)
    items = (stream.item(number) for number in range(count))
    return [{"prompt": [{"role": "user", "content": item.prompt}], "ground_truth": item.ground_truth} for item in items]


def main(model: str = SHIPPED, steps: str = "2") -> None:
    """Train ``model`` for ``steps`` steps; explain what is missing where TRL is not installed."""
    if find_spec("trl") is None:
        print("TRL is not installed, so nothing was trained: pip install -e '.[model,trl]'")
        return
    from datasets import Dataset  # noqa: PLC0415  seconds to import
    from trl import GRPOConfig, GRPOTrainer  # noqa: PLC0415

    config = GRPOConfig(
        output_dir="runs/trl",
        max_steps=int(steps),
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=256,
        chat_template_kwargs={"enable_thinking": False},
        learning_rate=1e-5,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=model == SHIPPED,
        bf16=False,
    )
    trainer = GRPOTrainer(
        model=model, reward_funcs=trl_reward, args=config, train_dataset=Dataset.from_list(rows(8 * int(steps)))
    )
    trainer.train()
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    print(f"mean reward by step: {', '.join(f'{reward:.2f}' for reward in rewards)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
