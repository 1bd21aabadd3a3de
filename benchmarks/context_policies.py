"""Context policies on the same long conversations at equal tokens: answers reached, turns, tokens of a prompt.

    python -m benchmarks.context_policies [conversations]

The conversations are scripted, so that only the policy differs: the loop, its records and its budgets are those of a
run. The model sees what a policy leaves it and acts on that alone. Two kinds of work:

- gather: an answer needs 24 values, one a call; the model asks for the first one that it does not see.
- trials: each call tries one candidate of many at random, and one in 30 is the answer; a failure teaches nothing.
"""

import asyncio
import json
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from core.config import read_config
from core.log import ProblemLog, read_log
from core.problems import single_problem
from core.records import ContextChange, ContextSummary, Generated, Proof, ToolOutput, ToolTurn, Usage
from lemmata.compose import compose
from policy.faults import ContextTooLong
from policy.history import estimated_tokens
from policy.interface import Completion, Prompt, Sampling, ToolCall, ToolSpec, user_prompt
from policy.meters import Meters
from policy.recorder import Call, Recorder
from policy.tool_loop import SUMMARIZE, Toolbox, ToolUseConfig
from prover.role import build_proof
from tools.context import POLICIES, context_policy

WINDOW = 4000  # tokens of the context
BUDGET = 60_000  # tokens of an answer, prompts included
VALUES, CHANCE = 24, 30
OUTPUT = "value {name} = {value}\n" + "(a derivation that nobody needs again) " * 20
_VALUE = re.compile(r"value (\d+) = (\d+)")
PROBLEM = user_prompt("Find the answer. Values and candidates can be asked for by the tool, one a call.")
ANSWER = "## Solution\nThe answer is {answer}.\n\n## Self Evaluation\nChecked.\n\\boxed{{1}}"


@dataclass
class ScriptedModel:
    """A model that acts on what it sees: it calls for what is missing, sums up when asked, and answers."""

    kind: str
    name: str = "scripted"
    samples_per_request: int = 1

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """One completion for each prompt. Raises ContextTooLong where a prompt does not fit."""
        return [[self._one(prompt, sampling)] for prompt in prompts]

    def _one(self, prompt: Prompt, sampling: Sampling) -> Completion:
        size = estimated_tokens(prompt.messages)
        if size > WINDOW:
            raise ContextTooLong(f"{size} tokens are more than {WINDOW}", None)
        text = "\n".join(message.content for message in prompt.messages)
        found = dict(_VALUE.findall(text))
        usage = Usage(size, 0, 60)
        if prompt.messages[-1].content == SUMMARIZE:
            return Completion("\n".join(f"value {a} = {b}" for a, b in found.items()), "stop", "scripted", 0.0, usage)
        is_done = "42" in found.values() if self.kind == "trials" else len(found) == VALUES
        if is_done or not sampling.may_call:
            answer = ANSWER.format(answer="right" if is_done else "unknown")
            return Completion(answer, "stop", "scripted", 0.0, usage)
        draw = random.Random(sampling.seed)
        missing = [str(n) for n in range(VALUES) if str(n) not in found]
        name = missing[0] if self.kind == "gather" else str(draw.randrange(10**6))
        call = ToolCall("c", "python", json.dumps({"code": name}))
        return Completion("", "tool_calls", "scripted", 0.0, usage, f"I need {name}. " * 10, tool_calls=(call,))

    async def close(self) -> None:
        """Nothing is open."""


class Source(Toolbox):
    """Values by name; of a trial 42 is the answer."""

    specs = (ToolSpec("python", "Gives a value.", {}),)

    def __init__(self, kind: str, config: ToolUseConfig) -> None:
        self.kind, self.config = kind, config
        self.context, self.overflow = context_policy(config.context), context_policy("discard_all")

    async def run(self, conversation: str, earlier: Sequence[ToolOutput], call: ToolCall) -> tuple[str, str, float]:
        """The value of a name."""
        name = json.loads(call.arguments)["code"]
        hit = self.kind == "trials" and random.Random(f"{conversation} {name}").randrange(CHANCE) == 0
        value = 42 if hit else 1000 + int(name)
        return "ok", OUTPUT.format(name=name, value=value), 0.1

    async def end(self, conversation: str) -> None:
        """Nothing is held."""


async def itself(proof: Proof) -> Proof:
    """The proof."""
    return proof


def measure(kind: str, config: ToolUseConfig, count: int, folder: Path) -> str:
    """One row: a policy on ``count`` conversations of a kind."""
    reached, turns, tokens, prompts, changes = 0, 0, 0, [], 0
    with closing(ProblemLog(folder / f"{kind}-{config.context}.jsonl")) as log:
        recorder = Recorder(single_problem("Find it."), log, 0, Meters(), toolbox=Source(kind, config))
        call = Call(ScriptedModel(kind), PROBLEM, "t@1", Sampling(), Proof, build_proof, indices=range(count))
        asyncio.run(recorder.ask(call, itself))
    for record in read_log(log.path):
        turns += isinstance(record, ToolTurn)
        changes += isinstance(record, ContextChange)
        if isinstance(record, Generated) and record.usage is not None:
            tokens += record.usage.total_tokens
            prompts += [record.usage.prompt_tokens] if not isinstance(record, ContextSummary) else []
        reached += isinstance(record, Proof) and "right" in record.text
    mean = sum(prompts) / max(len(prompts), 1)
    numbers = f"{turns / count:.1f} | {mean:.0f} | {tokens / count:.0f} | {changes / count:.1f}"
    return f"| {kind} | {config.context} | {reached} of {count} | {numbers} |"


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    base = read_config(ToolUseConfig, compose("refine", {})["tool_use"], "tool_use")
    base = replace(base, turns=400, tokens=BUDGET, seconds=1e6, context_tokens=WINDOW)
    print("| work | policy | reached | turns | prompt tokens a request | tokens an answer | changes |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("gather", "trials"):
            for name in POLICIES:
                print(
                    measure(kind, read_config(ToolUseConfig, {**vars(base), "context": name}, ""), count, Path(folder))
                )


if __name__ == "__main__":
    main()
