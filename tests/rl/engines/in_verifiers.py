# pyright: reportMissingImports=false, reportArgumentType=false
"""verifiers' part of tests/rl/test_adapters.py: rewards of random cases by a task's own scoring.

LEMMATA_ADAPTER=FOLDER python tests/rl/engines/in_verifiers.py CASES
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import verifiers.v1 as vf
from verifiers.v1.trace import AgentInfo, Trace, TraceTask

from rl.adapters.for_verifiers import RoleData, RolePromptTask


def trace_of(task: RolePromptTask, row: dict[str, Any]) -> Trace:
    """The trace of an agent that gave the answer of a row."""
    trace = Trace(task=TraceTask(type="RolePromptTask", data=task.data, key=task.key, hash=task.hash),
                  agent=AgentInfo(name="agent", config=vf.AgentConfig()))  # fmt: skip
    trace.root_reply = row["text"]
    if row["truncated"]:
        trace.stop("max_output_tokens")
    return trace


async def rewards(rows: list[dict[str, Any]]) -> list[float]:
    """The rewards of all rows."""
    found = []
    for row in rows:
        task = RolePromptTask(RoleData(prompt="Judge.", ground_truth=row["ground_truth"]))
        trace = trace_of(task, row)
        await task.score(trace)
        found.append(trace.reward)
    return found


if __name__ == "__main__":
    print(json.dumps({"rewards": asyncio.run(rewards(json.loads(Path(sys.argv[1]).read_text())))}))
