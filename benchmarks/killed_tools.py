"""A run with tools that is killed again and again: no recorded call runs twice, and it ends as an undisturbed one.

    python -m benchmarks.killed_tools [kills]

`lemmata refine tools=[python]` over a scripted server whose answers make three calls each, killed by kill -9 at random
moments. Every restart must have grown the log, so that the moments fall into all parts of the run.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.processes import assert_same, new_job, server_process, stored

SETTINGS = (
    "tools=[python]", "interpreter.kernels=2", "interpreter.output=500", "refine.proofs=2", "refine.rounds=1",
    "judge.analyses=2", "judge.reviews=1", "judge.acceptance.min_verdicts=1", "policy.concurrency=2",
)  # fmt: skip


def main() -> None:
    """Kill the run, complete it, and compare."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    moments, sizes = random.Random(28), list[int]()
    with tempfile.TemporaryDirectory() as name, server_process(Path(name) / "server.log", "--tools") as server:
        folder = Path(name)
        (folder / "calm").mkdir()
        expected = new_job(folder / "calm", 1, *SETTINGS).complete(server.url)
        job = new_job(folder, 1, *SETTINGS)
        for _ in range(kills):
            held = len(stored(job.run)) if job.run.exists() else 0
            if held >= len(expected):
                break
            with job.start(server.url) as running:
                running.wait_until(lambda least=held: job.run.exists() and len(stored(job.run)) > least)
                time.sleep(moments.uniform(0.0, 0.3))
                running.kill()
            sizes.append(len(stored(job.run)))
        assert_same(job.complete(server.url), expected)
        records = stored(job.run).values()
    kinds = Counter(record["kind"] for record in records)
    calls = Counter((record["answer_id"], record["arguments"]) for record in records if record["kind"] == "tool_output")
    print(f"{len(sizes)} kills, with {', '.join(map(str, sizes))} of {len(expected)} records held")
    print(f"{kinds['tool_turn']} turns and {kinds['tool_output']} outputs, {len(calls)} distinct calls")
    print("the records equal those of the undisturbed run")


if __name__ == "__main__":
    main()
