"""Contest of two scripted models over IMO-ProofBench: the evaluation, a panel of three judges, and the report.

    python -m benchmarks.contest DATA FOLDER

DATA holds imobench/proofbench_v2.csv. The servers are scripted: nothing here measures a model. Each proof has a hidden
quality that follows from its text; judges and verifiers see it with noise, and some of their answers are cut off.
"""

import hashlib
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lemmata.cli import run
from tests.command import serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of

PHRASE = "Based on my evaluation, the final overall score should be:"
NOTE = (
    "The servers behind this report are scripted (python -m benchmarks.contest): it shows what a report holds, and "
    "measures no model."
)
LEVELS = ((0.85, 7), (0.7, 6), (0.4, 1), (-9.0, 0))  # least quality of each number of points
SKILL = {"model-large": 0.72, "model-small": 0.52}
FAVOR = 0.1  # what the judge of two proofs sees in the first one beyond its quality
NOISE = {"judge-a": 0.05, "judge-b": 0.12, "judge-c": 0.3, "referee": 0.18}


def quality(token: str) -> float:
    """Hidden quality of the proof with this token."""
    model, _, rest = token.partition("/")
    return random.Random(rest).gauss(SKILL[model], 0.25)


def token_of(prompt: str) -> str | None:
    """Token of the proof in a prompt; None for junk and references."""
    place = prompt.rfind("Proof model-")
    return prompt[place + 6 :].split(".", 1)[0] if place >= 0 else None


async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
    """Answers each role by the hidden quality of the proof."""
    prompt = "".join(message["content"] for message in body["messages"])
    key = hashlib.sha256(f"{prompt}|{body['model']}|{body.get('seed')}".encode()).hexdigest()
    draw, role = random.Random(key), role_of(prompt)
    if draw.random() < 0.02:
        return json_reply(completion(body, ["I was about to say"], finish_reason="length"))
    if role == "prover":
        text = f"## Solution\nProof {body['model']}/{key[:12]}.\n\n## Self Evaluation\nFine.\n{PHRASE} \\boxed{{1}}"
        return json_reply(completion(body, [text]))
    if role == "comparer":
        first, second = (quality(part.split(".", 1)[0]) for part in prompt.split("Proof ")[-2:])
        letter = "A" if first + FAVOR + draw.gauss(0.0, 0.1) > second + draw.gauss(0.0, 0.1) else "B"
        return json_reply(completion(body, [f"I compared them: {key[:8]}.\nBetter proof:\n\\boxed{{{letter}}}"]))
    token = token_of(prompt)
    seen = draw.gauss(quality(token) if token else 0.0, NOISE.get(body["model"], 0.2))
    if role == "grader":
        points = next(points for least, points in LEVELS if seen >= least)
        return json_reply(completion(body, [f"Reasons {key[:8]}.\nFinal points:\n\\boxed{{{points}}}"]))
    verdict = "1" if seen >= 0.75 else "0.5" if seen >= 0.5 else "0"
    return json_reply(
        completion(body, [f"Here is my evaluation of the solution: {key}\n{PHRASE} \\boxed{{{verdict}}}"])
    )


def main() -> None:
    """Runs the evaluation and its report in FOLDER."""
    data, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if not Path("data").exists():
        Path("data").symlink_to(data)
    with serving(behave) as served:
        command = ["benchmark=proofbench", "run=contest", "policy=endpoint", f"policy.base_url={served.url}",
                   "policy.model=model-large", "policy.concurrency=16", "entrants=[large,small]",
                   "+policies.large.model=model-large", "+policies.small.model=model-small",
                   *(f"+policies.{name}.model={name}" for name in NOISE), "verifier.policy=referee",
                   "meta_verifier.policy=referee", "refine.proofs=2", "refine.rounds=2", "refine.select=pairwise",
                   "judge.analyses=8", "judge.reviews=0", "judge.acceptance.min_verdicts=4", "grading.samples=1",
                   "grading.panel=[judge-a,judge-b,judge-c]", "control.problems=2"]  # fmt: skip
        _ended(["evaluate", *command])
    _ended(
        ["evaluate", "report", "run=contest", "out=report", "title='Contest of two scripted models'", f"note='{NOTE}'"]
    )


def _ended(arguments: list[str]) -> None:
    try:
        run(arguments)
    except SystemExit as ended:
        if ended.code not in (0, None):
            raise


if __name__ == "__main__":
    main()
