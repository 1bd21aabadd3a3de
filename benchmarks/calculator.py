"""Small verifier with and without the lab's calculator: accuracy and false accepts by exact truth, and tokens.

    python -m benchmarks.calculator MODEL {verifier,calculator_verifier} [proofs] [family ...]

Greedy answers to proofs of the test split. An answer without a parseable score counts as wrong, not as accepted.
Intervals resample whole statements.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.config import read_config
from core.rubric import Verdict, parse_verdict
from core.statistics import Estimate, Observation, mean, share
from lab.items import Stream
from lab.prompts import templates
from lemmata.compose import compose
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.loading import load_model
from rl.learner import Learner
from rl.parallel import Parallel
from rl.rollout import sample_groups
from rl.task import Task
from rl.tasks.build import DataConfig, make_task
from rl.tasks.mixed import MixedTask

LEVELS = (1, 2)
SEED, BATCH = 0, 32


@dataclass(frozen=True)
class Judged:
    """One proof: its statement, label and kind of defect; the score given, tokens sampled, and calls made."""

    statement: str
    label: float
    defect: str
    score: float | None
    tokens: int
    calls: int


def task_of(kind: str, families: Sequence[str]) -> Task:
    """The task on the test split."""
    settings = compose("train", {})["data"]
    data = {**settings, "families": tuple(families), "levels": LEVELS, "mixture": {kind: 1}}
    task = make_task("generator", read_config(DataConfig, data, "data"), templates(), "test", SEED)
    assert isinstance(task, MixedTask)
    return task


def judge(folder: Path, kind: str, count: int, families: Sequence[str]) -> list[Judged]:
    """The model's judgments of ``count`` proofs."""
    module, tokenizer = load_model(folder, "float32", "cpu")
    task = task_of(kind, families)
    learner = Learner(module, tokenizer, task, task, Parallel(), seed=SEED)
    engine = LLMEngine(module, tokenizer, EngineConfig(cache_tokens=BATCH * 2048, max_num_seqs=BATCH))
    stream, found = Stream("verify", families, LEVELS, "test", SEED), []
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        sampling = SamplingParams(temperature=0.0, max_tokens=900, seed=SEED)
        for one in sample_groups(engine, learner, task, numbers, 1, sampling):
            item = stream.item(one.number)
            verdict = parse_verdict(one.answers[-1].text, quoted=item.proof.text, truncated=one.answers[-1].truncated)
            defects = item.proof.verdict.defects
            found.append(
                Judged(
                    item.theorem.statement,
                    item.proof.label,
                    defects[0].kind if defects else "none",
                    verdict.score if isinstance(verdict, Verdict) else None,
                    sum(len(turn.completion.token_ids) for turn in one.turns),
                    sum(len(turn.outputs) for turn in one.turns),
                )
            )
    return found


def main() -> None:
    """Print the figures."""
    folder, kind, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 128
    families = sys.argv[4:] or ["inequalities"]
    judged = judge(folder, kind, count, families)
    faulty = [one for one in judged if one.label < 1]
    print(f"{kind}, {folder}, {', '.join(families)}: {len(judged)} proofs, {len(faulty)} with a defect")
    print(f"accuracy: {line(rate(judged, lambda one: one.score == one.label))}")
    print(f"no parseable score: {line(rate(judged, lambda one: one.score is None))}")
    print(f"false accepts: {line(rate(faulty, lambda one: one.score == 1))}")
    by_kind = defaultdict(list)
    for one in faulty:
        by_kind[one.defect].append(one)
    for defect, own in sorted(by_kind.items()):
        print(f"false accepts, {defect}: {line(rate(own, lambda one: one.score == 1))}")
    print(f"tokens of an answer: {line(mean([Observation(one.statement, one.tokens) for one in judged]))}")
    print(f"calls of an answer: {sum(one.calls for one in judged) / len(judged):.2f}")


def rate(judged: Iterable[Judged], is_so: Callable[[Judged], bool]) -> Estimate:
    """The share of judged proofs for which ``is_so``, by statement."""
    return share([Observation(one.statement, float(is_so(one))) for one in judged])


def line(estimate: Estimate) -> str:
    """An estimate with its interval."""
    if estimate.value is None:
        return "no proofs"
    interval = f" [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.low is not None else ""
    return f"{estimate.value:.3f}{interval} (n={estimate.n})"


if __name__ == "__main__":
    main()
