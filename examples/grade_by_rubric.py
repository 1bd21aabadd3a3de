"""Reward for a task of your own: the final answer by math-verify, the text by a judge with a rubric, and the length.

    pip install -e '.[model,rl]'
    python examples/grade_by_rubric.py                     (the shipped model judges, for which the task is too hard)
    python examples/grade_by_rubric.py FOLDER              (a DSA model of your own judges)

A judge without a parseable verdict gives no score: the reward is then None, and such a sample is left out of training.
"""

import asyncio
import sys

import lemmata
from core.answer_check import AnswerChecker, AnswerConfig
from core.reward import Reward, add_parts
from policy.interface import Policy, Sampling
from rl.reward_shaping import LengthConfig, RewardShapingConfig, shape_reward
from rl.rubric_judge import RubricJudge

TASK = "Find the smallest value of x^2 + 6x + 11 over all real x, and show why it is the smallest."
RUBRIC = "The value is right. It is shown that the value is attained. It is shown that no value is smaller."
REFERENCE = "2"
ANSWER = (
    "We have x^2 + 6x + 11 = (x + 3)^2 + 2. Since squares are nonnegative, (x + 3)^2 + 2 >= 2.\n"
    "At x = -3 the value is 2, so the smallest value is \\boxed{2}."
)
WEIGHTS = {"answer": 0.5, "rubric": 0.5}
SHAPING = RewardShapingConfig(length=LengthConfig(soft_limit=400, cache=100, weight=0.2), language=None)


async def reward(policy: Policy, answer: str, tokens: int) -> Reward:
    """Rewards an answer of ``tokens`` tokens; the rubric is graded four times."""
    judge = RubricJudge(policy, Sampling(n=4, temperature=0.6, max_tokens=400))
    grade = await judge.grade(TASK, answer, RUBRIC)
    with AnswerChecker(AnswerConfig()) as checker:
        result = checker.check(answer, REFERENCE)
    parts = {"answer": result.score, "rubric": grade.score}
    return shape_reward(add_parts(Reward(0.0, {}), parts, WEIGHTS), answer, tokens, SHAPING)


def main(model: str = "shipped") -> None:
    """Prints the reward of an answer with its parts."""
    with lemmata.Engine(model) as engine:
        found = asyncio.run(reward(engine, ANSWER, tokens=60))
    for name, value in found.parts.items():
        print(f"{name}: {'no verdict' if value is None else f'{value + 0.0:.2f}'}")
    print(f"reward: {'none' if found.total is None else f'{found.total:.2f}'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
