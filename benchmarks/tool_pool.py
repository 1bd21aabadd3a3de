"""Pool of interpreters under many conversations: latency of calls, memory, sandboxes and kernels.

    python -m benchmarks.tool_pool [conversations] [conversations at a time] [sandboxes]

Each conversation is an answer of the loop with tools: a scripted model makes three calls, of which the later ones need
the variables of the earlier ones, and answers with the last output. All answers are checked, and so is the log: no call
twice. Memory is the resident set of this process, and the proportional set of all processes of the sandboxes.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles

from core.config import read_config
from core.log import ProblemLog, read_log
from core.problems import single_problem
from core.records import Proof, ToolOutput
from lemmata.compose import compose
from policy.interface import Completion, Policy, Prompt, Sampling, ToolCall, user_prompt
from policy.meters import Meters
from policy.recorder import Call, Recorder
from policy.tool_loop import ToolUseConfig
from prover.role import build_proof
from tools.config import InterpreterConfig
from tools.toolbox import RunToolbox

CODES = (
    "from sympy import *\nx = Symbol('x')\ny = {number}",
    "z = expand((x + y) ** 3)",
    "print(z.subs(x, 1), (1 + y) ** 3)",
)
ANSWER = "## Solution\n{text}\n\n## Self Evaluation\nChecked.\n\\boxed{{1}}"
MARKS = 5


def memory() -> float:
    """Resident set of this process, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def sandbox_memory() -> tuple[int, float]:
    """Number of this process's descendants, and their proportional set in MiB."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, wanted = set[int](), {int(Path("/proc/self").readlink().name)}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found |= wanted
    size = 0.0
    for process in found:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        size += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    return len(found), size


@dataclass
class ThreeCalls(Policy):
    """A model that makes the calls of `CODES` for the number in its seed, and answers with the last output."""

    name: str = "scripted"
    asked: dict[int, int] = field(default_factory=dict)  # seed of a first turn: its number

    @property
    def samples_per_request(self) -> int:
        """One."""
        return 1

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """One completion for each prompt."""
        return [[self._one(prompt)] for prompt in prompts]

    def _one(self, prompt: Prompt) -> Completion:
        turns = [message for message in prompt.messages if message.role == "assistant"]
        if len(turns) == len(CODES):
            return Completion(ANSWER.format(text=prompt.messages[-1].content), "stop", self.name, 0.0, None)
        if turns:
            number = int(turns[0].tool_calls[0].id)
        else:
            number = self.asked[len(self.asked)] = len(self.asked)
        code = CODES[len(turns)].format(number=number)
        call = ToolCall(str(number), "python", json.dumps({"code": code}))
        return Completion("", "tool_calls", self.name, 0.0, None, tool_calls=(call,))

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Measured:
    """Toolbox calls' times in seconds, and memory at some moments: process, sandboxes, their processes."""

    times: list[float] = field(default_factory=list)
    marks: list[tuple[float, float, int]] = field(default_factory=list)


class TimedToolbox(RunToolbox):
    """The interpreter, with the time of each call as the loop waits for it."""

    measured: Measured
    total: int

    async def run(self, conversation: str, earlier: Sequence[ToolOutput], call: ToolCall) -> tuple[str, str, float]:
        """As the toolbox."""
        started = time.monotonic()
        result = await super().run(conversation, earlier, call)
        self.measured.times.append(time.monotonic() - started)
        if len(self.measured.times) % max(self.total // MARKS, 1) == 0:
            count, size = sandbox_memory()
            self.measured.marks.append((memory(), size, count))
        return result


async def measure(count: int, at_a_time: int, kernels: int, log: ProblemLog) -> tuple[TimedToolbox, float]:
    """Run all conversations; the toolbox, and the seconds that they took."""
    settings = compose("refine", {})
    interpreter = replace(read_config(InterpreterConfig, settings["interpreter"], "interpreter"), kernels=kernels)
    toolbox = TimedToolbox(read_config(ToolUseConfig, settings["tool_use"], "tool_use"), interpreter)
    toolbox.measured, toolbox.total = Measured(), count * len(CODES)
    model, slots = ThreeCalls(), asyncio.Semaphore(at_a_time)
    recorder = Recorder(single_problem("Compute."), log, 0, Meters(), toolbox=toolbox)

    async def one(index: int) -> None:
        async with slots:
            call = Call(model, user_prompt("Compute."), "t@1", Sampling(), Proof, build_proof, indices=[index])
            await recorder.ask(call, itself)

    started = time.monotonic()
    await asyncio.gather(*(one(index) for index in range(count)))
    seconds = time.monotonic() - started
    await toolbox.close()
    return toolbox, seconds


async def itself(proof: Proof) -> Proof:
    """The proof."""
    return proof


def main() -> None:
    """Print the measurements."""
    count, at_a_time, kernels = [*map(int, sys.argv[1:]), *(40, 8, 4)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder, closing(ProblemLog(Path(folder, "log.jsonl"))) as log:
        toolbox, seconds = asyncio.run(measure(count, at_a_time, kernels, log))
        records = list(read_log(log.path))
    outputs = [record for record in records if isinstance(record, ToolOutput)]
    answers = [record.body or "" for record in records if isinstance(record, Proof)]
    right = sum(len(values := answer.split()) == 2 and values[0] == values[1] for answer in answers)
    calls = {(output.answer_id, output.arguments) for output in outputs}
    times, cuts = toolbox.measured.times, quantiles(toolbox.measured.times, n=20)
    print(f"{len(answers)} conversations, {right} right; {len(outputs)} calls, {len(calls)} distinct; {seconds:.0f} s")
    assert toolbox.pool is not None
    print(f"sandbox: {toolbox.pool.launch.kind}; {toolbox.pool.counts}")
    print(f"seconds of a call: median {cuts[9]:.3f}, 95th percentile {cuts[18]:.3f}, longest {max(times):.1f}")
    print("calls done | this process, MiB | sandboxes, MiB | their processes")
    for number, (own, boxes, processes) in enumerate(toolbox.measured.marks, 1):
        print(f"{number * max(toolbox.total // MARKS, 1)} | {own:.0f} | {boxes:.0f} | {processes}")


if __name__ == "__main__":
    main()
