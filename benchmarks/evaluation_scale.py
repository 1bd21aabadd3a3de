"""Scale of an evaluation on this machine: peak memory, disk and calls per second of up to a million simulated calls.

The proof loop, the store, the schedule and the report are the real ones. Only the policy is scripted: it answers at
once with texts of realistic length, one sample per call, like servers without n > 1.

    python -m benchmarks.evaluation_scale --problems 12                  # 49,920 calls
    python -m benchmarks.evaluation_scale --problems 241 --out scale     # 1,002,560 calls
"""

import argparse
import asyncio
import hashlib
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from core.problems import single_problem
from core.records import Problem, Usage
from core.statistics import IntervalConfig
from core.store import Run
from core.templates import Templates
from evaluation.report import ReportConfig, write_report
from meta_verifier.role import MetaVerifier
from policy.guard import BudgetConfig, Guard
from policy.interface import Completion, Prompt, Sampling
from policy.meters import Meters
from policy.recorder import Recorder
from policy.throttle import Throttle
from prover.role import Prover
from refine.acceptance import AcceptanceConfig
from refine.assess import Assessor, AssessorConfig
from refine.config import RefineConfig
from refine.loop import ProofLoop
from refine.schedule import run_problems
from verifier.role import Verifier

WORDS = "hence the claim holds for every integer by induction on the degree of the polynomial in question"
VERDICT = "Based on my evaluation, the final overall score should be:\n\\boxed{{{}}}"


class Scripted:
    """Policy whose answers have the required form; the text follows from prompt and seed."""

    name = "scripted"
    samples_per_request = 1

    def __init__(self, proof_words: int, analysis_words: int) -> None:
        self._vocabulary = WORDS.split()
        self._words = {True: proof_words, False: analysis_words}

    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        """Returns one answer per prompt."""
        await asyncio.sleep(0)
        return [[self._answer(prompt, sampling.seed)] for prompt in prompts]

    def _answer(self, prompt: Prompt, seed: int | None) -> Completion:
        draw = random.Random(hashlib.sha256(f"{prompt.digest}|{seed}".encode()).digest())
        proves = "## Self Evaluation" in prompt.messages[-1].content
        text = " ".join(draw.choices(self._vocabulary, k=self._words[proves]))
        verdict = VERDICT.format(draw.choice(("0", "0.5", "1")))
        answer = f"## Solution\n{text}\n\n## Self Evaluation\nChecked.\n{verdict}" if proves else f"{text}\n{verdict}"
        return Completion(answer, "stop", "scripted", 0.0, Usage(1000, 900, self._words[proves]))

    async def close(self) -> None:
        """Does nothing: there is no connection."""


def problems(count: int) -> Iterator[Problem]:
    """Distinct problems."""
    return (single_problem(f"Prove that {number} + {number} = {2 * number}.") for number in range(count))


UNLIMITED = BudgetConfig(tokens=None, cost=None, seconds=None, max_consecutive_failures=20)


async def evaluate(
    run: Run, config: RefineConfig, judges: AssessorConfig, options: argparse.Namespace, meters: Meters
) -> None:
    """Runs all problems through the proof loop."""
    guard, sampling, templates = Guard(UNLIMITED), Sampling(), Templates.load()
    scripted = Scripted(options.proof_words, options.analysis_words)
    policy = Throttle(scripted, options.concurrency, guard, meters)
    judge = Assessor(Verifier(policy, templates, sampling), MetaVerifier(policy, templates, sampling), judges)
    loop = ProofLoop(Prover(policy, templates, sampling), judge, config, 0)

    async def work(problem: Problem) -> None:
        with closing(run.log(problem)) as log:
            await loop.run(Recorder(problem, log, 0, meters, guard))

    unfinished = await run_problems(problems(options.problems), work, [policy], guard, meters)
    assert not unfinished, unfinished


def peak_mib() -> float:
    """Largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Runs the evaluation and its report, and prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=12)
    parser.add_argument("--proofs", type=int, default=64)
    parser.add_argument("--analyses", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--proof-words", type=int, default=400)
    parser.add_argument("--analysis-words", type=int, default=200)
    parser.add_argument("--out", type=Path, help="keep the run here")
    options = parser.parse_args()
    folder = options.out or Path(tempfile.mkdtemp(prefix="evaluation-scale-"))
    acceptance = AcceptanceConfig(
        rule="unanimous",
        min_verdicts=options.analyses,
        min_readable=1.0,
        min_perfect=1.0,
        min_mean=1.0,
        use_reviews="ignore",
        confirm_at=1.0,
    )
    judges = AssessorConfig(analyses=options.analyses, reviews=0, review="issues", acceptance=acceptance)
    config = RefineConfig("search", options.proofs, 64, 8, options.rounds, "mean", 4, 1)
    print(f"before: {peak_mib():.0f} MiB", flush=True)
    meters, started = Meters(), time.perf_counter()
    try:
        with Run.start(folder / "run", "attempt", {"judge": {"acceptance": asdict(acceptance)}}) as run:
            asyncio.run(evaluate(run, config, judges, options, meters))
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
        print(f"{meters.calls:,} calls in {seconds:.0f} s: {meters.calls / seconds:.0f} calls/s")
        print(
            f"peak memory {peak_mib():.0f} MiB, disk {size / 2**20:.0f} MiB ({size / meters.calls:.0f} bytes per call)"
        )
        started = time.perf_counter()
        report = ReportConfig(
            run=str(folder / "run"),
            out=str(folder / "report"),
            title="Evaluation report",
            note=None,
            half_at=0.5,
            plots=False,
            intervals=IntervalConfig(),
        )
        write_report(report)
        print(f"report in {time.perf_counter() - started:.0f} s, peak memory {peak_mib():.0f} MiB")
    finally:
        if options.out is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
